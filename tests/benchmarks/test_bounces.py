"""Turns of a bright square: at a bounce, elsewhere, and where nothing can be seen."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmarks.bounces import Turns, alone, counted, elsewhere, places

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


def test_neighbouring_bounces_do_not_count() -> None:
    assert alone([4, 6, 12, 20], 5, 20) == [12]
    assert elsewhere([4, 12], 2, 16) == [7, 8, 9]


def test_shares_of_nothing_are_zero() -> None:
    assert (Turns(0, 0, 0, 0).share, Turns(0, 0, 0, 0).share_elsewhere) == (0.0, 0.0)
