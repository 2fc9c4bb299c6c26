"""Onsets are librosa's, on sounds of known onsets."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.synchrony import sound_onsets as onsets_module
from training.evaluation.synchrony.sound_onsets import RATE_HZ, onset_strength, pick_peaks, sound_onsets

OF_LIBROSA = [
    (0, [0.509, 0.479, 0.040, 0.891, 0.428], 1.6961, 29.659, [24, 40, 51, 63, 89, 117, 140, 165, 186, 215, 242]),
    (1, [0.307, 1.437, 0.086, 0.441, 0.134], 1.7795, 32.063, [21, 51, 64, 93, 110, 129, 156, 175, 196, 207, 233]),
    (2, [0.557, 0.503, 0.123, 0.053, 0.575], 1.8530, 32.478, [17, 33, 60, 72, 95, 120, 134, 146, 162, 185, 207, 221]),
]
"""Of these sounds, librosa 0.11.0's onset strength at columns 10, 50, 100, 150 and 200, its mean and maximum, and its onsets. Kept as
numbers, since its peak picker is compiled when it is first called, which takes longer than all tests of this folder."""


def strokes(seed: int = 0, seconds: float = 6.0) -> tuple[np.ndarray, np.ndarray]:
    """Return a sound of decaying bursts over quiet noise and where they begin."""
    random = np.random.default_rng(seed)
    times_s = np.cumsum(random.uniform(0.25, 0.7, 12))
    times_s = times_s[times_s < seconds - 0.3]
    sound_S = 2e-3 * random.random(int(seconds * RATE_HZ)) - 1e-3
    for time_s, level in zip(times_s, random.uniform(0.1, 0.8, len(times_s)), strict=True):
        length, first = int(0.2 * RATE_HZ), int(time_s * RATE_HZ)
        tone = np.sin(2 * np.pi * random.uniform(100, 4000) * np.arange(length) / RATE_HZ)
        sound_S[first : first + length] += (
            level * np.exp(-np.arange(length) / 1500) * (tone + 0.3 * random.random(length))
        )
    return sound_S.astype(np.float32), times_s


@pytest.mark.parametrize(("seed", "at_columns", "mean", "largest", "onsets"), OF_LIBROSA)
def test_strength_and_onsets_are_librosas(
    seed: int, at_columns: list[float], mean: float, largest: float, onsets: list[int]
) -> None:
    strength_N = onset_strength(strokes(seed)[0])
    assert strength_N[[10, 50, 100, 150, 200]] == pytest.approx(at_columns, abs=1e-3)
    assert (strength_N.mean(), strength_N.max()) == pytest.approx((mean, largest), abs=1e-3)
    assert pick_peaks(strength_N) == onsets


def test_onsets_are_found_within_a_column_and_a_half() -> None:
    sound_S, times_s = strokes(5)
    found_s = sound_onsets(sound_S)
    assert len(found_s) == len(times_s)
    assert np.abs(found_s - times_s).max() < 0.035


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.05, 2.0])
def test_silence_has_none(seconds: float) -> None:
    assert len(sound_onsets(np.zeros(int(seconds * RATE_HZ), np.float32))) == 0


def test_long_sounds_are_read_in_parts_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    sound_S, _ = strokes(1)
    long_S = np.tile(sound_S, 6)
    whole_N = onset_strength(long_S)
    monkeypatch.setattr(onsets_module, "COLUMNS_AT_ONCE", 100)
    assert onset_strength(long_S) == pytest.approx(whole_N, abs=1e-9)
    assert len(whole_N) == 1 + len(long_S) // 512
