"""Notices that the machine has slept: drivers often come back dead and say nothing."""

from __future__ import annotations

from collections.abc import Callable

LEAST_SLEEP_S = 2.0
"""Less is no sleep: the two clocks are read one after the other."""


class SleepWatch:
    """Watches the time that the machine has slept so far, as `asleep_s` tells it."""

    def __init__(self, asleep_s: Callable[[], float]) -> None:
        self._asleep_s = asleep_s
        self._known_s = asleep_s()

    def slept_s(self) -> float:
        """Return how long the machine has slept since the last call; 0 if it has not."""
        slept_s = self._asleep_s() - self._known_s
        if slept_s < LEAST_SLEEP_S:
            return 0.0
        self._known_s += slept_s
        return slept_s
