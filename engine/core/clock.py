"""The only reader of clocks. Decisions that depend on time take it as an argument (engine/render/pacing.py)."""

from __future__ import annotations

import datetime
import sys
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds that only go forward, from an arbitrary start."""

    def now_s(self) -> float:
        """Return the time now."""
        ...

    def sleep(self, duration_s: float) -> None:
        """Let at least `duration_s` pass."""
        ...


class WallClock:
    """The machine's own monotonic clock."""

    __slots__ = ()

    def now_s(self) -> float:
        return time.perf_counter()

    def sleep(self, duration_s: float) -> None:
        time.sleep(duration_s)

    @staticmethod
    def unix_s() -> float:
        """Return the seconds since 1970, which others share who set their clocks by NTP."""
        return time.time()

    @staticmethod
    def date() -> str:
        """Return date and time with the time zone, for records, e.g. "2025-01-31T20:15:00+0000"."""
        return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def asleep_s() -> float:
    """Return for how long the machine has slept, from an arbitrary start; a constant where the system does not tell.

    On Linux and macOS WallClock stands still meanwhile.
    """
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC) - time.clock_gettime(time.CLOCK_UPTIME_RAW)
    return 0.0


def utc(days: int = 0) -> datetime.datetime:
    """Return date and time in UTC, so many days from now: for certificates, which others judge by theirs."""
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
