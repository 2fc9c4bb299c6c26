"""Flames draw the standing waves of the sound in the pipe."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.scenes.flames import LOWEST_HZ, REST, flame_motion, places

RATE_HZ = 16_000


@pytest.mark.parametrize("mode", [2, 4, 8])
def test_a_tone_of_the_pipe_stands_in_as_many_half_waves(mode: int) -> None:
    times_s = np.arange(RATE_HZ) / RATE_HZ
    height_F = flame_motion(
        (0.5 * np.sin(2 * np.pi * mode * LOWEST_HZ * times_s)).astype(np.float32), RATE_HZ
    ).height_KF[-1]
    wave_F = np.cos(mode * np.pi * places()) ** 2
    assert np.corrcoef(height_F, wave_F)[0, 1] > 0.85
    assert height_F[wave_F > 0.9].mean() > 1.5 * height_F[wave_F < 0.1].mean()


def test_flames_rest_low_in_silence_and_stay_below_the_highest() -> None:
    silent = flame_motion(np.zeros(RATE_HZ, np.float32), RATE_HZ)
    np.testing.assert_allclose(silent.height_KF, REST)
    assert not silent.lean_KF.any()
    loud = flame_motion(np.random.default_rng(0).uniform(-1, 1, RATE_HZ).astype(np.float32), RATE_HZ)
    assert REST < float(loud.height_KF[-1].min()) <= float(loud.height_KF.max()) <= 1.0
