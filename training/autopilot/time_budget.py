"""Keep to the minutes asked for on a machine that other work slows down: what the ending takes, and how much of it there is time for.

Training stops early enough for what has to follow, the test on the held-out part and the export. The evaluation gets what is
left: its full extent, a smaller one, or nothing.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ENDING_S = 26.0
"""Processor time, nearly all of one thread, of the last checkpoint, its samples, the report and the export."""
EVALUATION_S = 3.0
"""Processor time of an evaluation without its frames: tables, curves and page."""
PASSES_AN_ITERATION = 2.0
"""One iteration takes as long as playing the frames of its batch so many times."""
EVALUATED_FRAME_PASSES = 2.0
"""A frame of an evaluation is played and measured."""
SYNCHRONY_FRAME_S = 0.006
"""Processor time to measure a frame for the synchrony suite, nearly all of it optical flow."""
LEAST_SHARE = 0.05
ALONE = 0.8
"""A process that trains with two threads gets more of a busy machine than the export, which has one; alone, both get all they need. Only
a guess: the more threads and the busier the machine, the more it is."""
JUDGED_OVER_S, MARKED_EVERY_S = 40.0, 10.0
"""The machine is as busy as it was over this time; one reading is kept every so often."""


class Clocks(NamedTuple):
    """One reading: seconds that passed, and what became of them."""

    wall_s: float
    worked_s: float
    """That a processor worked for this thread; for this process, all threads together, where nothing tells of the thread."""
    waited_s: float | None = None
    """That this thread waited for a processor; None where the system does not tell."""


def read_clocks() -> Clocks:
    """Read all clocks. Linux tells what a single thread got, the calling one."""
    try:
        worked_ns, waited_ns, _ = Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()
        return Clocks(time.monotonic(), 1e-9 * int(worked_ns), 1e-9 * int(waited_ns))
    except (OSError, ValueError):
        return Clocks(time.monotonic(), time.process_time())


def process_age_s() -> float:
    """Return the seconds since this process was started: on a busy machine, reading the libraries alone takes half a minute.

    Where the system does not tell (Linux does), the processor time so far stands for it.
    """
    try:
        # The 22nd field, in clock ticks since the machine started; the name in brackets before it may hold spaces.
        fields = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        up_s = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        return up_s - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return time.process_time()


class Extent(NamedTuple):
    """How much an evaluation plays: sequence lengths in frames, as `--lengths` takes them, and sequences of each."""

    lengths: str
    sequences: int

    @property
    def frames(self) -> int:
        """About how many frames are generated: the right and the shuffled sound, held-out and looped part."""
        return 4 * self.sequences * sum(map(int, self.lengths.split(",")))

    @property
    def synchrony_frames(self) -> int:
        """How many frames the synchrony suite measures: those of the longest sequences, generated and real."""
        return 2 * self.sequences * max(map(int, self.lengths.split(",")))


EXTENTS = (Extent("8,32,128", 4), Extent("8,32", 4), Extent("8,32", 2), Extent("8,16", 1))
"""The largest first. A clip of 2 s has 8 held-out frames."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What the command has time for, as planned before training. Times are those of the clock that the budget reads."""

    ends_at_s: float
    least_training_s: float
    """Training goes on for so long in any case, from its first iteration on."""
    reserve_s: float
    """What is kept for the ending; a busy machine needs more."""
    test_s: float
    """The part of the ending that plays frames, as fast as this machine did when it was timed."""
    frame_s: float
    """Seconds to play one frame."""
    share: float
    """Of a processor, 0 to 1, that one thread got then."""


class TimeBudget:
    """Keeps the limits while the machine becomes more or less busy."""

    def __init__(self, limits: Limits, read: Callable[[], Clocks] = read_clocks) -> None:
        self.limits, self.read, self.share = limits, read, limits.share
        self._marks: deque[Clocks] = deque(maxlen=round(JUDGED_OVER_S / MARKED_EVERY_S))
        self._first: Clocks | None = None

    def training_left_s(self) -> float:
        """Return the seconds of training that are left, so that what has to follow ends in time."""
        limits, now = self.limits, self.read()
        self._first = self._first or now
        if not self._marks or now.wall_s - self._marks[-1].wall_s >= MARKED_EVERY_S:
            if self._marks:
                self.share = min(share_since(self._marks[0], now), share_since(self._first, now))
            self._marks.append(now)
        kept_s = max(limits.reserve_s, ending_s(limits.test_s, self.share))
        return max(limits.ends_at_s - kept_s, self._first.wall_s + limits.least_training_s) - now.wall_s

    def evaluation(self) -> Extent | None:
        """Return the largest extent of the evaluation for which there is time, or None."""
        return evaluation_extent(self.limits.ends_at_s - self.read().wall_s, self.limits.frame_s, self.share)


def share_since(began: Clocks, now: Clocks) -> float:
    """Return the share of a processor, 0 to 1, that one thread gets on a machine on which this process trained from `began` to `now`.

    Of the time in which a thread had something to do, it is the part in which a processor worked for it. Elsewhere it is guessed from
    all threads of the process.
    """
    worked_s = now.worked_s - began.worked_s
    if began.waited_s is not None and now.waited_s is not None:
        wanted_s = worked_s + now.waited_s - began.waited_s
        return min(1.0, max(LEAST_SHARE, worked_s / wanted_s)) if wanted_s > 0.0 else 1.0
    passed_s = now.wall_s - began.wall_s
    return min(1.0, max(LEAST_SHARE, ALONE * worked_s / passed_s)) if passed_s > 0.0 else 1.0


def frame_seconds(iteration_s: float, frames: int) -> float:
    """Return about the seconds to play one frame, from those of one iteration with so many frames."""
    return iteration_s / (PASSES_AN_ITERATION * frames)


def ending_s(test_s: float, share: float) -> float:
    """Return the seconds from the last iteration to the exported model, of which `test_s` play frames."""
    return test_s + ENDING_S / share


def evaluation_extent(left_s: float, frame_s: float, share: float) -> Extent | None:
    """Return the largest extent that takes no longer than `left_s`, or None."""

    def needed_s(extent: Extent) -> float:
        suite_s = SYNCHRONY_FRAME_S * extent.synchrony_frames
        return (EVALUATION_S + suite_s) / share + EVALUATED_FRAME_PASSES * extent.frames * frame_s

    return next((extent for extent in EXTENTS if needed_s(extent) <= left_s), None)
