"""Flicker of made frames: what moves in the clip does not count, what stands still does."""

import math

import numpy as np
import pytest

from engine.core.errors import TrainingError
from training.evaluation.metrics.flicker import UNSEEN_LEVELS, flicker

RANDOM = np.random.default_rng(4)
COUNT, SIDE = 12, 64


def clip_frames() -> np.ndarray:
    """Return grey frames whose left half changes by far from frame to frame, and whose right half stands still."""
    frames = np.full((COUNT, SIDE, SIDE, 3), 100, np.uint8)
    frames[:, :, : SIDE // 2] = (np.arange(COUNT) % 2 * 60 + 40)[:, None, None, None]
    return frames


def with_changes(levels: int, first: int, end: int) -> np.ndarray:
    """Return them with columns first … end that go up and down by so many levels."""
    frames = clip_frames()
    frames[:, :, first:end] += (np.arange(COUNT) % 2 * levels).astype(np.uint8)[:, None, None, None]
    return frames


def test_the_clip_itself_flickers_as_the_clip() -> None:
    found = flicker(clip_frames(), clip_frames())
    assert (found.ratio, found.generated, found.share) == (1.0, 0.0, 0.5)


def test_changes_where_the_clip_moves_do_not_count() -> None:
    assert flicker(with_changes(50, 0, SIDE // 2), clip_frames()).generated == 0.0


@pytest.mark.parametrize("levels", [1, 4])
def test_changes_where_the_clip_stands_still_do(levels: int) -> None:
    found = flicker(with_changes(levels, SIDE // 2, SIDE), clip_frames())
    assert found.generated == pytest.approx(levels)
    assert found.ratio == pytest.approx(levels / UNSEEN_LEVELS)


def test_motion_that_comes_a_frame_late_is_no_flicker() -> None:
    """A bar sweeps over the clip and rests; its blocks count where it was not near in time."""
    frames = np.full((40, SIDE, SIDE, 3), 100, np.uint8)
    for index in range(40):
        left = min(max(index - 10, 0), 8) * 6
        frames[index, :, left : left + 8] = 220
    late = np.concatenate([frames[:1], frames[:-1]])
    found = flicker(late, frames)
    assert found.share > 0.5
    assert found.ratio == 1.0


def test_grain_of_the_clip_is_what_its_frames_are_compared_with() -> None:
    def grainy(deviation: float) -> np.ndarray:
        return np.clip(clip_frames() + RANDOM.normal(0.0, deviation, (COUNT, SIDE, SIDE, 3)), 0, 255).astype(np.uint8)

    assert flicker(grainy(1.0), grainy(1.0)).ratio == pytest.approx(1.0, abs=0.05)
    assert flicker(grainy(2.0), grainy(1.0)).ratio == pytest.approx(1.9, abs=0.2)


def test_where_nothing_stands_still_there_is_no_figure() -> None:
    moving = RANDOM.integers(0, 256, (4, SIDE, SIDE, 3)).astype(np.uint8)
    assert math.isnan(flicker(moving, moving).ratio)


@pytest.mark.parametrize(
    ("fake", "real", "part"),
    [(0, 0, "fewer than two"), (1, 1, "fewer than two"), (12, 1, "fewer than two"), (5, 12, "5 frames beside 12")],
)
def test_too_few_frames_and_lengths_that_differ_are_one_sentence(fake: int, real: int, part: str) -> None:
    with pytest.raises(TrainingError, match=part):
        flicker(clip_frames()[:fake], clip_frames()[:real])
