"""Clicks, flashes and their offset, on synthetic recordings with a known offset."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.errors import ConfigError
from engine.ops.calibration.detection import Offset, click_times_s, flash_times_s, flashing_brightness, pair_offset

RATE_HZ = 48000
SECONDS = 20.0


def random_times_s(seed: int, count: int = 30) -> np.ndarray:
    return 0.5 + np.cumsum(np.random.default_rng(seed).uniform(0.4, 0.9, count))


def sound_with_clicks(times_s: np.ndarray, noise: float, hum: float = 0.0) -> np.ndarray:
    generator = np.random.default_rng(1)
    seconds = times_s[-1] + 1.0
    time_T = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    sound_T = noise * generator.standard_normal(len(time_T)) + hum * np.sin(2 * np.pi * 50 * time_T)
    for time_s in times_s:
        start = round(time_s * RATE_HZ)
        ringing = np.exp(-np.arange(2400) / 200) * generator.uniform(-1, 1, 2400)
        sound_T[start : start + 2400] += 0.4 * ringing
    return sound_T.astype(np.float32)


def filmed(times_s: np.ndarray, fps: float, exposure: float, lit_s: float = 0.15, dark: float = 20.0) -> tuple:
    """Return brightness and times of frames that integrate the light over `exposure` of their interval."""
    moments_s = np.arange(0.0, times_s[-1] + 1.0, 1.0 / fps)
    fine = np.linspace(0.0, exposure / fps, 20)
    lit = [
        np.mean([np.any((t + fine_s >= times_s) & (t + fine_s < times_s + lit_s)) for fine_s in fine])
        for t in moments_s
    ]
    grain = np.random.default_rng(2).normal(0.0, 1.0, len(lit))
    return dark + 180.0 * np.asarray(lit) + grain, moments_s + exposure / fps / 2


@pytest.mark.parametrize(("noise", "hum"), [(0.0, 0.0), (0.01, 0.0), (0.003, 0.3)])
def test_clicks_are_found_to_the_millisecond(noise: float, hum: float) -> None:
    times_s = random_times_s(0)
    found = click_times_s(sound_with_clicks(times_s, noise, hum), RATE_HZ)
    assert len(found) == len(times_s)
    assert np.abs(np.asarray(found) - times_s).max() < 0.0015


@pytest.mark.parametrize("sound_T", [np.zeros(48000, np.float32), np.zeros(0, np.float32), np.ones(1, np.float32)])
def test_silence_holds_no_click(sound_T: np.ndarray) -> None:
    assert click_times_s(sound_T, RATE_HZ) == []


@pytest.mark.parametrize("fps", [24, 25, 30, 60])
@pytest.mark.parametrize("exposure", [0.1, 0.9])
def test_the_offset_of_a_film_is_more_exact_than_its_frame_interval(fps: float, exposure: float) -> None:
    clicks_s = random_times_s(3)
    brightness_T, times_s = filmed(clicks_s + 0.087, fps, exposure)
    flashes_s = flash_times_s(brightness_T, times_s)
    assert len(flashes_s) == len(clicks_s)
    offset = pair_offset(clicks_s.tolist(), flashes_s, 0.05 + 1.0 / fps)
    assert offset.pairs == len(clicks_s)
    assert offset.median_s == pytest.approx(0.087, abs=0.25 / fps)
    assert offset.uncertainty_s < 0.25 / fps


def test_missing_and_false_clicks_and_flashes_do_not_matter() -> None:
    generator = np.random.default_rng(4)
    clicks_s = random_times_s(5, 40)
    flashes_s = np.delete(clicks_s + 0.12 + generator.uniform(-0.02, 0.02, 40), [3, 4, 17])
    clicks_s = np.sort(np.append(np.delete(clicks_s, [9, 30]), generator.uniform(0, 20, 8)))
    flashes_s = np.sort(np.append(flashes_s, generator.uniform(0, 20, 6)))
    offset = pair_offset(clicks_s.tolist(), flashes_s.tolist(), 0.05)
    assert offset.median_s == pytest.approx(0.12, abs=0.01)
    assert offset.pairs >= 34


def test_light_may_come_first() -> None:
    clicks_s = random_times_s(6)
    assert pair_offset(clicks_s.tolist(), (clicks_s - 0.05).tolist(), 0.05).median_s == pytest.approx(-0.05)


@pytest.mark.parametrize(("clicks", "flashes"), [(0, 30), (30, 0), (3, 3), (30, 30)])
def test_unrelated_clicks_and_flashes_are_refused(clicks: int, flashes: int) -> None:
    generator = np.random.default_rng(7)
    with pytest.raises(ConfigError, match="belong together"):
        pair_offset(sorted(generator.uniform(0, 20, clicks)), sorted(generator.uniform(0, 20, flashes)), 0.02)


def test_a_constant_frame_holds_no_flash() -> None:
    grain = np.random.default_rng(8).normal(100.0, 1.0, 300)
    assert flash_times_s(grain, np.arange(300) / 30) == []
    assert flash_times_s(grain[:2], np.arange(2) / 30) == []


def test_only_the_flashing_part_of_the_frame_counts() -> None:
    patches_TN = np.random.default_rng(9).normal(60.0, 2.0, (100, 12)).astype(np.float32)
    patches_TN[40:50, 5] = 200.0
    assert flashing_brightness(patches_TN) == pytest.approx(patches_TN[:, 5])


def test_uncertainty_falls_with_the_number_of_pairs() -> None:
    few, many = (Offset(median_s=0.1, spread_s=0.02, pairs=n, clicks=n, flashes=n) for n in (9, 36))
    assert few.uncertainty_s == pytest.approx(2 * many.uncertainty_s)
