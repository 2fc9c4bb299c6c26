"""Sounds whose onsets and beats are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.audio.features.analyser import FeatureAnalyser
from engine.audio.features.audio_features import AudioFeatures

RATE_HZ = 16000

Sound = NDArray[np.float32]


def bursts_at(times_s: list[float], seconds: float, rate_hz: int = RATE_HZ) -> Sound:
    """Short bursts of noise."""
    burst_T = np.random.default_rng(7).standard_normal(rate_hz // 50) * np.exp(
        -np.arange(rate_hz // 50) * 300 / rate_hz
    )
    sound_T = np.zeros(round(seconds * rate_hz))
    for time_s in times_s:
        begin = round(time_s * rate_hz)
        sound_T[begin : begin + len(burst_T)] += 0.3 * burst_T[: len(sound_T) - begin]
    return sound_T.astype(np.float32)


def beats_at(bpm: float, seconds: float, first_s: float = 0.2) -> list[float]:
    return np.arange(first_s, seconds - 0.1, 60.0 / bpm).tolist()


def analyse(sound_T: Sound, rate_hz: int = RATE_HZ, block: int = 160) -> tuple[FeatureAnalyser, list[AudioFeatures]]:
    """Feed all of it; return the analyser and the latest features after each block."""
    analyser = FeatureAnalyser(rate_hz)
    features: list[AudioFeatures] = []
    for begin in range(0, len(sound_T), block):
        analyser.feed(sound_T[begin : begin + block])
        features.append(analyser.latest())
    return analyser, features


def beat_error(audio_features: AudioFeatures, bpm: float, first_s: float = 0.2, rate_hz: int = RATE_HZ) -> float:
    """Return the error of the beat clock in beats; the true first beat is at `first_s`."""
    wanted = (audio_features.end_sample / rate_hz - first_s) * bpm / 60.0
    return (audio_features.beats - wanted + 0.5) % 1.0 - 0.5
