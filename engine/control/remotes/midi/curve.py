"""Curves between the way of a control, 0 to 1, and the way of a parameter between two ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from engine.core.shaping_functions import clamp, mix, smoothstep

CurveName = Literal["linear", "exponential", "s-curve"]
STEEPNESS = 100.0
"""How much faster an exponential curve rises at its end than at its beginning."""


class _Curve(NamedTuple):
    forward: Callable[[float], float]
    back: Callable[[float], float]


def _exponential(share: float) -> float:
    return (STEEPNESS**share - 1.0) / (STEEPNESS - 1.0)


def _logarithmic(share: float) -> float:
    return math.log1p((STEEPNESS - 1.0) * share) / math.log(STEEPNESS)


def _s_curve(share: float) -> float:
    return smoothstep(0.0, 1.0, share)


def _s_curve_back(share: float) -> float:
    # The inverse of t^2 (3 - 2 t).
    return 0.5 - math.sin(math.asin(1.0 - 2.0 * share) / 3.0)


_CURVES: Mapping[CurveName, _Curve] = MappingProxyType(
    {
        "linear": _Curve(float, float),
        "exponential": _Curve(_exponential, _logarithmic),
        "s-curve": _Curve(_s_curve, _s_curve_back),
    }
)


class Way(NamedTuple):
    """The way of a parameter from one end of a control to the other; `low` may be the larger one."""

    low: float
    high: float
    curve: CurveName = "linear"

    def value_at(self, share: float) -> float:
        """Return the value at a share of the control's way, 0 to 1."""
        return mix(self.low, self.high, _CURVES[self.curve].forward(clamp(share, 0.0, 1.0)))

    def share_of(self, value: float) -> float:
        """Return where on its way, 0 to 1, a control gives `value`, or the nearest that it can give."""
        if self.low == self.high:
            return 0.0
        return _CURVES[self.curve].back(clamp((value - self.low) / (self.high - self.low), 0.0, 1.0))
