"""AV-Align: how many onsets of the sound and peaks of the motion go together (Yariv et al., TempoTokens, AAAI 2024).

Three definitions are published under one name, and figures of one say nothing about another:

    v2025   github.com/guyyariv/TempoTokens since February 2025: each onset in order takes the first peak less than a frame away that
            no other took; peaks below 0.1 pixels count as none; matches / (onsets + peaks - matches)
    v2023   its first release: every peak counts, and several onsets may share one, so the value can be greater than 1
    paper   equation 9: (onsets near a peak + peaks near an onset) / 2, over onsets + peaks minus that; near: within three frames,
            so at most one and a half away

Defined here, since none of them says it: without an onset the value is undefined (NaN), whatever moves. With onsets and without a
peak it is 0.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.evaluation.synchrony.flow_motion import motion_peaks

# N frames

Series = NDArray[np.float64]
Variant = Literal["paper", "v2023", "v2025"]
VARIANTS: tuple[Variant, ...] = ("paper", "v2023", "v2025")
LEAST_FLOW = {"paper": 0.0, "v2023": 0.0, "v2025": 0.1}
"""Least peak, in pixels."""
PAPER_REACH = 1.5
"""Frames to both sides: a window of three."""


def av_align(onsets_s: Series, flow_N: Series, fps: float, variant: Variant) -> float:
    """Return the value, or NaN without an onset. `flow_N` is the mean flow into each frame, in pixels."""
    peaks_s = motion_peaks(flow_N, fps, LEAST_FLOW[variant])
    if not len(onsets_s):
        return math.nan
    if variant == "paper":
        return _near_each_other(onsets_s, peaks_s, PAPER_REACH / fps)
    matches = _matches(onsets_s.tolist(), peaks_s.tolist(), 1.0 / fps, shared=variant == "v2023")
    return matches / (len(onsets_s) + len(peaks_s) - matches)


def _matches(onsets_s: list[float], peaks_s: list[float], reach_s: float, *, shared: bool) -> int:
    """Count the onsets that find a peak less than `reach_s` away."""
    free, count = list(peaks_s), 0
    for onset_s in onsets_s:
        near = next((peak_s for peak_s in free if peak_s - reach_s < onset_s < peak_s + reach_s), None)
        if near is not None:
            count += 1
            if not shared:
                free.remove(near)
    return count


def _near_each_other(onsets_s: Series, peaks_s: Series, reach_s: float) -> float:
    if not len(peaks_s):
        return 0.0
    is_near = np.abs(onsets_s[:, None] - peaks_s) <= reach_s
    common = (is_near.any(axis=1).sum() + is_near.any(axis=0).sum()) / 2.0
    return float(common / (len(onsets_s) + len(peaks_s) - common))
