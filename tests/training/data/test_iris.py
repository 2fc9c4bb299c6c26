"""The iris is held at its root and free at the pupil; low sound widens it, and each lamp lights its own side."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.scenes.iris import NARROWEST, PUPIL_B, REST, WIDEST, along, iris_motion, move_iris, omega_X
from training.data.scenes.iris_light import iris_stage, light_iris, unrolled_iris
from training.data.scenes.sound_force import SIX_BANDS, STEPS_PER_S

RATE_HZ = 16_000


def tone(hz: float) -> np.ndarray:
    return (0.6 * np.sin(2 * np.pi * hz * np.arange(2 * RATE_HZ) / RATE_HZ)).astype(np.float32)


def test_low_sound_widens_the_pupil_and_high_sound_does_not() -> None:
    low, high = (iris_motion(tone(hz), RATE_HZ).pupil_K for hz in (70.0, 5000.0))
    assert low[-1] > REST + 0.05
    assert high[-1] < REST + 0.005


def test_steady_sound_holds_the_pupil_where_its_band_does_and_within_bounds() -> None:
    for index, reach in enumerate(PUPIL_B):
        force_SB = np.zeros((6 * STEPS_PER_S, len(SIX_BANDS)), np.float32)
        force_SB[:, index] = 1.0
        assert move_iris(force_SB).pupil_K[-1] == pytest.approx(REST + reach, abs=2e-3)
    loudest_K = move_iris(np.full((2 * STEPS_PER_S, len(SIX_BANDS)), 1.1, np.float32)).pupil_K
    assert loudest_K.min() >= NARROWEST
    assert loudest_K.max() <= WIDEST


def test_fibres_are_held_at_the_root_and_level_at_the_pupil() -> None:
    rho = np.linspace(0.0, 1.0, 1001, dtype=np.float32)
    for half_waves in (1, 2, 3):
        shape = along(half_waves, rho)
        assert shape[-1] == pytest.approx(0.0, abs=1e-6)
        assert abs(shape[0]) == pytest.approx(1.0)
        assert abs(shape[1] - shape[0]) < 1e-4
    assert omega_X().max() < 2.0 * np.pi * 10.0  # below half of 20 frames a second


def test_the_unrolled_iris_closes_around() -> None:
    drawn = unrolled_iris()
    seam = np.abs(drawn[:, 0] - drawn[:, -1]).mean()
    assert seam < 2.0 * np.abs(np.diff(drawn, axis=1)).mean()


def test_each_lamp_lights_its_own_side() -> None:
    stage = iris_stage(72, 72)
    still_X, dark_B = np.zeros(len(omega_X()), np.float32), np.zeros(len(SIX_BANDS), np.float32)
    dark = light_iris(stage, REST, 0.0, still_X, dark_B).astype(int)
    gained = []
    for band in range(len(SIX_BANDS)):
        glow_B = dark_B.copy()
        glow_B[band] = 1.0
        gain = (light_iris(stage, REST, 0.0, still_X, glow_B).astype(int) - dark).sum(axis=2)
        rows, columns = np.mgrid[0:72, 0:72]
        gained.append(np.arctan2((gain * (rows - 35.5)).sum(), (gain * (columns - 35.5)).sum()))
    turns = np.diff(np.unwrap(gained))
    np.testing.assert_allclose(turns, 2.0 * np.pi / len(SIX_BANDS), atol=0.35)
