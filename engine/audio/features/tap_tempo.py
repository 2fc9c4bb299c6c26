"""Tempo from taps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

MOST_TAPS = 8
LONGEST_GAP_S = 2.5
"""After a longer pause a new series starts."""
SHORTEST_GAP_S = 0.15
"""A sooner tap is a bounce of the same tap."""
FAR_BEATS = 0.2
"""A tap further from its beat does not count."""


@dataclass(frozen=True, slots=True)
class TappedBeat:
    """A beat fitted to taps."""

    period_s: float
    at_s: float
    """Time of one beat, fitted to all taps."""


def add_tap(taps_s: Sequence[float], tap_s: float) -> tuple[float, ...]:
    """Return the newest taps of the series with another one."""
    if not taps_s or tap_s - taps_s[-1] > LONGEST_GAP_S:
        return (tap_s,)
    if tap_s - taps_s[-1] < SHORTEST_GAP_S:
        return tuple(taps_s)
    return (*taps_s, tap_s)[-MOST_TAPS:]


def fit_beat(taps_s: Sequence[float]) -> TappedBeat | None:
    """Return the beat fitted to a series of taps; None for fewer than two.

    A least-squares line through taps over beats, fitted again without outliers: a missing tap and a tap off the beat do not matter.
    """
    if len(taps_s) < 2:
        return None
    period_s = median(after - before for before, after in pairwise(taps_s))
    at_s, inlier_taps_s = taps_s[-1], list(taps_s)
    for _ in range(2):
        beats = [round((tap_s - at_s) / period_s) for tap_s in inlier_taps_s]
        if beats[0] == beats[-1]:
            break
        at_s, period_s = _fit_line(beats, inlier_taps_s)
        near_s = [tap_s for tap_s in inlier_taps_s if _distance(tap_s, at_s, period_s) <= FAR_BEATS]
        inlier_taps_s = near_s if len(near_s) >= 2 else inlier_taps_s
    return TappedBeat(period_s, at_s)


def _distance(tap_s: float, at_s: float, period_s: float) -> float:
    beats = (tap_s - at_s) / period_s
    return abs(beats - round(beats))


def _fit_line(beats: Sequence[int], taps_s: Sequence[float]) -> tuple[float, float]:
    """Return intercept and slope of the least-squares line."""
    mean_beat, mean_s = sum(beats) / len(beats), sum(taps_s) / len(taps_s)
    spread = sum((beat - mean_beat) ** 2 for beat in beats)
    slope = sum((beat - mean_beat) * (tap_s - mean_s) for beat, tap_s in zip(beats, taps_s, strict=True)) / spread
    return mean_s - slope * mean_beat, slope
