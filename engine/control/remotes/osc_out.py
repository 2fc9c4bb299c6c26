"""Outgoing OSC: a thread that tells listeners of the show, as often as was asked for, and reminds them of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.control.remotes.osc_feedback import Feedback, Follower
from engine.control.remotes.osc_listeners import Listener
from engine.control.remotes.osc_telemetry import WHOLE_EVERY_S, TelemetryFeed, lines_due
from engine.control.telemetry import Telemetry
from engine.core.clock import Clock
from engine.core.notice_log import NoticeLog
from engine.core.repeating_thread import RepeatingThread

LOOKS_EVERY_S = 0.01
"""How soon an onset is seen."""


class OscOut:
    """Sends from `start` to `close`; never blocks the show."""

    def __init__(
        self,
        listeners: Sequence[Listener],
        telemetry: Callable[[], Telemetry],
        notice_log: NoticeLog,
        feedback: Feedback,
        clock: Clock,
        rate_hz: float,
    ) -> None:
        self._listeners = listeners
        self._telemetry = telemetry
        self._notice_log = notice_log
        self._feedback = feedback
        self._clock = clock
        self._feed = TelemetryFeed(rate_hz)
        self._told_line = 0
        self._followers: list[Follower] = []
        self._next_reminder_s = clock.now_s() + WHOLE_EVERY_S
        self._thread = RepeatingThread("osc out", LOOKS_EVERY_S, self.send_due)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Stop; safe to call twice, and without `start`."""
        self._thread.close()
        self._feedback.close()
        for listener in self._listeners:
            listener.close()

    def send_due(self) -> None:
        """Send what is due now."""
        now_s = self._clock.now_s()
        lines = self._notice_log.since(self._told_line)
        messages = self._feed.due(now_s, self._telemetry()) + lines_due(lines)
        if lines:
            self._told_line = lines[-1].number
        for datagram in messages:
            for listener in self._listeners:
                listener.send(datagram)
        self._remind(now_s)

    def _remind(self, now_s: float) -> None:
        for listener in self._listeners:
            follower = listener.follower
            if follower and follower not in self._followers:
                self._followers.append(follower)
                self._feedback.add(follower)
        if now_s >= self._next_reminder_s:
            self._next_reminder_s = now_s + WHOLE_EVERY_S
            for follower in self._followers:
                self._feedback.remind(follower)
