"""Contact sheets and sample videos."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.clips import RATE_HZ, numbered_frames, numbers_of
from training.data.clip_sound import read_sound
from training.data.frames import read_frames
from training.data.video import ClipFormat
from training.logging.samples import animation, contact_sheet, side_by_side, write_video


def test_a_sample_video_holds_the_frames_in_time_with_the_sound(tmp_path: Path) -> None:
    sound = np.zeros(RATE_HZ, np.float32)
    sound[8000:8040] = 0.8
    write_video(tmp_path / "sample.mp4", numbered_frames(20), sound, 20, RATE_HZ)
    read = ClipFormat(fps=20, image_size=16, sample_rate_hz=RATE_HZ)
    assert numbers_of(np.stack(list(read_frames(tmp_path / "sample.mp4", read)))) == list(range(20))
    assert abs(int(np.abs(read_sound(tmp_path / "sample.mp4", RATE_HZ)).argmax()) - 8020) < 40
    (tmp_path / "taken.mp4").mkdir()
    with pytest.raises(IsADirectoryError):
        write_video(tmp_path / "taken.mp4", numbered_frames(2), sound, 20, RATE_HZ)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sample.mp4", "taken.mp4"]


def test_a_contact_sheet_shows_real_above_generated() -> None:
    real, fake = numbered_frames(20, 4, 4), np.zeros((20, 4, 4, 3), np.uint8)
    sheet = contact_sheet(real, fake, columns=5)
    assert sheet.shape == (8, 20, 3)
    assert [int(sheet[0, 4 * column, 0]) for column in (0, 4)] == [int(real[0].max()), int(real[19].max())]
    assert not sheet[4:].any()


def test_real_is_on_the_left_and_an_animation_is_small() -> None:
    real, fake = numbered_frames(200, 400, 16), np.zeros((200, 16, 400, 3), np.uint8)
    both = side_by_side(real, fake, seconds=8.0, fps=20)
    assert both.shape == (160, 16, 800, 3)
    assert not both[:, :, 400:].any()
    frames, fps = animation(both, 20)
    assert (frames.shape, fps) == ((50, 8, 384, 3), 10.0)
