"""A measure of a film: its value, the same at other offsets of the sound, and its floor with shuffled sound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

LARGEST_OFFSET_S = 0.5

Series = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """NaN is "undefined" everywhere: the measure says nothing about this film."""

    value: float
    offsets_s: tuple[float, ...] = ()
    """By how much the sound was moved earlier for the curve; empty where there is none."""
    curve: tuple[float, ...] = ()
    floor_mean: float = math.nan
    """With the film's own sound from other moments."""
    floor_deviation: float = math.nan

    @classmethod
    def of(cls, value: float, offsets_s: Sequence[float], curve: Series, floor: Series) -> Self:
        """Build a figure; a floor of fewer than two values has no deviation."""
        known = floor[np.isfinite(floor)]
        return cls(
            value=value,
            offsets_s=tuple(offsets_s),
            curve=tuple(curve.tolist()),
            floor_mean=float(known.mean()) if len(known) else math.nan,
            floor_deviation=float(known.std()) if len(known) > 1 else math.nan,
        )

    @property
    def best_offset_s(self) -> float:
        """How late the sound comes, by this measure: the offset with the highest value, of equals the nearest to 0.

        NaN where the curve is undefined, flat or not there.
        """
        values = np.array(self.curve)
        if not len(values) or not np.isfinite(values).all() or np.ptp(values) == 0.0:
            return math.nan
        best = np.flatnonzero(values >= values.max() - 1e-12)
        return min((self.offsets_s[index] for index in best), key=abs)


def offsets_within(step_s: float, largest_s: float = LARGEST_OFFSET_S) -> list[float]:
    """Return the multiples of a step from -`largest_s` to it, with 0."""
    most = math.floor(largest_s / step_s + 1e-6)
    return [number * step_s for number in range(-most, most + 1)]


def mean_of_known(values: Sequence[float]) -> float:
    """Return the mean of what is defined, or NaN."""
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan


def defined(value: float) -> float | None:
    """Return a value for JSON, which has no NaN: None where it is undefined."""
    return value if math.isfinite(value) else None
