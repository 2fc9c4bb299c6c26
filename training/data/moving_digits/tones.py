"""Telephone tones: each digit has its own, and a bounce has another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# N frames, S samples of sound

ROWS_HZ, COLUMNS_HZ = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
KEYS = "123A456B789C*0#D"
"""Four in a row of the telephone's keypad (ITU-T Q.23)."""
EDGE_KEY, OBSTACLE_KEY = "#", "*"
RAMP_S = 0.004
"""A tone takes so long to begin and to end, so that it does not click."""


def frequencies_hz(key: str) -> tuple[int, int]:
    """Return the two tones of a key."""
    place = KEYS.index(key)
    return ROWS_HZ[place // 4], COLUMNS_HZ[place % 4]


def key_tones(
    keys: Sequence[str], levels_N: NDArray[np.float64], hop_samples: int, sample_rate_hz: int
) -> NDArray[np.float64]:
    """Return the sound [S] in which frame n's key sounds at level n, from 0 to 1, for a hop of samples.

    The phase of a key goes on while others sound, so only its loudness changes at the borders.
    """
    time_S = np.arange(len(keys) * hop_samples) / sample_rate_hz
    sound_S = np.zeros(len(time_S))
    ramp = max(1, round(RAMP_S * sample_rate_hz))
    for key in dict.fromkeys(keys):
        sounding_N = np.array([key == each for each in keys])
        loudness_S = np.repeat(np.where(sounding_N, levels_N, 0.0), hop_samples)
        # A mean over the samples up to now: nothing is heard before its time.
        total = np.concatenate([np.zeros(ramp), np.cumsum(loudness_S)])
        loudness_S = (total[ramp:] - total[:-ramp]) / ramp
        low_hz, high_hz = frequencies_hz(key)
        tone_S = np.sin(2.0 * np.pi * low_hz * time_S) + np.sin(2.0 * np.pi * high_hz * time_S)
        sound_S += 0.5 * loudness_S * tone_S
    return sound_S
