"""Levels of sound in bands and in short blocks: of the sound that a model was trained on, and of the sound of a show.

Both are measured here with the same blocks and bands, so that a level of one can be held against a level of the other.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# T samples of one hop, N blocks of a hop, K bands

BLOCK_S = 0.005
BAND_EDGES_HZ = (0.0, 300.0, 700.0, 1500.0, 3000.0, 6000.0)
"""Where each band begins. A block of 5 ms tells 200 Hz apart, so there are no finer ones."""
LEAST_POWER = 1e-12
"""-120 dB, in place of the logarithm of nothing."""


def decibels(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return powers (mean squares) in dB re full scale."""
    return 10.0 * np.log10(np.maximum(power, LEAST_POWER))


class BandMeter:
    """Measures the sound of hops in blocks of about BLOCK_S."""

    def __init__(self, rate_hz: int, hop_samples: int) -> None:
        count = max(1, round(hop_samples / rate_hz / BLOCK_S))
        self.edges = np.rint(np.linspace(0, hop_samples, count + 1)).astype(np.intp)
        """Where blocks begin and end in a hop."""
        self.sizes = np.diff(self.edges)
        self.rate_hz = rate_hz
        longest = int(self.sizes.max())
        places_NL = self.edges[:-1, None] + np.arange(longest)
        self._inside_NL = np.arange(longest) < self.sizes[:, None]
        self._places_NL = np.where(self._inside_NL, places_NL, 0)
        frequencies_hz = np.fft.rfftfreq(longest, 1.0 / rate_hz)
        self._band_starts = np.unique(np.searchsorted(frequencies_hz, BAND_EDGES_HZ))
        self._band_starts = self._band_starts[self._band_starts < len(frequencies_hz)]
        # Negative frequencies have as much power; those of 0 and of half the rate stand alone.
        twice = np.full(len(frequencies_hz), 2.0)
        twice[0] = 1.0
        if longest % 2 == 0:
            twice[-1] = 1.0
        self._scale_NF = twice / (longest * self.sizes[:, None])

    @property
    def band_edges_hz(self) -> tuple[float, ...]:
        """Where the bands that there are at this rate begin, and where the last one ends."""
        return (*BAND_EDGES_HZ[: len(self._band_starts)], self.rate_hz / 2.0)

    def powers(self, hop_T: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the power (mean square) of each block in each band [N, K]; those of all bands add up to that of the block."""
        blocks_NL = hop_T[self._places_NL] * self._inside_NL
        spectra_NF = np.square(np.abs(np.fft.rfft(blocks_NL, axis=1))) * self._scale_NF
        return np.add.reduceat(spectra_NF, self._band_starts, axis=1)


def averaged(power_N: NDArray[np.float64], block_s: float, constant_s: float) -> NDArray[np.float64]:
    """Return the running average of the powers of successive blocks, exponential with this time constant."""
    share, average, averages = 1.0 - math.exp(-block_s / constant_s), 0.0, list[float]()
    for power in power_N.tolist():
        average += (power - average) * share
        averages.append(average)
    return np.array(averages)
