"""One measure of rendered clips, with its floor and its ceiling, and the equations that need no network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.evaluation.synchrony.figures import mean_of_known

# N samples, M classes

LEAST_SAMPLES = 2
"""Of the Inception Score: the mean of one alone is itself."""

Better = Literal["higher", "lower"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """A line of the table; NaN is "undefined"."""

    name: str
    better: Better
    value: float
    floor: float
    ceiling: float
    deviation: float = math.nan
    """Of the value, over the clips; not there for a measure of all clips together."""
    clips: int
    """For which the value is defined."""
    floor_is: str
    ceiling_is: str
    each: tuple[float, ...] = ()
    """The value of each clip, where it has one."""

    @classmethod
    def over_clips(
        cls,
        name: str,
        each: Sequence[float],
        floor: Sequence[float],
        ceiling: Sequence[float],
        *,
        floor_is: str,
        ceiling_is: str,
    ) -> Measure:
        """Return the mean over the clips for which each of the three is defined."""
        known = [value for value in each if math.isfinite(value)]
        return cls(
            name=name,
            better="higher",
            value=mean_of_known(each),
            floor=mean_of_known(floor),
            ceiling=mean_of_known(ceiling),
            deviation=float(np.std(known, ddof=1)) if len(known) > 1 else math.nan,
            clips=len(known),
            floor_is=floor_is,
            ceiling_is=ceiling_is,
            each=tuple(each),
        )


def inception_score(probabilities_NM: NDArray[np.float64]) -> float:
    """Return exp of the mean Kullback-Leibler divergence of each sample's class probabilities from their mean (arXiv 1606.03498).

    1 where all are alike, up to the number of classes where each is sure and all classes come equally often. Undefined (NaN) for
    fewer than two samples. All samples count together; some programs take the mean over ten parts.
    """
    if len(probabilities_NM) < LEAST_SAMPLES:
        return math.nan
    usual_M = np.broadcast_to(probabilities_NM.mean(axis=0), probabilities_NM.shape)
    # What has no probability adds nothing: x log x goes to 0.
    possible = probabilities_NM > 0.0
    ratio = np.log(probabilities_NM[possible] / usual_M[possible])
    divergence = float((probabilities_NM[possible] * ratio).sum() / len(probabilities_NM))
    # A divergence is never below 0; rounding may leave it a little below.
    return math.exp(max(0.0, divergence))
