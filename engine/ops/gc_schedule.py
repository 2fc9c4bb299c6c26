"""Garbage collection between frames instead of within a step.

Python collects whenever enough objects were made, in the thread that made the last one. A full collection visits every object:
tens of milliseconds with the libraries of a show loaded. Here, what was loaded before the show is frozen (never visited again),
automatic collection is off, and the step thread collects when it has time to spare.
"""

from __future__ import annotations

import gc
from typing import Any

from engine.core.clock import Clock

YOUNG_OBJECTS = 700
"""New objects after which the young generation is collected: Python's own threshold."""
FULL_EVERY_S = 20.0
LONGEST_DELAY_S = 60.0
"""After so long without spare time a full collection runs all the same, or memory would grow."""


class GcSchedule:
    """Replaces automatic collection from `start` to `stop`. `collect` belongs to the step thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_full_s = clock.now_s()
        self._full_takes_s = 0.0
        self._is_started = False
        self.collections = 0
        self.longest_collection_s = 0.0

    def start(self) -> None:
        """Freeze all objects that exist now and switch automatic collection off."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._is_started = True
        self._last_full_s = self._clock.now_s()

    def collect(self, spare_s: float) -> None:
        """Collect if it is due and fits into the `spare_s` seconds until the next step."""
        if not self._is_started:
            return
        since_s = self._clock.now_s() - self._last_full_s
        fits = spare_s > 2.0 * self._full_takes_s
        if since_s > FULL_EVERY_S and (fits or since_s > LONGEST_DELAY_S):
            self._full_takes_s = self._collect(2)
            self._last_full_s = self._clock.now_s()
        elif gc.get_count()[0] > YOUNG_OBJECTS:
            self._collect(0)

    def stop(self) -> None:
        """Return to automatic collection; safe to call twice."""
        if self._is_started:
            self._is_started = False
            gc.unfreeze()
            gc.enable()

    def __enter__(self) -> GcSchedule:
        self.start()
        return self

    def __exit__(self, *exception: Any) -> None:
        self.stop()

    def _collect(self, generation: int) -> float:
        started_s = self._clock.now_s()
        gc.collect(generation)
        took_s = self._clock.now_s() - started_s
        self.collections += 1
        self.longest_collection_s = max(self.longest_collection_s, took_s)
        return took_s
