"""Notices that a window which the processor draws costs the show its steps, says what helps, and draws it less often where it may."""

from __future__ import annotations

from collections.abc import Sequence

from engine.output.sink import WindowSink
from engine.render.runtime import Runtime

PERIOD_S = 3.0
"""Steps and drawings are counted for so long at a time. A period alone, such as the first one, says nothing."""
MOST_SKIPPED = 0.1
"""Share of a period's hops that may be skipped."""
LEAST_DRAWING = 0.15
"""Share of a period that drawing takes where it is at fault."""


class WindowLoad:
    """The load of one present loop's windows. Everything here belongs to that loop's thread; times are those given."""

    def __init__(self, windows: Sequence[WindowSink], runtime: Runtime) -> None:
        self._windows = windows
        self._runtime = runtime
        self._begin_s: float | None = None
        self._drawing_s = 0.0
        self._hops = self._skipped_hops = 0
        self._heavy_periods = 0
        self._is_told = False
        self.is_eased = False
        """Whether only the model's frames, onsets and changed parameters are drawn from now on."""

    def drew(self, began_s: float, now_s: float) -> None:
        """Count one drawing."""
        if self._is_told or not any(window.is_drawn_by_processor for window in self._windows):
            return
        if self._begin_s is None:
            self._begin(now_s)
            return
        self._drawing_s += now_s - began_s
        passed_s = now_s - self._begin_s
        if passed_s >= PERIOD_S:
            self._judge(passed_s)
            self._begin(now_s)

    def _begin(self, now_s: float) -> None:
        statistics = self._runtime.statistics
        self._begin_s, self._drawing_s = now_s, 0.0
        self._hops, self._skipped_hops = statistics.hops, statistics.skipped_hops

    def _judge(self, passed_s: float) -> None:
        statistics = self._runtime.statistics
        hops, skipped = statistics.hops - self._hops, statistics.skipped_hops - self._skipped_hops
        is_heavy = skipped > MOST_SKIPPED * hops and self._drawing_s > LEAST_DRAWING * passed_s
        self._heavy_periods = self._heavy_periods + 1 if is_heavy else 0
        if self._heavy_periods < 2:
            return
        self._is_told = True
        self.is_eased = all(window.may_be_eased for window in self._windows)
        helps = (
            "effects move with the model's frames from now on, and a smaller window helps more"
            if self.is_eased
            else "a smaller window or --upscale auto helps"
        )
        self._runtime.notices.tell(
            f"The window costs the show its steps: {skipped} of {hops} were skipped in {passed_s:.0f} s, and the processor draws the "
            f"window; {helps}."
        )
