"""How knobs get from one value to the next: glides between scenes, and the low-pass of `smoothing_ms`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from engine.control.parameter import Parameter, Value
from engine.core.shaping_functions import smoothstep

CLOSE = 1e-4
"""A knob that is so near to its value, as a share of its range, has reached it: neutral shall be neutral to the bit."""
AT_ONCE = frozenset({"smoothing_ms", "crossfade_s", "tempo_bpm", "look_ahead_ms", "hit_decay_ms"})
"""Numbers that mean something only as a whole: half way to another tempo is no tempo."""

Values = Mapping[str, Value]


def is_continuous(parameter: Parameter) -> bool:
    """Whether values between two of its values make sense."""
    return parameter.kind == "float" and parameter.name not in AT_ONCE


@dataclass(frozen=True, slots=True)
class Glide:
    """A way from the values of one moment to whatever is given afterwards."""

    start: Values
    start_s: float
    duration_s: float

    def values(self, given: Values, parameters: Mapping[str, Parameter], time_s: float) -> Values:
        """Return `given` with every continuous knob as far on its way as `time_s` says."""
        share = smoothstep(0.0, self.duration_s, time_s - self.start_s)
        on_the_way = dict(given)
        for name, value in given.items():
            parameter = parameters.get(name)
            if parameter and is_continuous(parameter) and name in self.start:
                on_the_way[name] = self.start[name] + (value - self.start[name]) * share
        return on_the_way

    def is_over(self, time_s: float) -> bool:
        return time_s - self.start_s >= self.duration_s


class Smoothing:
    """A one-pole low-pass of every continuous knob: after `smoothing_ms` 63 % of the way is done, whatever the frame rate.

    value(t + dt) = given + (value(t) - given) * exp(-dt / smoothing). The first value jumps; while time
    stands still or runs backwards, values rest.
    """

    def __init__(self) -> None:
        self._last: Values = {}
        self._last_s = -math.inf

    def values(self, given: Values, parameters: Mapping[str, Parameter], time_s: float) -> Values:
        """Return `given`, smoothed; itself where nothing is under way."""
        smoothing_s = float(given.get("smoothing_ms", 0.0)) / 1000.0
        passed_s = time_s - self._last_s
        self._last_s = time_s
        if smoothing_s <= 0.0 or given == self._last or not math.isfinite(passed_s):
            self._last = given
            return given
        kept = math.exp(-max(passed_s, 0.0) / smoothing_s)
        smoothed = dict(given)
        for name, value in given.items():
            parameter = parameters.get(name)
            if parameter and is_continuous(parameter) and name in self._last:
                rest = (self._last[name] - value) * kept
                smoothed[name] = value + rest if abs(rest) > CLOSE * (parameter.high - parameter.low) else value
        self._last = smoothed
        return smoothed
