"""From times of clicks and of light to figures: pure functions."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RATE_HZ = 48000
SERVER_WITHIN_S = 0.3
LIGHT_WITHIN_S = 0.28
"""Less than the shortest distance between two clicks."""
EARLIEST_S = -0.02
ENVELOPE_S = 2.0


class Heard(NamedTuple):
    """One block as it reached the listener."""

    end_sample: int
    arrived_s: float


class Click(NamedTuple):
    """One click on its way; None where it was not seen."""

    written_s: float
    """When the server had taken its first sample from the player."""
    left_s: float | None
    """When its first sample left the server, on the server's own even clock."""
    heard_s: float | None
    """When the block with its first sample reached an independent listener."""
    light_s: float | None
    """When the screen was first seen bright."""


def left_and_heard(blocks: Sequence[Heard], sample: int) -> tuple[float, float]:
    """Return when `sample` left the server and when its block reached the listener.

    A recording is even, its delivery is not: sample n leaves at t + n / rate, and the earliest delivery among the neighbouring
    blocks tells t. This is the earliest time at which anybody could have had the sample as the last one of a block.
    """
    position = bisect.bisect_right([block.end_sample for block in blocks], sample)
    reach = round(ENVELOPE_S * RATE_HZ)
    near = [block for block in blocks if abs(block.end_sample - sample) <= reach]
    begin_s = min(block.arrived_s - block.end_sample / RATE_HZ for block in near)
    return begin_s + sample / RATE_HZ, blocks[position].arrived_s


def follow_clicks(
    written_s: Sequence[float], heard_clicks: Sequence[tuple[float, float]], rises_s: Sequence[float]
) -> list[Click]:
    """Pair what was played with what left the server (left_s, heard_s) and with the light it made, each used once at most."""
    clicks: list[Click] = []
    heard, rises = list(heard_clicks), list(rises_s)
    for written in written_s:
        while heard and heard[0][1] < written + EARLIEST_S:
            heard.pop(0)
        came = heard.pop(0) if heard and heard[0][1] < written + SERVER_WITHIN_S else None
        origin = written if came is None else came[0]
        while rises and rises[0] < origin + EARLIEST_S:
            rises.pop(0)
        lit = rises.pop(0) if rises and rises[0] < origin + LIGHT_WITHIN_S else None
        clicks.append(Click(written, *(came or (None, None)), lit))
    return clicks


def spread_ms(times_s: Sequence[float]) -> dict[str, float]:
    """Return count, p50, p95, p99, max, min and the jitter p99 - p50, in milliseconds."""
    if not times_s:
        return {"count": 0}
    values = 1e3 * np.asarray(times_s)
    figures = {f"p{percent}": float(np.percentile(values, percent)) for percent in (50, 95, 99)}
    figures |= {"max": float(values.max()), "min": float(values.min()), "mean": float(values.mean())}
    figures["jitter"] = figures["p99"] - figures["p50"]
    return {"count": len(times_s), **{name: round(value, 2) for name, value in figures.items()}}


def histogram(times_s: Sequence[float], bin_ms: float = 5.0, width: int = 50) -> list[str]:
    """Return a histogram as lines of text."""
    if not times_s:
        return ["nothing was measured"]
    values = 1e3 * np.asarray(times_s)
    first, last = int(values.min() // bin_ms), int(values.max() // bin_ms)
    counts = [int(((values >= n * bin_ms) & (values < (n + 1) * bin_ms)).sum()) for n in range(first, last + 1)]
    return [
        f"{n * bin_ms:5.0f} ms {'#' * max(round(width * count / max(counts)), int(count > 0)):<{width}} {count}"
        for n, count in enumerate(counts, first)
    ]
