"""Fades: how long, with which shares, and what the mix looks like."""

from __future__ import annotations

import numpy as np
import pytest

from engine.model.crossfade import CrossfadePlan, mix_light, plan_crossfade


def test_a_fade_has_its_length_where_two_steps_fit_into_a_hop() -> None:
    assert plan_crossfade(2.0, 0.05, 0.02) == CrossfadePlan(40, False)
    assert plan_crossfade(2.0, 0.05, None) == CrossfadePlan(40, False)
    assert plan_crossfade(0.0, 0.05, 0.02) == CrossfadePlan(0, False)


def test_where_they_do_not_the_old_picture_stands_still_and_not_for_long() -> None:
    assert plan_crossfade(2.0, 0.05, 0.06) == CrossfadePlan(10, True)
    assert plan_crossfade(0.2, 0.05, 0.06) == CrossfadePlan(4, True)


def test_shares_rise_gently_from_the_first_hop_to_the_whole() -> None:
    assert [CrossfadePlan(3, False).share(k) for k in range(5)] == [0.15625, 0.5, 0.84375, 1.0, 1.0]
    assert CrossfadePlan(0, False).share(0) == 1.0


def test_the_ends_of_a_mix_are_the_pictures_themselves() -> None:
    old, new = (np.random.default_rng(n).integers(0, 256, (6, 8, 3), dtype=np.uint8) for n in (1, 2))
    assert mix_light(old, new, 0.0) is old
    assert mix_light(old, new, 1.0) is new


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_picture_mixed_with_itself_is_itself_in_every_level(share: float) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    assert np.array_equal(mix_light(levels, levels.copy(), share), levels)


def test_half_of_black_and_white_is_half_of_the_light() -> None:
    black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    assert mix_light(black, white, 0.5).tolist() == np.full((2, 2, 3), 188).tolist()
