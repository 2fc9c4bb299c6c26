"""Tempo from somebody tapping along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

MOST_TAPS = 8
LONGEST_GAP_S = 2.5
"""After a longer pause tapping begins anew."""
SHORTEST_GAP_S = 0.15
"""A tap sooner than this after another is the same tap."""
FAR_BEATS = 0.2
"""A tap this far from its beat does not count."""


@dataclass(frozen=True, slots=True)
class TappedBeat:
    period_s: float
    at_s: float
    """When a beat fell, by all taps together."""


def with_tap(taps_s: Sequence[float], tap_s: float) -> tuple[float, ...]:
    """Return the newest taps of the series after another one."""
    if not taps_s or tap_s - taps_s[-1] > LONGEST_GAP_S:
        return (tap_s,)
    if tap_s - taps_s[-1] < SHORTEST_GAP_S:
        return tuple(taps_s)
    return (*taps_s, tap_s)[-MOST_TAPS:]


def tapped_beat(taps_s: Sequence[float]) -> TappedBeat | None:
    """Return the beat that a series of taps means, None from fewer than two.

    A straight line is laid through taps over beats, and once more without those far from it: a beat left out and a tap beside the
    beat do not matter.
    """
    if len(taps_s) < 2:
        return None
    period_s = median(after - before for before, after in pairwise(taps_s))
    at_s, kept_s = taps_s[-1], list(taps_s)
    for _ in range(2):
        beats = [round((tap_s - at_s) / period_s) for tap_s in kept_s]
        if beats[0] == beats[-1]:
            break
        at_s, period_s = _line(beats, kept_s)
        near_s = [tap_s for tap_s in kept_s if _distance(tap_s, at_s, period_s) <= FAR_BEATS]
        kept_s = near_s if len(near_s) >= 2 else kept_s
    return TappedBeat(period_s, at_s)


def _distance(tap_s: float, at_s: float, period_s: float) -> float:
    beats = (tap_s - at_s) / period_s
    return abs(beats - round(beats))


def _line(beats: Sequence[int], taps_s: Sequence[float]) -> tuple[float, float]:
    """Return intercept and slope of the least-squares line."""
    mean_beat, mean_s = sum(beats) / len(beats), sum(taps_s) / len(taps_s)
    spread = sum((beat - mean_beat) ** 2 for beat in beats)
    slope = sum((beat - mean_beat) * (tap_s - mean_s) for beat, tap_s in zip(beats, taps_s, strict=True)) / spread
    return mean_s - slope * mean_beat, slope
