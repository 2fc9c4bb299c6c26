"""Scene cuts are found, and flashes, dissolves and motion are not taken for cuts."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.clips import RATE_HZ, moving_clip, noise, numbered_frames, shots, write_clip
from training.data.cache import load_clip
from training.data.scene_cuts import SceneCutDetector
from training.data.video import ClipFormat

FORMAT = ClipFormat(fps=20, image_size=32, sample_rate_hz=RATE_HZ)


def cuts_of(frames_NHWC: NDArray[np.uint8], fps: int = 20) -> tuple[float, ...]:
    finder = SceneCutDetector(fps)
    for frame in frames_NHWC:
        finder.add(frame)
    return finder.cuts_s()


@pytest.mark.parametrize("begin", [(), (1,), (30,), (59,), (12, 30, 45), (30, 33, 36)])
def test_every_cut_is_found_at_its_frame(begin: tuple[int, ...]) -> None:
    assert cuts_of(shots(60, begin)) == tuple(k / 20 for k in begin)


def test_times_are_in_seconds_at_any_rate() -> None:
    assert cuts_of(shots(60, (30,)), fps=25) == (1.2,)


def flashing(count: int) -> NDArray[np.uint8]:
    """Return one view whose light jumps between a third and full."""
    view = shots(1, ())[0].astype(float)
    light = np.where(np.random.default_rng(2).random(count) < 0.2, 1.0, 0.35)
    return (view * light[:, None, None, None]).astype(np.uint8)


def inverted_for_one_frame() -> NDArray[np.uint8]:
    frames = shots(60, ())
    frames[30] = 255 - frames[30]
    return frames


def static(count: int) -> NDArray[np.uint8]:
    """Return unrelated frames, each as far from its neighbours as the others."""
    return np.random.default_rng(3).integers(0, 256, (count, 24, 24, 3)).astype(np.uint8)


def dissolving(count: int) -> NDArray[np.uint8]:
    one, other = shots(1, (), seed=1)[0].astype(float), shots(1, (), seed=2)[0].astype(float)
    return np.stack([one + (other - one) * k / (count - 1) for k in range(count)]).astype(np.uint8)


@pytest.mark.parametrize(
    "frames",
    [
        flashing(100),
        inverted_for_one_frame(),
        static(100),
        dissolving(40),
        numbered_frames(100),
        shots(1, ()),
        shots(60, (30,), size=16),
    ],
    ids=["flashing light", "one odd frame", "noise", "dissolve", "plain frames", "one frame", "too coarse"],
)
def test_other_changes_are_not_taken_for_cuts(frames: NDArray[np.uint8]) -> None:
    assert cuts_of(frames) == ()


def test_a_change_from_a_plain_frame_to_a_scene_is_a_cut() -> None:
    assert cuts_of(np.concatenate([np.zeros((20, 32, 32, 3), np.uint8), shots(20, ())])) == (1.0,)


def test_a_clip_reports_the_times_of_its_cuts_also_from_the_cache(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "cuts.mp4", shots(60, (20, 44), size=64), noise(3.0))
    for _ in range(2):
        clip = load_clip(path, FORMAT, tmp_path / "cache")
        assert clip.cuts_s == (1.0, 2.2)
        (notice,) = clip.notices()
        assert f"{path}: scene cuts at 1 s and 2.2 s;" in notice
        assert clip.longest_shot_s() == (1.0, 2.2)


def test_an_object_that_moves_in_front_of_a_plain_background_is_no_cut(tmp_path: Path) -> None:
    clip = load_clip(moving_clip(tmp_path / "clip.mp4"), FORMAT, tmp_path / "cache")
    assert (clip.cuts_s, clip.notices()) == ((), [])
