"""When Python collects garbage: between pictures, never in the middle of one.

Python looks for unreachable cycles whenever enough objects were made, in whatever thread made the last one, and a full look goes
through every object there is: tens of milliseconds with the libraries of a show loaded, at any moment. So what was loaded before
the show is left out for good, and the looks are taken when the step thread has time to spare.
"""

from __future__ import annotations

import gc
from typing import Any

from engine.core.clock import Clock

YOUNG_OBJECTS = 700
"""New objects after which the young ones are looked through: Python's own threshold."""
FULL_EVERY_S = 20.0
LONGEST_DELAY_S = 60.0
"""After so long without time to spare a full look is taken all the same, lest memory grow."""


class GcSchedule:
    """Takes collection into its own hands from `begin` to `end`. `rest` belongs to the step thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_full_s = clock.now_s()
        self._full_takes_s = 0.0
        self._begun = False
        self.looks = 0
        self.longest_look_s = 0.0

    def begin(self) -> None:
        """Leave everything that is there now out of all later looks, and switch the automatic ones off."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._begun = True
        self._last_full_s = self._clock.now_s()

    def rest(self, spare_s: float) -> None:
        """Look if there is reason to, and if it fits into the `spare_s` that are left until the next step."""
        if not self._begun:
            return
        since_s = self._clock.now_s() - self._last_full_s
        fits = spare_s > 2.0 * self._full_takes_s
        if since_s > FULL_EVERY_S and (fits or since_s > LONGEST_DELAY_S):
            self._full_takes_s = self._look(2)
            self._last_full_s = self._clock.now_s()
        elif gc.get_count()[0] > YOUNG_OBJECTS:
            self._look(0)

    def end(self) -> None:
        """Give collection back to Python; safe to call twice."""
        if self._begun:
            self._begun = False
            gc.unfreeze()
            gc.enable()

    def __enter__(self) -> GcSchedule:
        self.begin()
        return self

    def __exit__(self, *exception: Any) -> None:
        self.end()

    def _look(self, generation: int) -> float:
        began_s = self._clock.now_s()
        gc.collect(generation)
        took_s = self._clock.now_s() - began_s
        self.looks += 1
        self.longest_look_s = max(self.longest_look_s, took_s)
        return took_s
