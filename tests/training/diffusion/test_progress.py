"""The strip of frames that a rendering renews on its way."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.core.errors import SinkError
from training.diffusion.progress import EVERY_S, STRIP_HEIGHT, RenderProgress, strip, strip_places


def frames() -> np.ndarray:
    return np.stack([np.full((4, 6, 3), 40 * number, np.uint8) for number in range(3)])


def test_a_strip_is_written_when_it_is_due_and_at_the_end(tmp_path: Path) -> None:
    now_s, file = [0.0], tmp_path / "clip.preview.png"
    progress = RenderProgress(file, lambda: now_s[0])
    progress.renew_strip(frames)
    assert not file.exists()
    now_s[0] = EVERY_S
    progress.renew_strip(frames)
    image = cv2.imread(str(file))
    assert image.shape == (4, 18, 3)
    assert image[0, :, 0].tolist() == [0] * 6 + [40] * 6 + [80] * 6
    file.unlink()
    now_s[0] += 1.0
    progress.renew_strip(frames)
    assert not file.exists()
    progress.renew_strip(frames, last=True)
    assert file.exists()


def test_where_strips_take_long_they_are_rarer(tmp_path: Path) -> None:
    now_s, made = [EVERY_S + 1.0], list[float]()
    progress = RenderProgress(tmp_path / "clip.preview.png", lambda: now_s[0])
    now_s[0] += EVERY_S

    def slow() -> np.ndarray:
        made.append(now_s[0])
        now_s[0] += 30.0
        return frames()

    progress.renew_strip(slow)
    now_s[0] += EVERY_S
    progress.renew_strip(slow)
    now_s[0] += 300.0
    progress.renew_strip(slow)
    assert len(made) == 2


def test_no_frames_are_made_without_a_place() -> None:
    progress = RenderProgress()
    progress.begin("denoising", 2)
    progress.advance()
    progress.renew_strip(lambda: pytest.fail("made"), last=True)
    progress.end()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match=r"Cannot write the preview .*--no-preview"):
        RenderProgress(tmp_path / "file" / "a.png").renew_strip(frames, last=True)


def test_the_strip_shows_the_whole_clip() -> None:
    assert strip_places(1) == [0]
    assert strip_places(3) == [0, 1, 2]
    assert strip_places(24) == [0, 3, 7, 10, 13, 16, 20, 23]
    assert strip(np.zeros((2, 384, 200, 3), np.uint8)).shape == (STRIP_HEIGHT, 167, 3)
