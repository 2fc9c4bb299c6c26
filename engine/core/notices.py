"""Lines for the user that do not flood: what goes wrong twenty times a second is told now and then, with its count.

A line that cannot be told, because the terminal is gone or the file behind it has no room, is no reason to stop a show.
"""

from __future__ import annotations

from collections.abc import Callable

INTERVAL_S = 10.0


class Notices:
    """Passes lines on to `notify`, those of one kind at most every `interval_s`."""

    def __init__(self, notify: Callable[[str], None], interval_s: float = INTERVAL_S) -> None:
        self._notify = notify
        self._interval_s = interval_s
        self._told_s: dict[str, float] = {}
        self._untold: dict[str, int] = {}
        self.lost_lines = 0

    def tell(self, line: str) -> None:
        """Pass one line on as it is."""
        try:
            self._notify(line)
        # ValueError: standard output was closed.
        except (OSError, ValueError):
            self.lost_lines += 1

    def tell_sparsely(self, kind: str, line: str, now_s: float, count: int = 1) -> None:
        """Count `count` events of one kind and pass `line` on, with {count} filled in, unless one was told a moment ago."""
        self._untold[kind] = self._untold.get(kind, 0) + count
        if now_s - self._told_s.get(kind, float("-inf")) >= self._interval_s:
            self._told_s[kind] = now_s
            self.tell(line.replace("{count}", str(self._untold.pop(kind))))
