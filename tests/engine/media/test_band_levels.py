"""Levels of blocks and bands."""

from __future__ import annotations

import numpy as np
import pytest

from engine.media.band_levels import BandMeter, averaged, decibels


@pytest.mark.parametrize(("rate_hz", "hop"), [(16000, 800), (24000, 400), (22050, 735), (8000, 400)])
def test_the_bands_of_a_block_add_up_to_its_power(rate_hz: int, hop: int) -> None:
    meter, sound_T = BandMeter(rate_hz, hop), np.random.default_rng(0).uniform(-1, 1, hop).astype(np.float32)
    powers_NK = meter.powers(sound_T)
    expected_N = [np.square(part, dtype=np.float64).mean() for part in np.split(sound_T, meter.edges[1:-1])]
    assert np.allclose(powers_NK.sum(axis=1), expected_N)
    assert powers_NK.shape[1] == len(meter.band_edges_hz) - 1


@pytest.mark.parametrize(("hz", "band"), [(110.0, 0), (500.0, 1), (1000.0, 2), (2000.0, 3), (4000.0, 4), (7000.0, 5)])
def test_a_tone_is_in_its_band(hz: float, band: int) -> None:
    tone_T = np.sin(2 * np.pi * hz * np.arange(800) / 16000).astype(np.float32)
    power_K = BandMeter(16000, 800).powers(tone_T).mean(axis=0)
    assert int(power_K.argmax()) == band
    assert decibels(power_K)[band] == pytest.approx(-3.0, abs=1.0)


def test_an_average_follows_within_its_time() -> None:
    averages = averaged(np.ones(200), 0.005, 0.4)
    assert averages[79] == pytest.approx(1 - np.exp(-1.0), rel=1e-6)
