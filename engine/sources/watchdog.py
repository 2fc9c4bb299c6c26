"""When a device's sound counts, when silence stands in for it: decided from arrival times alone.

Three things happen to devices on stage. They stall and come back with everything they held up, in a burst: that sound is stale
and is dropped, or the picture would lag behind for the rest of the show. They stall and come back with nothing held up. They
vanish. In each case silence goes on at the pace of the clock, so that the show does.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

STALL_S = 1.0
"""Sound that stays away this long is replaced by silence. PulseAudio may take 2 s to begin; bursts are under 0.1 s apart."""
DRAIN_WINDOW_S = 0.1
BURST_RATE = 1.5
"""Sound that arrives faster than this many times its own pace is a backlog."""


class _Mode(enum.Enum):
    STARTING = enum.auto()
    FLOWING = enum.auto()
    STALLED = enum.auto()
    DRAINING = enum.auto()


@dataclass(frozen=True, slots=True)
class Admission:
    """What to do with a block."""

    silent_samples: int
    """Silence to hand on before it."""
    admitted: bool
    """False: the block is stale; drop it."""


class Watchdog:
    """Follows one device's blocks. All times come from the caller."""

    def __init__(self, rate_hz: int, started_s: float) -> None:
        self._rate_hz = rate_hz
        self._mode = _Mode.STARTING
        self._last_arrival_s = started_s
        self._filled_until_s = started_s
        self._drain_since_s = started_s
        self._drained_samples = 0
        self.stale_samples = 0
        """Samples dropped since the start because they came too late."""
        self.silent_samples = 0
        """Samples of silence handed on since the start."""

    @property
    def stalled(self) -> bool:
        """True from the moment sound stays away until fresh sound flows again."""
        return self._mode in (_Mode.STALLED, _Mode.DRAINING)

    @property
    def stands_in(self) -> bool:
        """True while silence is handed on: when stalled, and from the start until the first block."""
        return self._mode is not _Mode.FLOWING

    def admit(self, samples: int, arrived_s: float) -> Admission:
        """Judge the next block, which arrived at `arrived_s`; blocks are given in order."""
        gap_s, self._last_arrival_s = arrived_s - self._last_arrival_s, arrived_s
        if self._mode is _Mode.STARTING:
            self._mode = _Mode.FLOWING
            return Admission(self._fill(arrived_s - samples / self._rate_hz), True)
        if self._mode is _Mode.FLOWING and gap_s > STALL_S:
            self._stall(arrived_s - gap_s)
        if self._mode is _Mode.FLOWING:
            return Admission(0, True)
        if self._mode is _Mode.STALLED:
            self._mode = _Mode.DRAINING
            self._drain_since_s, self._drained_samples = arrived_s, 0
        else:
            self._drained_samples += samples
        span_s = arrived_s - self._drain_since_s
        if span_s >= DRAIN_WINDOW_S:
            if self._drained_samples <= BURST_RATE * span_s * self._rate_hz:
                self._mode = _Mode.FLOWING
                return Admission(self._fill(arrived_s - samples / self._rate_hz), True)
            self._drain_since_s, self._drained_samples = arrived_s, 0
        self.stale_samples += samples
        return Admission(0, False)

    def silence(self, now_s: float) -> int:
        """Return how many samples of silence to hand on now, after all blocks that have arrived were judged."""
        if now_s - self._last_arrival_s > STALL_S:
            if self._mode is _Mode.FLOWING:
                self._stall(self._last_arrival_s)
            self._mode = _Mode.STALLED
        return self._fill(now_s) if self.stands_in else 0

    def _stall(self, silent_since_s: float) -> None:
        self._mode = _Mode.STALLED
        self._filled_until_s = silent_since_s

    def _fill(self, until_s: float) -> int:
        samples = max(0, int((until_s - self._filled_until_s) * self._rate_hz))
        self._filled_until_s += samples / self._rate_hz
        self.silent_samples += samples
        return samples
