"""When a device's sound counts, when silence stands in for it: decided from arrival times alone.

Three things happen to devices on stage. They stall and come back with everything they held up, in a burst: that sound is stale
and is dropped, or the picture would lag behind for the rest of the show. They stall and come back with nothing held up. They
vanish. In each case silence goes on at the pace of the clock, so that the show does.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

STALL_S = 0.5
"""Sound that stays away this long is replaced by silence: until then the picture stands still, and it must not for a whole second.
Bursts of a sound server are under 0.1 s apart."""
BEGINS_WITHIN_S = 2.5
"""A device may take so long to begin, as PulseAudio does, before that is called a stall; there is silence all the same."""
LONGEST_AWAY_S = 10.0
"""A machine that was suspended for longer goes on where it stopped: an hour of silence at once would be gigabytes."""
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
        self.flowing_since_s = started_s
        """Arrival of the first block after the start or the last stall. What drivers say of the time of capture is wrong by up to
        half a second in the first second after it."""
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
            return self._flow(samples, arrived_s)
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
                return self._flow(samples, arrived_s)
            self._drain_since_s, self._drained_samples = arrived_s, 0
        self.stale_samples += samples
        return Admission(0, False)

    def silence(self, now_s: float) -> int:
        """Return how many samples of silence to hand on now, after all blocks that have arrived were judged."""
        if now_s - self._last_arrival_s > (BEGINS_WITHIN_S if self._mode is _Mode.STARTING else STALL_S):
            if self._mode is _Mode.FLOWING:
                self._stall(self._last_arrival_s)
            self._mode = _Mode.STALLED
        return self._fill(now_s) if self.stands_in else 0

    def _flow(self, samples: int, arrived_s: float) -> Admission:
        self._mode = _Mode.FLOWING
        self.flowing_since_s = arrived_s
        return Admission(self._fill(arrived_s - samples / self._rate_hz), True)

    def _stall(self, silent_since_s: float) -> None:
        self._mode = _Mode.STALLED
        self._filled_until_s = silent_since_s

    def _fill(self, until_s: float) -> int:
        if until_s - self._filled_until_s > LONGEST_AWAY_S:
            self._filled_until_s = until_s
        samples = max(0, int((until_s - self._filled_until_s) * self._rate_hz))
        self._filled_until_s += samples / self._rate_hz
        self.silent_samples += samples
        return samples
