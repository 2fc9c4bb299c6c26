"""Onsets of a sound as AV-Align takes them: librosa's onset strength and peak picking, with its default values.

Written out here, and tested against librosa, which training does not need otherwise. The method is that of S. Böck, F. Krebs,
M. Schedl, "Evaluating the Online Capabilities of Onset Detection Methods", ISMIR 2012, with the whole sound at hand. The engine's own
onsets (engine/audio/features/onsets.py) are those of a sound that still goes on, so they are others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.core.front_end import slaney_filters

# N columns of the spectrogram, S samples of sound, M mel bands

RATE_HZ = 22_050
COLUMN_SAMPLES, HOP_SAMPLES, BANDS = 2048, 512, 128
LOWEST_POWER, RANGE_DB = 1e-10, 80.0
COLUMNS_AT_ONCE = 1024
MAXIMUM_BEFORE, MEAN_BEFORE, MEAN_AFTER, WAIT = 1, 4, 5, 1
"""Columns around a peak: 30 ms and 100 ms, as librosa rounds them at this rate."""
THRESHOLD = 0.07

Series = NDArray[np.float64]


def onset_strength(sound_S: NDArray[np.float32]) -> Series:
    """Return how much louder the bands grow on average, in dB, at each column [N] of a sound at RATE_HZ."""
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(COLUMN_SAMPLES) / COLUMN_SAMPLES)
    filters_KM = slaney_filters(COLUMN_SAMPLES, RATE_HZ, 0.0, RATE_HZ / 2, BANDS).numpy()
    padded_S = np.pad(sound_S, COLUMN_SAMPLES // 2)
    columns = np.lib.stride_tricks.sliding_window_view(padded_S, COLUMN_SAMPLES)[::HOP_SAMPLES]
    parts = []
    for first in range(0, len(columns), COLUMNS_AT_ONCE):
        spectra = np.fft.rfft(columns[first : first + COLUMNS_AT_ONCE] * window)
        parts.append((np.square(spectra.real) + np.square(spectra.imag)) @ filters_KM)
    level_NM = 10.0 * np.log10(np.maximum(np.concatenate(parts), LOWEST_POWER))
    level_NM = np.maximum(level_NM, level_NM.max() - RANGE_DB)
    risen_N = np.maximum(np.diff(level_NM, axis=0), 0.0).mean(axis=1)
    # The first difference, and half a column that looks ahead of its time.
    late = 1 + COLUMN_SAMPLES // (2 * HOP_SAMPLES)
    return np.pad(risen_N, (late, 0))[: len(level_NM)]


def pick_peaks(strength_N: Series) -> list[int]:
    """Return the columns of the onsets."""
    lowest, highest = strength_N.min(), strength_N.max()
    if highest <= lowest:
        return []
    x = (strength_N - lowest) / (highest - lowest)
    found, column = list[int](), 0
    while column < len(x):
        is_highest = x[column] == x[max(0, column - MAXIMUM_BEFORE) : column + 1].max()
        mean = x[max(0, column - MEAN_BEFORE) : column + MEAN_AFTER].mean()
        if is_highest and x[column] >= mean + THRESHOLD:
            found.append(column)
            column += WAIT
        column += 1
    return found


def sound_onsets(sound_S: NDArray[np.float32]) -> Series:
    """Return the times in seconds at which onsets of a sound at RATE_HZ are found."""
    if len(sound_S) < HOP_SAMPLES:
        return np.zeros(0)
    return np.array(pick_peaks(onset_strength(sound_S)), np.float64) * HOP_SAMPLES / RATE_HZ
