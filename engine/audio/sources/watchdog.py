"""The watchdog of a sound device: decides from arrival times alone when to drop blocks and when to insert silence.

Devices fail in three ways. They stall and return with all the delayed sound in a burst: that sound is stale and is dropped, or the
frames would be late for the rest of the show. They stall and return without it. They disappear. In each case silence is inserted at
the pace of the clock, so the show goes on.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

STALL_S = 0.5
"""A longer gap is filled with silence. Until then the frame is held, and a second of that would be seen. Blocks of a sound server
arrive less than 0.1 s apart."""
BEGINS_WITHIN_S = 2.5
"""Longest start of a device before it counts as a stall (PulseAudio is slow); silence is inserted meanwhile."""
LONGEST_AWAY_S = 10.0
"""Longest gap filled after a suspend: an hour of silence at once would be gigabytes."""
DRAIN_WINDOW_S = 0.1
BURST_RATE = 1.5
"""Sound that arrives faster than this many times real time is a backlog."""


class _Mode(enum.Enum):
    STARTING = enum.auto()
    FLOWING = enum.auto()
    STALLED = enum.auto()
    DRAINING = enum.auto()


@dataclass(frozen=True, slots=True)
class Admission:
    """The decision about one block."""

    silent_samples: int
    """Silence to insert before it."""
    admitted: bool
    """False: the block is stale and is dropped."""


class Watchdog:
    """Watches the blocks of one device. All times come from the caller."""

    def __init__(self, rate_hz: int, started_s: float) -> None:
        self._rate_hz = rate_hz
        self._mode = _Mode.STARTING
        self._last_arrival_s = started_s
        self._filled_until_s = started_s
        self._drain_since_s = started_s
        self._drained_samples = 0
        self.flowing_since_s = started_s
        """Arrival of the first block after the start or the last stall. The capture times of drivers are wrong by up to half a
        second in the first second after it."""
        self.stale_samples = 0
        """Samples dropped since the start because they were stale."""
        self.silent_samples = 0
        """Samples of silence inserted since the start."""

    @property
    def stalled(self) -> bool:
        """Whether the device is stalled; until fresh sound arrives."""
        return self._mode in (_Mode.STALLED, _Mode.DRAINING)

    @property
    def inserts_silence(self) -> bool:
        """Whether silence is inserted: when stalled, and from the start until the first block."""
        return self._mode is not _Mode.FLOWING

    def admit(self, samples: int, arrived_s: float) -> Admission:
        """Decide about the next block in order, which arrived at `arrived_s`."""
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
        """Return the silence to insert now, in samples. Call it after `admit` for all blocks that have arrived."""
        if now_s - self._last_arrival_s > (BEGINS_WITHIN_S if self._mode is _Mode.STARTING else STALL_S):
            if self._mode is _Mode.FLOWING:
                self._stall(self._last_arrival_s)
            self._mode = _Mode.STALLED
        return self._fill(now_s) if self.inserts_silence else 0

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
