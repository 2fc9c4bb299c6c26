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


def kicks(count: int = 100, every: int = 10, lasts: int = 6, colour: bool = True) -> NDArray[np.uint8]:
    """Return a dark view that a light fills at every kick and leaves within `lasts` frames, while patches drift."""
    views, rows = shots(count, ()).astype(float), np.arange(32)[:, None, None]
    light = np.asarray([250.0, 120.0, 200.0] if colour else [250.0] * 3) * (0.6 + 0.4 * np.cos(rows / 5.0))
    strength = np.exp(-np.maximum(np.arange(count) % every, 0) / 1.5)
    strength[np.arange(count) % every >= lasts] = 0.0
    strength[:every] = 0.0
    return np.stack([0.25 * v * (1 - s) + light * s for v, s in zip(views, strength, strict=True)]).astype(np.uint8)


def strobe(count: int = 60, shown: int = 4) -> NDArray[np.uint8]:
    """Return one view over which a bright pattern is laid for `shown` frames, twice."""
    frames, pattern = shots(1, ()).repeat(count, axis=0), shots(1, (), seed=9)[0] // 4 + 190
    for begin in (5, 35):
        frames[begin : begin + shown] = pattern
    return frames


def lit_for_a_second() -> NDArray[np.uint8]:
    """Return one view whose light is a fifth, then full for longer than any flash, then a fifth again."""
    light = np.where((np.arange(60) >= 20) & (np.arange(60) < 40), 1.0, 0.2)
    return (shots(1, ()) * light[:, None, None, None]).astype(np.uint8)


def strings_that_light_up() -> NDArray[np.uint8]:
    """Return a dark view with grey lines, half of which glow in a colour for two seconds."""
    frames = np.full((100, 48, 48, 3), 10, np.uint8)
    places = (5, 13, 18, 27, 33, 42)
    for place in places:
        frames[:, :, place : place + 2] = 60
    for place in places[::2]:
        frames[30:70, :, place : place + 2] = (250, 160, 60)
    return frames


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
        kicks(),
        kicks(colour=False),
        kicks(102, every=7, lasts=3),
        strobe(),
        strobe(shown=11),
        lit_for_a_second(),
        strings_that_light_up(),
        inverted_for_one_frame(),
        static(100),
        dissolving(40),
        numbered_frames(100),
        shots(1, ()),
        shots(60, (30,), size=16),
    ],
    ids=[
        "flashing light",
        "coloured kicks",
        "white kicks",
        "quick kicks",
        "strobe",
        "longest flash",
        "light switched on",
        "strings that light up",
        "one odd frame",
        "noise",
        "dissolve",
        "plain frames",
        "one frame",
        "too coarse",
    ],
)
def test_other_changes_are_not_taken_for_cuts(frames: NDArray[np.uint8]) -> None:
    assert cuts_of(frames) == ()


def test_a_cut_between_flashes_is_found() -> None:
    """In the middle another view is lit by the same kicks."""
    frames = np.concatenate([kicks()[:55], kicks()[45:][:, ::-1, ::-1, ::-1]])
    assert cuts_of(frames) == (2.75,)


def test_a_view_that_comes_back_after_longer_than_a_flash_was_cut_away() -> None:
    assert cuts_of(strobe(shown=13)) == (0.25, 0.9, 1.75, 2.4)


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
