"""Everything of a show that can block or fail outside it, in one thread: terminal, log and systemd.

A stopped terminal, a full disk or a service manager that hangs never makes a step wait.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from engine.core.clock import Clock
from engine.ops import systemd
from engine.ops.health_monitor import HealthMonitor, HealthReport
from engine.ops.show_log import ShowLog
from engine.ops.systemd import Systemd

TICK_S = 0.25
CHECK_EVERY_S = 1.0
"""Interval of the checks whether the show is alive."""
MINUTE_S = 60.0
MOST_LINES = 1000
"""Lines that may wait; older ones are lost."""
CLOSE_WITHIN_S = 2.0


class Supervisor:
    """Prints and logs notices, and reports to systemd; its thread ticks four times a second from `start` to `close`."""

    def __init__(
        self,
        monitor: HealthMonitor,
        clock: Clock,
        *,
        say: Callable[[str], None] = print,
        log: ShowLog | None = None,
        service_manager: Systemd | None = None,
    ) -> None:
        self._monitor, self._clock, self._say, self._log = monitor, clock, say, log
        self._systemd = service_manager or Systemd({})
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        self._is_ready = self._is_stuck = False
        self._next_check_s = clock.now_s()
        self._next_minute_s = clock.now_s() + MINUTE_S
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def tell(self, line: str) -> None:
        """Print and log a line soon. From any thread; never waits, never fails."""
        self._lines.append(line)

    def start(self, facts: Mapping[str, Any] | None = None) -> None:
        """Start the thread; `facts` about the show go into the log."""
        if self._log:
            self._log.write("start", facts)
        self._thread.start()

    def tick(self, now_s: float) -> None:
        """Do what is due at `now_s`."""
        while self._lines:
            self._deliver(self._lines.popleft())
        check_due, minute_due = now_s >= self._next_check_s, now_s >= self._next_minute_s
        if not (check_due or minute_due):
            return
        report = self._monitor.report(now_s)
        has_frames = report.alive and report.last_frame_s is not None
        if has_frames and not self._is_ready:
            self._is_ready = True
            self._systemd.notify(systemd.READY)
        if report.alive == self._is_stuck:
            self._is_stuck = not report.alive
            self.tell("Frames are made and shown again." if report.alive else f"The show is stuck: {report.reason}.")
        if check_due:
            self._next_check_s = now_s + min(self._systemd.watchdog_every_s or CHECK_EVERY_S, CHECK_EVERY_S)
            if report.alive and not has_frames:
                # A first test may take longer than any fixed limit; a start that hangs gets no more time.
                self._systemd.notify(systemd.STARTING_ON)
            if has_frames and self._systemd.watchdog_every_s:
                self._systemd.notify(systemd.WATCHDOG)
        if minute_due:
            self._next_minute_s = now_s + MINUTE_S
            self._report_minute(report)

    def close(self) -> None:
        """Deliver the remaining lines and stop; waits at most CLOSE_WITHIN_S for a terminal that is stopped."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._systemd.notify(systemd.STOPPING)
        if self._thread.is_alive():
            self._thread.join(CLOSE_WITHIN_S)
        if not self._thread.is_alive() and self._log:
            self._log.write("end", self._monitor.summary())
            self._log.close()

    def _run(self) -> None:
        while not self._closing.wait(TICK_S):
            self.tick(self._clock.now_s())
        self.tick(self._clock.now_s())

    def _report_minute(self, report: HealthReport) -> None:
        age = "" if report.age_ms is None else f", age {report.age_ms:.0f} ms"
        status = f"{report.fps:.0f} fps{age}, {report.skipped_hops} skipped; {report.reason or 'alive'}"
        self._systemd.notify(f"STATUS={status}")
        if self._log:
            self._log.write("minute", report.as_dict())

    def _deliver(self, line: str) -> None:
        if self._log:
            self._log.write("notice", {"line": line})
        try:
            self._say(line)
        except (OSError, ValueError):
            # The terminal is gone or closed, or its disk is full; the show goes on.
            return
