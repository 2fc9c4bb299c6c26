"""Sound windows, frames and the split."""

import numpy as np
import pytest

from engine.core.errors import TrainingError
from tests.training.clips import RATE_HZ, noise, numbered_frames
from training.data.video import Clip, ClipFormat
from training.data.windows import FrameRange, WindowTiming, frame_tensor, sound_windows, split, split_off_tuning

FORMAT = ClipFormat(fps=20, image_size=16, sample_rate_hz=RATE_HZ)
TIMING = WindowTiming(window_samples=1360, hop_samples=800)


def test_window_k_ends_at_the_end_of_hop_k() -> None:
    sound = np.arange(1, 4001, dtype=np.float32)
    windows = sound_windows(sound, 0, 5, TIMING)
    assert windows.shape == (5, 1360)
    assert windows[:, -1].tolist() == [800, 1600, 2400, 3200, 4000]
    assert not windows[0, : 1360 - 800].any()
    assert np.array_equal(windows[1], sound[240:1600])


def test_windows_do_not_depend_on_where_reading_starts() -> None:
    sound = noise(1.0)[0]
    ahead = WindowTiming(window_samples=1520, hop_samples=800, look_ahead_samples=1320)
    whole = sound_windows(sound, 0, 20, ahead)
    assert np.array_equal(
        np.concatenate([sound_windows(sound, 0, 7, ahead), sound_windows(sound, 7, 13, ahead)]), whole
    )
    assert whole[3, -1] == sound[4 * 800 + 1320 - 1]
    assert not whole[-1, -1320:].any()


def made_clip(count: int) -> Clip:
    return Clip(numbered_frames(count, 8, 8), np.zeros(count * 800, np.float32), FORMAT, "made.mp4")


def test_frames_are_scaled_to_plus_minus_one() -> None:
    clip = made_clip(4)
    clip.frames_NHWC[0], clip.frames_NHWC[1] = 0, 255
    read = frame_tensor(clip, 0, 2)
    assert read.shape == (2, 3, 8, 8)
    assert read[0].unique().tolist() == [-1.0]
    assert read[1].unique().tolist() == [1.0]


def test_the_last_fifth_is_held_out() -> None:
    assert split(made_clip(100), 16) == (FrameRange(0, 80), FrameRange(80, 100))


@pytest.mark.parametrize("count", [1, 5, 19])
def test_too_short_a_clip_says_how_long_it_must_be(count: int) -> None:
    with pytest.raises(TrainingError, match=rf"has {count} frames .* at least 20 are needed"):
        split(made_clip(count), 16)
    split(made_clip(20), 16)


@pytest.mark.parametrize(
    ("frames", "share", "expected"),
    [
        (200, 0.1, (FrameRange(0, 140), FrameRange(140, 160))),
        (200, 0.0, (FrameRange(0, 160), None)),
        (21, 0.1, (FrameRange(0, 16), None)),
        (30, 0.1, (FrameRange(0, 21), FrameRange(21, 24))),
    ],
    ids=["ten seconds", "as before", "too short for three parts", "short"],
)
def test_the_tuning_part_lies_between_the_training_and_the_held_out_part(
    frames: int, share: float, expected: tuple[FrameRange, FrameRange | None]
) -> None:
    trained, held_out = split(made_clip(frames), 16)
    assert split_off_tuning(trained, frames, share, 16) == expected
    assert held_out == FrameRange(trained.end, frames)
