"""What other programs take of the processors while a show plays: a machine that is too slow may only be shared."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

import psutil

from engine.core.clock import Clock

MUCH = 0.25
"""The share of all processors from which it is told."""


class ProcessorTime(NamedTuple):
    """Seconds of all processors together, since any moment."""

    idle_s: float
    own_s: float
    """Of this process."""


def read_processor_time() -> ProcessorTime:
    """Return the times of now."""
    all_programs, own = psutil.cpu_times(), os.times()
    return ProcessorTime(all_programs.idle + getattr(all_programs, "iowait", 0.0), own.user + own.system)


class OtherPrograms:
    """For one thread."""

    def __init__(
        self,
        clock: Clock,
        cores: int = psutil.cpu_count() or 1,
        read: Callable[[], ProcessorTime] = read_processor_time,
    ) -> None:
        self._clock, self._cores, self._read = clock, cores, read
        self._since_s, self._before = clock.now_s(), read()

    def share(self) -> float:
        """Return the share of all processors that other programs had since the last call, 0 to 1; 0 without time between."""
        now_s, now = self._clock.now_s(), self._read()
        passed_s = self._cores * (now_s - self._since_s)
        taken_s = passed_s - (now.idle_s - self._before.idle_s) - (now.own_s - self._before.own_s)
        self._since_s, self._before = now_s, now
        return min(max(taken_s / passed_s, 0.0), 1.0) if passed_s > 0.0 else 0.0

    def sentence(self) -> str:
        """Return what to say of that share, after another sentence; nothing where it is small."""
        share = self.share()
        if share < MUCH:
            return ""
        return f" Other programs take {100 * share:.0f} % of the processors: end them, or raise the show's priority (docs/service.md)."
