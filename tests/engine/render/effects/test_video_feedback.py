"""Video feedback: how it fades, grows, turns and ends."""

from __future__ import annotations

import numpy as np
import pytest

from engine.render.effects.chain import EffectChain
from engine.render.effects.effect_parameters import EffectParameters


@pytest.mark.parametrize("fps", [20, 60])
def test_feedback_grows_and_fades_by_time_and_not_by_frames(fps: int) -> None:
    effect_chain, square = EffectChain(), np.zeros((128, 128, 3), np.uint8)
    square[48:80, 48:80] = 240
    parameters = EffectParameters(feedback=0.5, feedback_zoom=2.0, guarded=False)
    black = np.zeros_like(square)
    left_HWC = effect_chain.apply(square, parameters, 0.0)
    for n in range(1, round(0.2 * fps) + 1):
        left_HWC = effect_chain.apply(black, parameters, n / fps)
    assert abs(int(left_HWC[64, 64, 0]) - 240 * 0.5**2) <= 2
    wide = np.count_nonzero(left_HWC[64, :, 0] > 30)
    assert abs(wide - 32 * 2 ** (2.0 * 0.2)) <= 4


def test_feedback_turns_and_ends_with_its_parameter_and_with_a_blackout() -> None:
    bar = np.zeros((64, 64, 3), np.uint8)
    bar[30:34] = 255
    effect_chain, black = EffectChain(), np.zeros_like(bar)
    turning = EffectParameters(feedback=1.0, feedback_zoom=0.0, feedback_turn=1.0, guarded=False)
    effect_chain.apply(bar, turning, 0.0)
    upright = effect_chain.apply(black, turning, 0.25)
    assert upright[10, 32, 0] > 150 > 50 > upright[32, 10, 0]
    assert effect_chain.apply(black, EffectParameters(guarded=False), 0.3).max() == 0
    assert effect_chain.apply(black, turning, 0.35).max() == 0
    effect_chain.apply(bar, turning, 0.4)
    assert effect_chain.apply(bar, EffectParameters(feedback=1.0, brightness=0.0, guarded=False), 0.45).max() == 0
    assert effect_chain.apply(black, turning, 0.5).max() == 0


def test_after_a_long_gap_nothing_of_the_feedback_is_left() -> None:
    effect_chain, white = EffectChain(), np.full((16, 16, 3), 255, np.uint8)
    parameters = EffectParameters(feedback=1.0, feedback_zoom=4.0, guarded=False)
    effect_chain.apply(white, parameters, 0.0)
    assert effect_chain.apply(np.zeros_like(white), parameters, 500.0).max() == 0


def test_full_feedback_still_lets_new_frames_in() -> None:
    effect_chain, white = EffectChain(), np.full((32, 32, 3), 255, np.uint8)
    frames = [
        effect_chain.apply(
            np.zeros_like(white) if n < 5 else white, EffectParameters(feedback=1.0, guarded=False), n / 60
        )
        for n in range(240)
    ]
    assert frames[-1].mean() > 200
