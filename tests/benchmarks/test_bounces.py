"""Turns of a bright square: at a bounce, elsewhere, and where nothing can be seen."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from benchmarks.bounces import Turns, alone, begin_of, bounce_frames, counted, elsewhere, places, without_obstacles
from training.data.moving_digits.labels import Bounce, ClipLabels, Obstacle

SIDE, SQUARE = 24, 6


def clip(columns: list[int], brightness: float = 1.0) -> Tensor:
    """Return frames [1, T, 3, H, W] in [-1, 1] of a square whose left edge stands in these columns."""
    frames = torch.full((1, len(columns), 3, SIDE, SIDE), -1.0)
    for t, column in enumerate(columns):
        frames[0, t, :, 4 : 4 + SQUARE, column : column + SQUARE] = 2.0 * brightness - 1.0
    return frames


THERE_AND_BACK = [2, 4, 6, 8, 10, 8, 6, 4, 2]
"""It moves the other way in frame 5 for the first time."""


def test_a_place_is_the_middle_of_what_is_bright() -> None:
    found = places(clip([3, 9]))[0]
    assert found[:, 0].tolist() == pytest.approx([5.5, 11.5])
    assert found[:, 1].tolist() == pytest.approx([6.5, 6.5])


@pytest.mark.parametrize(("bounce", "answered"), [(3, 0), (4, 1), (5, 1), (6, 0)])
def test_a_turn_answers_a_bounce_in_its_frame_or_the_next(bounce: int, answered: int) -> None:
    assert counted(places(clip(THERE_AND_BACK)), [[bounce]], 2)[:2] == (answered, 1)


def test_turns_far_from_any_bounce_are_counted_for_themselves() -> None:
    trembling = places(clip([8, 10] * 5))
    assert counted(trembling, [[]], 2) == Turns(0, 0, 7, 7)
    straight = places(clip(list(range(2, 16))))
    assert counted(straight, [[6]], 2) == Turns(0, 1, 0, 6)


def test_what_cannot_be_seen_does_not_turn() -> None:
    dim = counted(places(clip(THERE_AND_BACK, brightness=0.2)), [[5]], 2)
    assert (dim.answered, dim.bounces) == (0, 1)


def test_bounces_of_one_kind_count_alone_and_have_neighbours_of_both() -> None:
    found = places(clip(THERE_AND_BACK))
    assert counted(found, [[5]], 2, [[]])[:2] == (0, 0)
    assert counted(found, [[5]], 2, [[5]])[:2] == (1, 1)
    assert counted(found, [[5, 6]], 2, [[5]])[:2] == (0, 0)


def test_an_obstacle_has_no_part_in_the_place() -> None:
    frames = clip([3, 9])
    frames[..., 14:20, 16:22] = 1.0
    frames[..., 13:21, 15:23] = frames[..., 13:21, 15:23].clamp_min(-0.2)
    seen = without_obstacles(frames, [Obstacle(frame=11, place=(16.0, 14.0), size=6)])
    assert torch.equal(places(seen), places(clip([3, 9])))
    assert torch.equal(without_obstacles(frames, [None]), frames)


def test_the_context_begins_where_the_obstacle_is_there() -> None:
    bounces = [
        Bounce(frame=frame, time_s=frame / 10, digit=0, against=against)
        for frame, against in ((14, "edge"), (20, "obstacle"))
    ]

    known = ClipLabels(
        recipe="M3SO",
        digits=(7,),
        places=(),
        bounces=tuple(bounces),
        obstacle=Obstacle(frame=11, place=(0.0, 0.0), size=12),
        seed=0,
        number=0,
        size=48,
        fps=10,
        sample_rate_hz=16000,
        digit_size=21,
    )
    assert begin_of(known) == 11
    assert bounce_frames([known]) == [[3, 9]]
    assert bounce_frames([known], "obstacle") == [[9]]
    assert begin_of(replace(known, obstacle=None)) == 0


def test_neighbouring_bounces_do_not_count() -> None:
    assert alone([4, 6, 12, 20], 5, 20) == [12]
    assert elsewhere([4, 12], 2, 16) == [7, 8, 9]


def test_shares_of_nothing_are_undefined() -> None:
    nothing = Turns(0, 0, 0, 0)
    assert math.isnan(nothing.share)
    assert math.isnan(nothing.share_elsewhere)
    assert (Turns(0, 2, 0, 3).share, Turns(0, 2, 0, 3).share_elsewhere) == (0.0, 0.0)
