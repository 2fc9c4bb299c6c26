"""How loud the sound is beside the loudest of the last seconds."""

from __future__ import annotations

import math

QUIETEST_RMS = 2e-3
"""What the loudest of the last seconds is at least (-54 dB), so that the noise of a silent line is not taken for music."""
SILENCE_RMS = 2e-4
"""Quieter is silence (-74 dB)."""
LOUDEST_HALF_LIFE_S = 8.0
RELEASE_S = 0.08
"""How long the level takes to fall to a third."""


class LevelMeter:
    """A level from 0 to 1: rises within one frame, falls slowly, beside a maximum that falls more slowly still."""

    def __init__(self, frame_s: float) -> None:
        self._loudest = QUIETEST_RMS
        self._loudest_fall = 0.5 ** (frame_s / LOUDEST_HALF_LIFE_S)
        self._release = math.exp(-frame_s / RELEASE_S)
        self._rms = 0.0

    def feed(self, rms: float) -> float:
        """Return the level after a frame with this RMS."""
        self._rms = max(rms if rms > SILENCE_RMS else 0.0, self._rms * self._release)
        if self._rms < SILENCE_RMS:
            self._rms = 0.0
        self._loudest = max(self._rms, self._loudest * self._loudest_fall, QUIETEST_RMS)
        return self._rms / self._loudest
