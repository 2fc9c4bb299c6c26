"""The functions that shape a mapping, each from numbers to a number. Phases count turns: 0.25 is a quarter, 1.25 the same."""

from __future__ import annotations

import math

_WORD = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9
"""Added before, since the finaliser leaves 0 at 0, where every show begins."""


def floor(x: float) -> float:
    """Return the whole number at or below `x`."""
    return float(math.floor(x))


def fract(x: float) -> float:
    """Return what `x` has above its whole number; of a phase, a ramp from 0 up to 1."""
    return x % 1.0


def clamp(x: float, low: float, high: float) -> float:
    """Return the nearest to `x` from `low` to `high`."""
    return min(max(x, low), high)


def mix(x: float, y: float, share: float) -> float:
    """Return `x` where `share` is 0, `y` where it is 1, and what lies between."""
    return x + (y - x) * share


def step(edge: float, x: float) -> float:
    """Return 0 below `edge` and 1 from there on."""
    return float(x >= edge)


def smoothstep(low: float, high: float, x: float) -> float:
    """Return 0 up to `low` and 1 from `high` on, without a corner: t^2 (3 - 2 t). Raises ZeroDivisionError where they are one."""
    t = clamp((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def square(phase: float) -> float:
    """Return 1 in the first half of the turn and 0 in the second."""
    return float(phase % 1.0 < 0.5)


def triangle(phase: float) -> float:
    """Return 0 at the turn's ends, 1 in its middle."""
    return 1.0 - abs(2.0 * (phase % 1.0) - 1.0)


def noise(x: float) -> float:
    """Return a smooth wander from 0 to 1 that is the same at every `x` for ever: a hash at whole numbers, eased between them."""
    whole = math.floor(x)
    low, high = _hash(whole), _hash(whole + 1)
    t = x - whole
    return low + (high - low) * t * t * (3.0 - 2.0 * t)


def _hash(whole: int) -> float:
    """Return a number from 0 up to 1: the finaliser of MurmurHash3 (Appleby, public domain), of 32 bits."""
    word = whole + _GOLDEN & _WORD
    word = (word ^ word >> 16) * 0x85EBCA6B & _WORD
    word = (word ^ word >> 13) * 0xC2B2AE35 & _WORD
    return (word ^ word >> 16) / 2**32
