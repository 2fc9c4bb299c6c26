"""Level of the sound relative to the peak of the last seconds."""

from __future__ import annotations

import math

QUIETEST_RMS = 2e-3
"""Least peak (-54 dB), so that the noise of a silent line does not become a high level."""
SILENCE_RMS = 2e-4
"""Quieter is silence (-74 dB)."""
PEAK_HALF_LIFE_S = 8.0
RELEASE_S = 0.08
"""Time in which the level falls to 1/e."""


class LevelMeter:
    """A level from 0 to 1 that rises within one frame and falls slowly, relative to a peak that falls more slowly."""

    def __init__(self, frame_s: float) -> None:
        self._peak = QUIETEST_RMS
        self._peak_fall = 0.5 ** (frame_s / PEAK_HALF_LIFE_S)
        self._release = math.exp(-frame_s / RELEASE_S)
        self._rms = 0.0

    @property
    def rms(self) -> float:
        """The level itself, re full scale, not relative to the peak."""
        return self._rms

    def feed(self, rms: float) -> float:
        """Return the level after a frame with this RMS."""
        self._rms = max(rms if rms > SILENCE_RMS else 0.0, self._rms * self._release)
        if self._rms < SILENCE_RMS:
            self._rms = 0.0
        self._peak = max(self._rms, self._peak * self._peak_fall, QUIETEST_RMS)
        return self._rms / self._peak
