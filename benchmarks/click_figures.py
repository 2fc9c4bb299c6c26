"""Latency figures from the times of clicks and light: pure functions."""

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


class CapturedBlock(NamedTuple):
    """One block as it reached the recording client."""

    end_sample: int
    arrived_s: float


class Click(NamedTuple):
    """The times of one click; None where it was not found."""

    written_s: float
    """When the server had received its first sample from the player."""
    left_s: float | None
    """When its first sample left the server, by the clock of the recording."""
    captured_s: float | None
    """When the block with its first sample reached an independent recording client."""
    light_s: float | None
    """When the screen was first bright."""


def left_and_captured(blocks: Sequence[CapturedBlock], sample: int) -> tuple[float, float]:
    """Return when `sample` left the server and when its block reached the recording client.

    Samples are evenly spaced, deliveries are not: sample n leaves at t + n / rate, and the earliest delivery among the
    neighbouring blocks gives t. No client can have the sample earlier as the last one of a block.
    """
    position = bisect.bisect_right([block.end_sample for block in blocks], sample)
    reach = round(ENVELOPE_S * RATE_HZ)
    near = [block for block in blocks if abs(block.end_sample - sample) <= reach]
    start_s = min(block.arrived_s - block.end_sample / RATE_HZ for block in near)
    return start_s + sample / RATE_HZ, blocks[position].arrived_s


def follow_clicks(
    written_s: Sequence[float], captured_clicks: Sequence[tuple[float, float]], rises_s: Sequence[float]
) -> list[Click]:
    """Pair played clicks with captured ones (left_s, captured_s) and with flashes, each used at most once."""
    clicks: list[Click] = []
    captured, rises = list(captured_clicks), list(rises_s)
    for written in written_s:
        while captured and captured[0][1] < written + EARLIEST_S:
            captured.pop(0)
        found = captured.pop(0) if captured and captured[0][1] < written + SERVER_WITHIN_S else None
        origin = written if found is None else found[0]
        while rises and rises[0] < origin + EARLIEST_S:
            rises.pop(0)
        lit = rises.pop(0) if rises and rises[0] < origin + LIGHT_WITHIN_S else None
        clicks.append(Click(written, *(found or (None, None)), lit))
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
