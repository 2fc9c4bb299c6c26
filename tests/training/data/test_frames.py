"""Frames of clips whose frame size changes on the way, and what was mended."""

from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import TrainingError
from tests.training.clips import RATE_HZ, noise, numbered_frames, numbers_of, write_clip
from training.data.cache import load_clip
from training.data.frames import read_frames
from training.data.video import ClipFormat


def changing(path: Path, width: int, height: int) -> Path:
    """Write a second of 64x48, and a second of another size, as joined recordings."""
    parts = [
        write_clip(path.with_name(f"{number}.ts"), numbered_frames(20, *size), noise(1.0))
        for number, size in enumerate([(64, 48), (width, height)])
    ]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def form(crop: tuple[int, int, int, int] | None = None) -> ClipFormat:
    return ClipFormat(fps=20, image_size=16, sample_rate_hz=RATE_HZ, crop=crop)


@pytest.mark.parametrize("crop", [None, (0, 0, 64, 48)])
def test_a_clip_goes_on_in_another_size(tmp_path: Path, crop: tuple[int, int, int, int] | None) -> None:
    path = changing(tmp_path / "clip.ts", 32, 24)
    frames = list(read_frames(path, form(crop)))

    assert numbers_of(np.stack(frames)) == [*range(20), *range(20)]
    assert any("changes from 64x48 to 32x24 at" in notice for notice in load_clip(path, form(crop), tmp_path).mended)


def test_a_crop_that_no_longer_fits_is_a_sentence(tmp_path: Path) -> None:
    path = changing(tmp_path / "clip.ts", 32, 32)
    with pytest.raises(TrainingError, match=r"changes from 64x48 to 32x32 at 1\.\d\d s and then cannot hold the crop"):
        list(read_frames(path, form((20, 0, 40, 40))))


@pytest.mark.parametrize(("fps", "is_told"), [(2, True), (10, True), (12, False), (20, False)])
def test_a_film_of_fewer_frames_than_the_model_is_told(fps: int, is_told: bool, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", numbered_frames(3 * fps, 64, 48), noise(3.0), fps=fps)
    mended = load_clip(path, form(), tmp_path / "cache").mended
    expected = f"clip.mp4 has about {fps} frames a second for a model of 20, so frames repeat"
    assert [notice.startswith(expected) for notice in mended] == [True] * is_told
