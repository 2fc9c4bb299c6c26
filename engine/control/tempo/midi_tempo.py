"""Tempo and beat from the clock of a MIDI sequencer, whose ticks come with jitter.

A line through the newest ticks over their times gives tempo and position. Ticks that leave the line for a whole beat mean another
tempo: the line begins again there.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from engine.control.remotes.midi.clock import CLOCKS_A_BEAT, CLOCKS_A_SIXTEENTH, ClockMessage
from engine.control.tempo.tempo_input import TempoPosition

MOST_TICKS = 8 * CLOCKS_A_BEAT
FEWEST_TICKS = CLOCKS_A_BEAT // 2
"""Fewer ticks give no tempo."""
CHANGED_S = 0.0015
"""The mean distance from the line of a beat's ticks at which the tempo has changed: six times that of ticks with ±2 ms jitter."""
LOST_S = 0.5
"""A sequencer that gives no tick for so long is gone."""


class MidiTempo:
    """Follows the clock of one port at a time. A TempoInput and a MidiClock."""

    name = "midi"

    def __init__(self, tell_transport: Callable[[bool], None] = lambda runs: None) -> None:
        """`tell_transport` gets True for start and continue, False for stop."""
        self._tell_transport = tell_transport
        self._lock = threading.Lock()
        self._port = ""
        self._ticks: deque[tuple[int, float]] = deque(maxlen=MOST_TICKS)
        """Number and time of the newest ticks."""
        self._next_tick = 0
        self._is_running = True
        """Also before the first start: some machines send nothing but ticks."""
        self._is_bar_known = False
        self._line: tuple[float, float, float] | None = None
        """Time, tick and period at the newest tick, on the line."""

    def __call__(self, message: ClockMessage) -> None:
        """Take one message. Of two ports the second one is ignored until the first one is lost."""
        with self._lock:
            if message.port != self._port:
                if self._ticks and message.at_s - self._ticks[-1][1] < LOST_S:
                    return
                self._port = message.port
                self._forget()
                self._is_running, self._is_bar_known, self._next_tick = True, False, 0
            self._take(message)
        if message.kind in ("start", "continue", "stop"):
            self._tell_transport(message.kind != "stop")

    def position(self, now_s: float) -> TempoPosition | None:
        """Return where the sequencer is; None while it is stopped or lost."""
        with self._lock:
            if self._line is None or not self._is_running or now_s - self._ticks[-1][1] > LOST_S:
                return None
            at_s, tick, period_s = self._line
            if period_s <= 0.0:
                # Ticks that came all at once.
                return None
            return TempoPosition(at_s, tick / CLOCKS_A_BEAT, 60.0 / (period_s * CLOCKS_A_BEAT), self._is_bar_known)

    def _take(self, message: ClockMessage) -> None:
        match message.kind:
            case "tick":
                self._add(message.at_s)
            case "position":
                self._move_to(message.sixteenths * CLOCKS_A_SIXTEENTH)
            case "start":
                self._is_running, self._is_bar_known = True, True
                self._move_to(0)
            case "continue":
                self._is_running = True
            case "stop":
                self._is_running = False

    def _add(self, at_s: float) -> None:
        if self._ticks and at_s - self._ticks[-1][1] > LOST_S:
            self._forget()
        self._ticks.append((self._next_tick, at_s))
        # A sequencer that stands may go on to send ticks: they keep the tempo, and it continues where it stopped.
        self._next_tick += 1
        self._fit()
        if not self._is_running:
            self._move_to(self._next_tick - 1)

    def _move_to(self, tick: int) -> None:
        """Let the next tick be `tick`; those before keep their distance."""
        moved = tick - self._next_tick
        self._next_tick = tick
        self._ticks = deque(((number + moved, at_s) for number, at_s in self._ticks), MOST_TICKS)
        if self._line:
            self._line = (self._line[0], self._line[1] + moved, self._line[2])

    def _forget(self) -> None:
        self._ticks.clear()
        self._line = None

    def _fit(self) -> None:
        """Lay the line through the ticks; where the newest beat has left it, through that beat alone."""
        if len(self._ticks) < FEWEST_TICKS:
            return
        time_s, tick, period_s = _fit_line(list(self._ticks))
        newest = list(self._ticks)[-CLOCKS_A_BEAT:]
        off_s = [at_s - time_s - (number - tick) * period_s for number, at_s in newest]
        if abs(sum(off_s)) > CHANGED_S * len(newest):
            self._ticks = deque(newest, MOST_TICKS)
            time_s, tick, period_s = _fit_line(newest)
        self._line = time_s, tick, period_s


def _fit_line(ticks: list[tuple[int, float]]) -> tuple[float, float, float]:
    """Return time, tick and period at the newest tick, on the least-squares line through `ticks`."""
    first, first_s = ticks[0]
    count = len(ticks)
    mean = sum(number - first for number, _ in ticks) / count
    mean_s = sum(at_s - first_s for _, at_s in ticks) / count
    spread = sum((number - first - mean) ** 2 for number, _ in ticks)
    period_s = sum((number - first - mean) * (at_s - first_s - mean_s) for number, at_s in ticks) / spread
    last = ticks[-1][0]
    return first_s + mean_s + (last - first - mean) * period_s, float(last), period_s
