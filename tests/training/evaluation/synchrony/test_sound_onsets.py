"""Onsets are librosa's, on sounds of known onsets."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from training.evaluation.synchrony.sound_onsets import RATE_HZ, onset_strength, pick_peaks, sound_onsets


def strokes(seed: int = 0, seconds: float = 6.0) -> tuple[np.ndarray, np.ndarray]:
    """Return a sound of decaying bursts over quiet noise and where they begin."""
    random = np.random.default_rng(seed)
    times_s = np.cumsum(random.uniform(0.25, 0.7, 12))
    times_s = times_s[times_s < seconds - 0.3]
    sound_S = 1e-3 * random.standard_normal(int(seconds * RATE_HZ))
    for time_s, level in zip(times_s, random.uniform(0.1, 0.8, len(times_s)), strict=True):
        length, first = int(0.2 * RATE_HZ), int(time_s * RATE_HZ)
        tone = np.sin(2 * np.pi * random.uniform(100, 4000) * np.arange(length) / RATE_HZ)
        sound_S[first : first + length] += level * np.exp(-np.arange(length) / 1500) * (tone + 0.3 * random.standard_normal(length))
    return sound_S.astype(np.float32), times_s


@pytest.mark.parametrize("seed", range(3))
def test_strength_and_onsets_are_librosas(seed: int) -> None:
    sound_S, _ = strokes(seed)
    theirs_N = librosa.onset.onset_strength(y=sound_S, sr=RATE_HZ)
    ours_N = onset_strength(sound_S)
    assert ours_N == pytest.approx(theirs_N, abs=2e-3)
    assert pick_peaks(ours_N) == librosa.onset.onset_detect(onset_envelope=theirs_N, sr=RATE_HZ).tolist()


def test_onsets_are_found_within_a_column_and_a_half() -> None:
    sound_S, times_s = strokes(5)
    found_s = sound_onsets(sound_S)
    assert len(found_s) == len(times_s)
    assert np.abs(found_s - times_s).max() < 0.035


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.05, 2.0])
def test_silence_has_none(seconds: float) -> None:
    assert len(sound_onsets(np.zeros(int(seconds * RATE_HZ), np.float32))) == 0


def test_long_sounds_are_read_in_parts_without_a_seam() -> None:
    sound_S, _ = strokes(1)
    long_S = np.tile(sound_S, 6)
    theirs_N = librosa.onset.onset_strength(y=long_S, sr=RATE_HZ)
    assert onset_strength(long_S) == pytest.approx(theirs_N, abs=2e-3)
