"""Sound of one clock handed out at the pace of another: pure logic, which knows counts of samples and no time.

Offline there is one clock, and nothing comes late (WholeBuffer). Live, two devices never run at quite the same speed.
ArrivalBuffer follows its own fill: where sound piles up, a few samples are dropped, where it runs short, a few are repeated, each
time with a crossfade. Whoever takes is never kept waiting.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# T samples, C channels

START_S = 0.006
"""How much sound waits before the first is handed out, so that the blocks may come unevenly."""
MOST_S = 0.25
"""More sound than this is stale; all but START_S of it is dropped."""
AWAY_S = 0.1
"""After so long without sound, the next is aligned as at the start."""
LOOK_S = 2.0
"""The least fill of so much sound decides about a correction."""
LEAST_S, GREATEST_S = 0.001, 0.01
"""The least fill stays between these."""
CORRECTION_S = 0.001
"""Longest correction at a time: 500 ppm in LOOK_S, more than clocks differ."""
CROSSFADE_S = 0.002


class ArrivalBuffer:
    """A bounded buffer between two clocks, at one rate."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._rate_hz = rate_hz
        self._waiting_TC: NDArray[np.float32] = np.zeros((0, channels), np.float32)
        self._flows = False
        self._missing_samples = 0
        """Samples of silence in a row."""
        self._looked_samples = 0
        self._least_samples: int | None = None
        self._correction = 0
        """Samples to drop; below 0, to repeat."""
        self.dropped_samples = 0
        """Samples dropped since the start, small corrections and stale sound together."""
        self.repeated_samples = 0
        self.silent_samples = 0
        """Silence handed out since the first sound, because none had arrived."""

    @property
    def waiting_samples(self) -> int:
        return len(self._waiting_TC)

    def add(self, sound_TC: NDArray[np.float32]) -> None:
        """Add sound that has arrived."""
        if len(sound_TC):
            self._waiting_TC = np.concatenate([self._waiting_TC, sound_TC])

    def take(self, samples: int) -> NDArray[np.float32]:
        """Return the next `samples` [samples, C], with silence where none have arrived."""
        if not self._flows and not self._begin(samples):
            self._drop_stale(samples)
            return np.zeros((samples, self._waiting_TC.shape[1]), np.float32)
        self._correct(samples)
        taken_TC, self._waiting_TC = self._waiting_TC[:samples], self._waiting_TC[samples:]
        missing = samples - len(taken_TC)
        if missing:
            self.silent_samples += missing
            taken_TC = np.concatenate([taken_TC, np.zeros((missing, taken_TC.shape[1]), np.float32)])
        self._missing_samples = self._missing_samples + missing if missing else 0
        self._flows = self._missing_samples < self._samples(AWAY_S)
        self._drop_stale(0)
        self._look(samples, -missing if missing else len(self._waiting_TC))
        return taken_TC

    def _samples(self, seconds: float) -> int:
        return round(seconds * self._rate_hz)

    def _begin(self, samples: int) -> bool:
        """Begin to hand out once enough waits, with START_S left in the buffer."""
        surplus = len(self._waiting_TC) - samples - self._samples(START_S)
        if surplus < 0:
            return False
        self._waiting_TC = self._waiting_TC[surplus:]
        self._flows, self._missing_samples, self._correction = True, 0, 0
        self._looked_samples, self._least_samples = 0, None
        return True

    def _drop_stale(self, wanted: int) -> None:
        """Bound the buffer. Sound that nobody was given yet is not counted."""
        if len(self._waiting_TC) - wanted <= self._samples(MOST_S):
            return
        stale = len(self._waiting_TC) - wanted - self._samples(START_S)
        self._waiting_TC = self._waiting_TC[stale:]
        self.dropped_samples += stale if self._flows else 0

    def _look(self, samples: int, left: int) -> None:
        """Note the fill after a take, and decide about a correction from time to time."""
        self._least_samples = left if self._least_samples is None else min(left, self._least_samples)
        self._looked_samples += samples
        if self._looked_samples < self._samples(LOOK_S):
            return
        lowest, greatest = self._samples(LEAST_S), self._samples(GREATEST_S)
        most, least = self._samples(CORRECTION_S), self._least_samples
        self._correction = min(max(0, least - greatest), most) - min(max(0, lowest - least), most)
        self._looked_samples, self._least_samples = 0, None

    def _correct(self, samples: int) -> None:
        """Make the waiting sound shorter or longer at its beginning, as soon as enough of it waits."""
        count, fade = abs(self._correction), self._samples(CROSSFADE_S)
        if not count or len(self._waiting_TC) < max(samples, count + fade):
            return
        waiting_TC = self._waiting_TC
        early_TC, late_TC = waiting_TC[:fade], waiting_TC[count : count + fade]
        share_T1 = np.linspace(0.0, 1.0, fade).astype(np.float32)[:, None]
        if self._correction > 0:
            self._waiting_TC = np.concatenate(
                [early_TC + share_T1 * (late_TC - early_TC), waiting_TC[count + fade :]], dtype=np.float32
            )
            self.dropped_samples += count
        else:
            joint_TC = late_TC + share_T1 * (early_TC - late_TC)
            self._waiting_TC = np.concatenate([waiting_TC[:count], joint_TC, waiting_TC[fade:]], dtype=np.float32)
            self.repeated_samples += count
        self._correction = 0


class WholeBuffer:
    """A buffer that is filled before it is asked; after the end it gives silence."""

    dropped_samples = repeated_samples = 0

    def __init__(self, channels: int) -> None:
        self._waiting_TC = np.zeros((0, channels), np.float32)
        self.silent_samples = 0

    @property
    def waiting_samples(self) -> int:
        return len(self._waiting_TC)

    def add(self, sound_TC: NDArray[np.float32]) -> None:
        """Add the next sound."""
        self._waiting_TC = np.concatenate([self._waiting_TC, sound_TC])

    def take(self, samples: int) -> NDArray[np.float32]:
        """Return the next `samples` [samples, C]."""
        taken_TC, self._waiting_TC = self._waiting_TC[:samples], self._waiting_TC[samples:]
        missing = samples - len(taken_TC)
        self.silent_samples += missing
        return np.concatenate([taken_TC, np.zeros((missing, taken_TC.shape[1]), np.float32)])
