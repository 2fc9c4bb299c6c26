"""Functions for expressions in mappings, from numbers to a number. Phases count cycles: 0.25 is a quarter, and so is 1.25."""

from __future__ import annotations

import math

_WORD = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9
"""Added first: the finaliser maps 0, where every show begins, to 0."""


def floor(x: float) -> float:
    """Return the largest whole number that is not above `x`."""
    return float(math.floor(x))


def fract(x: float) -> float:
    """Return the fractional part of `x`: of a phase, a ramp from 0 to 1."""
    return x % 1.0


def clamp(x: float, low: float, high: float) -> float:
    """Return `x` limited to `low` to `high`."""
    return min(max(x, low), high)


def mix(x: float, y: float, share: float) -> float:
    """Interpolate linearly from `x` (`share` 0) to `y` (`share` 1)."""
    return x + (y - x) * share


def step(edge: float, x: float) -> float:
    """Return 0 below `edge`, else 1."""
    return float(x >= edge)


def smoothstep(low: float, high: float, x: float) -> float:
    """Rise smoothly from 0 at `low` to 1 at `high`: t^2 (3 - 2 t). Raises ZeroDivisionError where `low` equals `high`."""
    t = clamp((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def square(phase: float) -> float:
    """Return 1 in the first half of each cycle and 0 in the second."""
    return float(phase % 1.0 < 0.5)


def triangle(phase: float) -> float:
    """Return 0 at the ends of each cycle and 1 in its middle."""
    return 1.0 - abs(2.0 * (phase % 1.0) - 1.0)


def noise(x: float) -> float:
    """Return smooth noise from 0 to 1, always the same at the same `x`: a hash at whole numbers, eased between them."""
    whole = math.floor(x)
    low, high = _hash(whole), _hash(whole + 1)
    t = x - whole
    return low + (high - low) * t * t * (3.0 - 2.0 * t)


def _hash(whole: int) -> float:
    """Return a number from 0 to below 1: the finaliser of MurmurHash3 (Appleby, public domain), of 32 bits."""
    word = whole + _GOLDEN & _WORD
    word = (word ^ word >> 16) * 0x85EBCA6B & _WORD
    word = (word ^ word >> 13) * 0xC2B2AE35 & _WORD
    return (word ^ word >> 16) / 2**32
