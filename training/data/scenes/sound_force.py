"""How scenes hear: the levels of bands of sound as forces, each from past sound alone.

Axes: T samples, S substeps, B bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

Array = NDArray[np.float32]

FRAMES_PER_S = 20
STEPS_PER_S = 200
QUIET_DB, LOUD_DB = -58.0, -2.0  # band levels at which a thing rests, and at which it is pushed with force 1
RELEASE_S = 0.06


@dataclass(frozen=True)
class SoundBand:
    """One band of sound."""

    low_hz: float
    high_hz: float
    gain_db: float  # music has less energy high up


SIX_BANDS = (
    SoundBand(35.0, 110.0, 0.0),
    SoundBand(110.0, 280.0, 2.0),
    SoundBand(280.0, 700.0, 4.0),
    SoundBand(700.0, 1700.0, 7.0),
    SoundBand(1700.0, 3800.0, 9.0),
    SoundBand(3800.0, 7500.0, 11.0),
)
"""All that a scene hears, an octave and a half or two in each."""


def substeps(fps: int) -> int:
    """Return the number of steps, of about 5 ms each, between two frames."""
    return max(1, round(STEPS_PER_S / fps))


def followed(power_SB: NDArray[np.float64], release_s: float, fps: int) -> NDArray[np.float64]:
    """Return what follows rises at once and decays exponentially, for every column."""
    keep = np.exp(-1.0 / (fps * substeps(fps) * release_s))
    followed_SB = np.empty_like(power_SB)
    now_B = np.zeros(power_SB.shape[1])
    for step, power_B in enumerate(power_SB):
        now_B = np.maximum(power_B, now_B * keep)
        followed_SB[step] = now_B
    return followed_SB


def band_force(sound_T: Array, rate_hz: int, bands: Sequence[SoundBand], fps: int = FRAMES_PER_S) -> Array:
    """Return the force of every band at every whole substep of the sound, `[S, B]`, 0 in silence, 1 when loud.

    Each force depends on past energy alone: a causal band filter, its power in 5 ms, a 60 ms release, decibels.
    """
    assert rate_hz >= 16_000, f"sound at {rate_hz} Hz does not hold the highest band; resample it"
    frames, steps = len(sound_T) * fps // rate_hz, substeps(fps)
    ends_S = np.arange(frames * steps + 1) * rate_hz // (fps * steps)
    power_SB = np.empty((frames * steps, len(bands)))
    for index, band in enumerate(bands):
        filters = butter(2, (band.low_hz, band.high_hz), "bandpass", fs=rate_hz, output="sos")
        energy_T = np.concatenate([[0.0], np.cumsum(sosfilt(filters, sound_T.astype(np.float64)) ** 2)])
        power_SB[:, index] = np.diff(energy_T[ends_S]) / np.diff(ends_S)
    level_db = 10.0 * np.log10(followed(power_SB, RELEASE_S, fps) + 1e-12) + [band.gain_db for band in bands]
    return (np.clip((level_db - QUIET_DB) / (LOUD_DB - QUIET_DB), 0.0, 1.1) ** 1.8).astype(np.float32)
