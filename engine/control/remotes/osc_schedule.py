"""Messages of bundles that say when they are due: OSC time tags, which are NTP times of the wall clock."""

from __future__ import annotations

import heapq
from itertools import count

from engine.control.remotes.osc_limits import Sender
from engine.control.remotes.osc_packet import IMMEDIATELY
from engine.core.errors import ConfigError

MOST_AHEAD_S = 2.0
MOST_SCHEDULED, MOST_SCHEDULED_BYTES = 1000, 1 << 20
_UNIX_BEGAN_S = 2_208_988_800
"""From 1900, where NTP begins, to 1970."""
_TAG_A_SECOND = 1 << 32


class FarAheadError(ConfigError):
    """A time tag that is further ahead than messages are kept."""


def ahead_s(tag: int, unix_s: float) -> float:
    """Return in how many seconds a time tag is due at most MOST_AHEAD_S from now; 0 for one that says "now" or is late.

    Raises FarAheadError for a later one.
    """
    if tag <= IMMEDIATELY:
        return 0.0
    wait_s = tag / _TAG_A_SECOND - _UNIX_BEGAN_S - unix_s
    if wait_s > MOST_AHEAD_S:
        raise FarAheadError(
            f"This bundle is due in {wait_s:.3g} s, and at most {MOST_AHEAD_S:g} s are waited for; "
            "send it later, without a time, or set the clocks of both machines by NTP."
        )
    return max(0.0, wait_s)


class Schedule:
    """Messages that wait, in the order in which they are due; those due at once stay in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, bytes, Sender | None]] = []
        self._numbers = count()
        self._bytes = 0

    @property
    def next_s(self) -> float | None:
        """When the next message is due; None when none waits."""
        return self._waiting[0][0] if self._waiting else None

    def put(self, due_s: float, message: bytes, sender: Sender | None) -> None:
        """Keep a message until `due_s` (clock time). Raises ConfigError when too many wait."""
        if len(self._waiting) >= MOST_SCHEDULED or self._bytes + len(message) > MOST_SCHEDULED_BYTES:
            raise ConfigError(
                f"{len(self._waiting)} messages wait for their time, and no more are kept; send fewer ahead."
            )
        self._bytes += len(message)
        heapq.heappush(self._waiting, (due_s, next(self._numbers), message, sender))

    def take(self, now_s: float) -> list[tuple[bytes, Sender | None]]:
        """Remove and return what is due."""
        due = list[tuple[bytes, Sender | None]]()
        while self._waiting and self._waiting[0][0] <= now_s:
            _, _, message, sender = heapq.heappop(self._waiting)
            self._bytes -= len(message)
            due.append((message, sender))
        return due
