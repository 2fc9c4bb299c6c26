"""Figures by frame position: how the error goes along a sequence that starts from the initial state."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# T frames, R rollouts

Series = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """Mean and deviation (n - 1; NaN for one rollout) of a figure at frame positions, counted from 1.

    Fewer rollouts reach the later positions: `rollouts` tells how many.
    """

    position: NDArray[np.int64]
    mean: Series
    deviation: Series
    rollouts: NDArray[np.int64]

    @classmethod
    def of(cls, rollouts: Sequence[Series]) -> Curve:
        """Summarise figures [T] of rollouts, each from position 1 on; NaN where not measured."""
        longest = max(len(values) for values in rollouts)
        values_RT = np.full((len(rollouts), longest), np.nan)
        for row, values in zip(values_RT, rollouts, strict=True):
            row[: len(values)] = values
        counts = (~np.isnan(values_RT)).sum(axis=0)
        measured = np.flatnonzero(counts)
        values_RT, counts = values_RT[:, measured], counts[measured]
        mean = np.nanmean(values_RT, axis=0)
        squares = np.nansum((values_RT - mean) ** 2, axis=0)
        deviation = np.sqrt(squares / np.where(counts > 1, counts - 1, np.nan))
        return cls(measured + 1, mean, deviation, counts)

    def runs(self) -> list[slice]:
        """Return the stretches that have the same number of rollouts: between them the mean is over others and may jump."""
        borders = [0, *(np.flatnonzero(np.diff(self.rollouts)) + 1).tolist(), len(self.position)]
        return [slice(begin, end) for begin, end in itertools.pairwise(borders)]


def curves(rollouts: Sequence[Mapping[str, Series]]) -> dict[str, Curve]:
    """Return the curve of each figure."""
    labels = dict.fromkeys(label for rollout in rollouts for label in rollout)
    return {label: Curve.of([rollout[label] for rollout in rollouts if label in rollout]) for label in labels}
