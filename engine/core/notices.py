"""Lines for the user, at a limited rate: an error that repeats twenty times a second is reported every ten seconds, with its count.

A line that cannot be printed, because the terminal is gone or the disk behind it is full, does not stop a show.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.core.counted import counted

INTERVAL_S = 10.0


class Notices:
    """Passes lines on to `notify`, those of one kind at most every `interval_s`."""

    def __init__(self, notify: Callable[[str], None], interval_s: float = INTERVAL_S) -> None:
        self._notify = notify
        self._interval_s = interval_s
        self._last_told_s: dict[str, float] = {}
        self._untold: dict[str, int] = {}
        self.lost_lines = 0
        """Lines that could not be printed."""

    def tell(self, line: str) -> None:
        """Pass one line on at once."""
        try:
            self._notify(line)
        # ValueError: standard output was closed.
        except (OSError, ValueError):
            self.lost_lines += 1

    def tell_sparsely(self, kind: str, line: str | Callable[[], str], now_s: float, count: int = 1) -> None:
        """Count `count` events of one kind; pass `line` on, {count} or {times} filled in, if none was told within the interval.

        One that takes time to build is given as a function, which is called only when it is told.
        """
        self._untold[kind] = self._untold.get(kind, 0) + count
        if now_s - self._last_told_s.get(kind, float("-inf")) >= self._interval_s:
            self._last_told_s[kind] = now_s
            told = self._untold.pop(kind)
            text = line if isinstance(line, str) else line()
            self.tell(text.replace("{count}", f"{told:,}").replace("{times}", counted(told, "time")))


class ToldOnce:
    """Passes on one line for each of the first `most` things, and no more. For one thread at a time."""

    def __init__(self, notify: Callable[[str], None], most: int) -> None:
        self._notify = notify
        self._most = most
        self._told: set[str] = set()

    @property
    def is_full(self) -> bool:
        """Whether nothing more will be told."""
        return len(self._told) >= self._most

    def tell(self, thing: str, line: Callable[[], str]) -> None:
        """Pass on the line for `thing`, which is built only when it is told."""
        if thing in self._told or self.is_full:
            return
        self._told.add(thing)
        self._notify(line())
