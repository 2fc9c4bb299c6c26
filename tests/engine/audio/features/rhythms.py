"""Sounds whose onsets and beats are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.audio.features.analyser import FeatureAnalyser
from engine.audio.features.audio_features import AudioFeatures

RATE_HZ = 16000

Sound = NDArray[np.float32]


def hits_at(times_s: list[float], seconds: float, rate_hz: int = RATE_HZ) -> Sound:
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


def heard(sound_T: Sound, rate_hz: int = RATE_HZ, block: int = 160) -> tuple[FeatureAnalyser, list[AudioFeatures]]:
    """Play all of it, and return the meter and what was newest after each block."""
    meter = FeatureAnalyser(rate_hz)
    pulses: list[AudioFeatures] = []
    for begin in range(0, len(sound_T), block):
        meter.hear(sound_T[begin : begin + block])
        pulses.append(meter.newest())
    return meter, pulses


def off_beat(audio_features: AudioFeatures, bpm: float, first_s: float = 0.2, rate_hz: int = RATE_HZ) -> float:
    """How far the pulse's beat is from the beat that began at `first_s`, in beats."""
    wanted = (audio_features.end_sample / rate_hz - first_s) * bpm / 60.0
    return (audio_features.beats - wanted + 0.5) % 1.0 - 0.5
