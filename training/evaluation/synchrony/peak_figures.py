"""Measures that need no training: the correlation of loudness with motion, and AV-Align."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics.synchrony import (
    LARGEST_LAG,
    LEAST_FRAMES,
    LoudnessScale,
    correlations_at,
    loudness,
    shuffled_offsets,
    synchrony,
)
from training.evaluation.synchrony.av_align import VARIANTS, Variant, av_align
from training.evaluation.synchrony.figures import Figure, offsets_within
from training.evaluation.synchrony.film import SOUND_RATE_HZ, Film

LOUDNESS_MOTION = "loudness-motion"
AV_ALIGN: dict[Variant, str] = {variant: f"AV-Align {variant}" for variant in VARIANTS}
COARSE_SHARE = 0.5
"""A tolerance of more than this share of the time between onsets, to both sides, leaves nothing to miss."""

Series = NDArray[np.float64]


def loudness_motion(film: Film, scale: LoudnessScale, shifts: int) -> Figure:
    """Return the correlation at its best lag, as `metrics.synchrony` defines it. Undefined for fewer than 20 frames."""
    if film.frames < LEAST_FRAMES:
        return Figure(value=math.nan)
    loudness_N = loudness(film.sound_S, film.frames, SOUND_RATE_HZ / film.fps, scale)
    found = synchrony(loudness_N, film.motion_N, shifts=shifts)
    if film.is_silent or not film.motion_N.any():
        return Figure(value=math.nan)
    offsets_s = offsets_within(1.0 / film.fps)
    curve = correlations_at(loudness_N, film.motion_N, [round(offset_s * film.fps) for offset_s in offsets_s])
    return Figure(
        value=found.correlation,
        offsets_s=tuple(offsets_s),
        curve=tuple(curve.tolist()),
        floor_mean=found.floor_mean,
        floor_deviation=found.floor_deviation,
    )


def av_align_figure(film: Film, variant: Variant, shifts: int) -> Figure:
    """Return AV-Align with its curve over offsets and its floor, for which the onsets are shifted in a circle."""
    offsets_s = offsets_within(1.0 / film.fps)

    def value(offset_s: float) -> float:
        return av_align(_moved(film, offset_s), film.flow_N, film.fps, variant)

    shuffled_s = shuffled_offsets(film.frames, LARGEST_LAG + 1, shifts) / film.fps
    return Figure.of(
        value(0.0),
        offsets_s,
        np.array([value(offset_s) for offset_s in offsets_s]),
        np.array([value(offset_s) for offset_s in shuffled_s.tolist()]),
    )


def tolerance_notices(film: Film) -> list[str]:
    """Return sentences where a film says little: too short for loudness-motion, no onsets, or less time between them than AV-Align's tolerance."""
    onsets_s = film.onsets_s
    few = [f"{film.path.name} has {film.frames} frames; {LOUDNESS_MOTION} needs {LEAST_FRAMES}, so it is undefined."]
    short = few if film.frames < LEAST_FRAMES else []
    if film.is_silent:
        return short
    if not len(onsets_s):
        return [*short, f"{film.path.name}: its sound has no onsets, so AV-Align is undefined."]
    between_s = float(np.median(np.diff(onsets_s))) if len(onsets_s) > 1 else math.inf
    if 1.0 / film.fps > COARSE_SHARE * between_s:
        return [
            *short,
            f"{film.path.name}: at {film.fps} frames a second AV-Align's tolerance is ±{1000 / film.fps:.0f} ms and its onsets are "
            f"{1000 * between_s:.0f} ms apart, so nearly any motion matches; compare with the floor, or use a film of a higher rate.",
        ]
    return short


def _moved(film: Film, offset_s: float) -> Series:
    """Return the onsets moved earlier, in a circle, so that none is lost."""
    return np.sort((film.onsets_s - offset_s) % film.duration_s)
