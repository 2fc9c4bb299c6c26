"""How parameters get from one value to the next: glides between scenes, and the low-pass of `smoothing_ms`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from engine.control.parameter import Parameter, Value
from engine.control.parameter_table import ShowValues
from engine.core.shaping_functions import smoothstep

CLOSE = 1e-4
"""A value this near to its target, as a share of the range, becomes the target: neutral values must be bit-exact."""

Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Glide:
    """A transition from the values at one time to the values set afterwards."""

    start: Values
    start_s: float
    duration_s: float

    def values(self, given: Values, parameters: Mapping[str, Parameter], time_s: float) -> Values:
        """Return `given` with every continuous parameter between its start and its target, as far as `time_s` has come."""
        share = smoothstep(0.0, self.duration_s, time_s - self.start_s)
        glided = dict(given)
        for name, value in given.items():
            parameter = parameters.get(name)
            if parameter and parameter.is_continuous and name in self.start:
                glided[name] = self.start[name] + (value - self.start[name]) * share
        return glided

    def is_over(self, time_s: float) -> bool:
        return time_s - self.start_s >= self.duration_s


class Smoothing:
    """A one-pole low-pass on every continuous parameter: after `smoothing_ms` 63 % of the way is done, at any frame rate.

    value(t + dt) = given + (value(t) - given) * exp(-dt / smoothing). The first value jumps; while time
    stands still or runs backwards, values stay.
    """

    def __init__(self) -> None:
        self._last: Values = {}
        self._last_s = -math.inf

    def values(self, given: Values, parameters: Mapping[str, Parameter], time_s: float) -> Values:
        """Return `given`, smoothed; `given` itself where nothing changes."""
        smoothing_s = float(ShowValues(given).smoothing_ms) / 1000.0
        passed_s = time_s - self._last_s
        self._last_s = time_s
        if smoothing_s <= 0.0 or given == self._last or not math.isfinite(passed_s):
            self._last = given
            return given
        left = math.exp(-max(passed_s, 0.0) / smoothing_s)
        smoothed = dict(given)
        for name, value in given.items():
            parameter = parameters.get(name)
            if parameter and parameter.is_continuous and name in self._last:
                rest = (self._last[name] - value) * left
                smoothed[name] = value + rest if abs(rest) > CLOSE * (parameter.high - parameter.low) else value
        self._last = smoothed
        return smoothed
