"""The newest seconds of what a source has played, by sample number, with the time at which it was played.

One thread puts sound in, the driver's callback reads it. Nothing is taken out, so the reader may go back and forth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# T samples, C channels

HELD_S = 4.0

Sound = NDArray[np.float32]


class Newest(NamedTuple):
    """How far the sound has come."""

    end: int
    """Samples played since the start."""
    played_s: float
    """Clock time at which the last of them was played."""


class PlayedSound:
    """Holds HELD_S of sound."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._sound_TC = np.zeros((round(HELD_S * rate_hz), channels), np.float32)
        self._newest: Newest | None = None

    @property
    def newest(self) -> Newest | None:
        """How far the sound has come; None before the first of it. From any thread."""
        return self._newest

    def put(self, sound_TC: Sound, played_s: float) -> None:
        """Add sound whose last sample was played at `played_s`. For one thread."""
        capacity = len(self._sound_TC)
        begin = 0 if self._newest is None else self._newest.end
        end = begin + len(sound_TC)
        kept_TC = sound_TC[-capacity:]
        places_T = np.arange(end - len(kept_TC), end) % capacity
        self._sound_TC[places_T] = kept_TC
        # One assignment, after the samples are in place.
        self._newest = Newest(end, played_s)

    def read(self, first: int, samples: int) -> Sound:
        """Return the samples from number `first` on, as a copy [T, C]; silence where there are none, or none any more."""
        end = 0 if self._newest is None else self._newest.end
        numbers_T = np.arange(first, first + samples)
        sound_TC = self._sound_TC[numbers_T % len(self._sound_TC)]
        sound_TC[(numbers_T < max(0, end - len(self._sound_TC))) | (numbers_T >= end)] = 0.0
        return sound_TC
