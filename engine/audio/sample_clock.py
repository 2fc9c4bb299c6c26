"""When the samples of a show were captured: the noisy capture times of blocks made into one smooth clock."""

from __future__ import annotations

import math

SETTLES_S = 2.0
"""Time in which the clock follows a sound card whose pace differs from this machine's."""
JUMP_S = 0.05
"""An error beyond this is a pause of the sound, not noise."""


class SampleClock:
    """From samples of the sound, counted since the start, to times. It is told of blocks by `observe`."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._start_s = 0.0
        """When sample 0 was captured."""
        self._sample = -1.0
        self._observed = 0

    @property
    def is_known(self) -> bool:
        return self._observed > 0

    def observe(self, sample: float, captured_s: float) -> None:
        """Take the time at which the newest sample was captured. The same sample again changes nothing."""
        if sample == self._sample:
            return
        start_s = captured_s - sample / self._rate_hz
        error_s, passed_s = start_s - self._start_s, (sample - self._sample) / self._rate_hz
        self._sample = sample
        if not self.is_known or abs(error_s) > JUMP_S or passed_s < 0.0:
            self._start_s, self._observed = start_s, 1
            return
        self._observed += 1
        self._start_s += max(1.0 / self._observed, 1.0 - math.exp(-passed_s / SETTLES_S)) * error_s

    def time_s(self, sample: float) -> float:
        """Return when `sample` was or will be captured."""
        return self._start_s + sample / self._rate_hz
