"""When samples were captured, from the noisy capture times of blocks."""

from __future__ import annotations

import random

import pytest

from engine.audio.sample_clock import JUMP_S, SampleClock

RATE_HZ = 16000


def test_noise_of_the_capture_times_is_smoothed_and_a_drift_is_followed() -> None:
    clock, noise = SampleClock(RATE_HZ), random.Random(3)
    for block in range(3000):
        true_s = 50.0 + block * 0.01 * (1.0 + 50e-6)
        clock.observe(block * 160, true_s + noise.uniform(-0.01, 0.01))
        if block > 500:
            assert clock.time_s(block * 160) == pytest.approx(true_s, abs=0.002)


def test_a_pause_of_the_sound_moves_it_at_once() -> None:
    clock = SampleClock(RATE_HZ)
    assert not clock.is_known
    clock.observe(160, 1.0)
    clock.observe(320, 1.01)
    clock.observe(480, 1.02 + 2 * JUMP_S)
    assert clock.time_s(480) == pytest.approx(1.02 + 2 * JUMP_S)
    assert clock.time_s(480 + RATE_HZ) == pytest.approx(2.02 + 2 * JUMP_S)


def test_the_same_sample_again_changes_nothing() -> None:
    clock = SampleClock(RATE_HZ)
    clock.observe(160, 1.0)
    clock.observe(160, 1.04)
    assert clock.time_s(160) == 1.0
