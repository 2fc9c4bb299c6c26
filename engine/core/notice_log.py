"""The newest lines that a show told, numbered, so that remotes and pages can show what they have not shown yet."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from engine.core.clock import Clock

MOST_LINES = 200


class ToldLine(NamedTuple):
    """One line."""

    number: int
    """Counts from 1."""
    at_s: float
    """Clock time."""
    text: str


class NoticeLog:
    """Passes lines on to `tell` and keeps the newest. Any thread may call."""

    def __init__(self, tell: Callable[[str], None], clock: Clock, most: int = MOST_LINES) -> None:
        self._tell = tell
        self._clock = clock
        self._lines: deque[ToldLine] = deque(maxlen=most)
        self._lock = threading.Lock()

    def tell(self, text: str) -> None:
        """Keep a line and pass it on."""
        with self._lock:
            number = self._lines[-1].number + 1 if self._lines else 1
            self._lines.append(ToldLine(number, self._clock.now_s(), text))
        self._tell(text)

    def since(self, number: int) -> Sequence[ToldLine]:
        """Return the lines after that number, as far as they are kept."""
        # list() copies a deque atomically.
        return [line for line in list(self._lines) if line.number > number]
