"""What looks after a show: one thread that says and logs its lines, and tells systemd that it lives.

Whatever can block or fail outside (a terminal that is stopped, a full disk, a service manager) is done here, so the step never
waits for it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from engine.core.clock import Clock
from engine.ops import systemd
from engine.ops.health_monitor import HealthMonitor
from engine.ops.show_log import ShowLog
from engine.ops.systemd import Systemd

TURN_S = 0.25
LOOK_EVERY_S = 1.0
"""How often it is seen whether the show lives."""
MINUTE_S = 60.0
MOST_LINES = 1000
"""Lines that may wait; older ones are lost."""
CLOSE_WITHIN_S = 2.0


class Supervisor:
    """From `start` to `close` a thread takes a turn four times a second."""

    def __init__(
        self,
        monitor: HealthMonitor,
        clock: Clock,
        *,
        say: Callable[[str], None] = print,
        log: ShowLog | None = None,
        manager: Systemd | None = None,
    ) -> None:
        self._monitor, self._clock, self._say, self._log = monitor, clock, say, log
        self._manager = manager or Systemd({})
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        self._told_ready = self._told_stuck = False
        self._next_look_s = clock.now_s()
        self._next_minute_s = clock.now_s() + MINUTE_S
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="service", daemon=True)

    def tell(self, line: str) -> None:
        """Say a line soon. From any thread; never waits and never fails."""
        self._lines.append(line)

    def start(self, facts: Mapping[str, Any] | None = None) -> None:
        """Begin; `facts` about the show go into the log."""
        if self._log:
            self._log.write("start", facts)
        self._thread.start()

    def turn(self, now_s: float) -> None:
        """Do what is due at `now_s`."""
        while self._lines:
            self._pass_on(self._lines.popleft())
        minute, look = now_s >= self._next_minute_s, now_s >= self._next_look_s
        if not (minute or look):
            return
        report = self._monitor.report(now_s)
        flows = report.alive and report.last_frame_s is not None
        if flows and not self._told_ready:
            self._told_ready = True
            self._manager.tell(systemd.READY)
        if report.alive == self._told_stuck:
            self._told_stuck = not report.alive
            self.tell("Pictures are made and shown again." if report.alive else f"The show is stuck: {report.reason}.")
        if look:
            self._next_look_s = now_s + min(self._manager.pet_every_s or LOOK_EVERY_S, LOOK_EVERY_S)
            if flows and self._manager.pet_every_s:
                self._manager.tell(systemd.PET)
        if minute:
            self._next_minute_s = now_s + MINUTE_S
            age = "" if report.age_ms is None else f", age {report.age_ms:.0f} ms"
            self._manager.tell(
                f"STATUS={report.fps:.0f} fps{age}, {report.skipped_hops} skipped; {report.reason or 'alive'}"
            )
            if self._log:
                self._log.write("minute", report.as_dict())

    def close(self) -> None:
        """Say what is left and end; a terminal that takes nothing is waited for no longer than CLOSE_WITHIN_S."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._manager.tell(systemd.STOPPING)
        if self._thread.is_alive():
            self._thread.join(CLOSE_WITHIN_S)
        if not self._thread.is_alive() and self._log:
            self._log.write("end", self._monitor.summary())
            self._log.close()

    def _run(self) -> None:
        while not self._closing.wait(TURN_S):
            self.turn(self._clock.now_s())
        self.turn(self._clock.now_s())

    def _pass_on(self, line: str) -> None:
        if self._log:
            self._log.write("notice", {"line": line})
        try:
            self._say(line)
        except (OSError, ValueError):
            # The terminal is gone or closed, or the file behind it has no room; the show goes on.
            return
