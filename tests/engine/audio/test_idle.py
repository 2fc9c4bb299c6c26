"""Idle drift: a function of the sample number alone."""

from __future__ import annotations

import numpy as np
import pytest

from engine.audio.idle import DEEPEST_DB, drifted

RATE_HZ, WINDOW = 16000, 16000


def level_db(sound: np.ndarray) -> float:
    return float(10.0 * np.log10(np.mean(np.square(sound, dtype=np.float64))))


def test_a_sample_drifts_alike_in_every_window() -> None:
    sound = np.random.default_rng(0).uniform(-0.1, 0.1, 2 * WINDOW).astype(np.float32)
    first = drifted(sound[:WINDOW], WINDOW, RATE_HZ, 1.0, -40.0)
    second = drifted(sound[800 : WINDOW + 800], WINDOW + 800, RATE_HZ, 1.0, -40.0)
    assert np.allclose(first[800:], second[:-800], atol=1e-7)


def test_silence_swells_at_the_level_of_the_quiet_parts() -> None:
    swells = [drifted(np.zeros(WINDOW, np.float32), k * WINDOW, RATE_HZ, 1.0, -40.0) for k in range(1, 120)]
    assert level_db(np.concatenate(swells)) == pytest.approx(-40.0, abs=1.0)
    levels_db = [level_db(swell) for swell in swells]
    assert max(levels_db) - min(levels_db) > 6.0


def test_a_drone_moves_and_is_never_louder() -> None:
    drone = np.full(WINDOW, 0.5, np.float32)
    gains_db = [level_db(drifted(drone, k * WINDOW, RATE_HZ, 1.0, -200.0)) - level_db(drone) for k in range(1, 60)]
    assert -DEEPEST_DB - 0.1 <= min(gains_db) < -0.7 * DEEPEST_DB
    assert -0.3 * DEEPEST_DB < max(gains_db) <= 0.1
