"""Measures that need no training: the correlation of loudness with motion, and AV-Align."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics.synchrony import (
    LARGEST_LAG,
    LEAST_FRAMES,
    LOUDNESS_FLOOR_DB,
    SHIFTS,
    LoudnessScale,
    Synchrony,
    correlations_at,
    loudness,
    shuffled_offsets,
    synchrony,
)
from training.evaluation.synchrony.av_align import VARIANTS, Variant, av_align
from training.evaluation.synchrony.figures import LARGEST_OFFSET_S, Figure, offsets_within
from training.evaluation.synchrony.film import SOUND_RATE_HZ, Film

LOUDNESS_MOTION = "loudness-motion"
AV_ALIGN: dict[Variant, str] = {variant: f"AV-Align {variant}" for variant in VARIANTS}
COARSE_SHARE = 0.5
"""A tolerance of more than this share of the time between onsets, to both sides, leaves nothing to miss."""
LEAST_RANGE_DB = 0.5
"""Sound whose loudness varies by less is equally loud throughout: the level of a steady tone trembles by as much from frame to frame."""
LEAST_LEVEL = 1e-6
"""For what is linear: levels below have no decibels, or too many."""
LEAST_FLOOR_FRAMES = 2 * (LARGEST_LAG + 1)
"""In a shorter film no moment of the sound is farther away than motion may be late."""

Series = NDArray[np.float64]


def film_synchrony(film: Film, scale: LoudnessScale = "db", shifts: int = SHIFTS) -> Synchrony | None:
    """Return how loudness and motion go together; None, undefined, for silence, fewer than 20 frames, and where one of the two is
    the same throughout."""
    loudness_N = loudness_of(film, scale)
    if film.frames < LEAST_FRAMES or film.is_silent or not film.motion_N.any() or is_steady(loudness_N, scale):
        return None
    return synchrony(loudness_N, film.motion_N, shifts=shifts)


def loudness_of(film: Film, scale: LoudnessScale) -> Series:
    """Return the loudness [N] of a film's sound, frame by frame."""
    return loudness(film.sound_S, film.frames, SOUND_RATE_HZ / film.fps, scale)


def loudness_motion(film: Film, scale: LoudnessScale, shifts: int) -> Figure:
    """Return `film_synchrony` with its curve over offsets."""
    found = film_synchrony(film, scale, shifts)
    if found is None:
        return Figure(value=math.nan)
    offsets_s = _offsets_s(film)
    frames = [round(offset_s * film.fps) for offset_s in offsets_s]
    curve = correlations_at(loudness_of(film, scale), film.motion_N, frames)
    return Figure(
        value=found.correlation,
        floor_mean=found.floor_mean,
        floor_deviation=found.floor_deviation,
        offsets_s=offsets_s,
        curve=tuple(float(value) for value in curve),
    )


def is_steady(loudness_N: Series, scale: LoudnessScale) -> bool:
    """Tell whether a sound is equally loud from its second frame to its last but one: encoders change the ends."""
    inner_N = loudness_N[1:-1]
    levels_N = inner_N if scale == "db" else 20.0 * np.log10(np.maximum(inner_N, LEAST_LEVEL))
    return bool(np.ptp(levels_N) < LEAST_RANGE_DB)


def av_align_figure(film: Film, variant: Variant, shifts: int) -> Figure:
    """Return AV-Align with its curve over offsets and its floor, for which the onsets are shifted in a circle.

    The floor is undefined for fewer than 8 frames.
    """
    offsets_s = _offsets_s(film)

    def value(offset_s: float) -> float:
        return av_align(_moved(film, offset_s), film.flow_N, film.fps, variant)

    has_floor = film.frames >= LEAST_FLOOR_FRAMES
    shuffled_s = shuffled_offsets(film.frames, LARGEST_LAG + 1, shifts) / film.fps if has_floor else np.zeros(0)
    return Figure.of(
        value(0.0),
        offsets_s,
        np.array([value(offset_s) for offset_s in offsets_s]),
        np.array([value(offset_s) for offset_s in shuffled_s.tolist()]),
    )


def tolerance_notices(film: Film, scale: LoudnessScale = "db") -> list[str]:
    """Return sentences where a film says little: too short or equally loud throughout for loudness-motion, no onsets, or less time
    between them than AV-Align's tolerance."""
    onsets_s, said = film.onsets_s, loudness_notices(film, scale)
    if film.is_silent:
        return said
    if not len(onsets_s):
        return [*said, f"{film.path.name}: its sound has no onsets, so AV-Align is undefined."]
    between_s = float(np.median(np.diff(onsets_s))) if len(onsets_s) > 1 else math.inf
    if 1.0 / film.fps > COARSE_SHARE * between_s:
        return [
            *said,
            f"{film.path.name}: at {film.fps} frames a second AV-Align's tolerance is ±{1000 / film.fps:.0f} ms and its onsets are "
            f"{1000 * between_s:.0f} ms apart, so nearly any motion matches; compare with the floor, or use a film of a higher rate.",
        ]
    return said


def loudness_notices(film: Film, scale: LoudnessScale = "db") -> list[str]:
    """Return a sentence where loudness-motion is undefined for another reason than silence."""
    name = film.path.name
    if film.frames < LEAST_FRAMES:
        return [f"{name} has {film.frames} frames; {LOUDNESS_MOTION} needs {LEAST_FRAMES}, so it is undefined."]
    loudness_N = loudness_of(film, scale)
    if film.is_silent:
        return []
    if not film.motion_N.any():
        return [f"{name}: its frames never change, so {LOUDNESS_MOTION} is undefined."]
    if not is_steady(loudness_N, scale):
        return []
    if scale == "db" and loudness_N[1:-1].max() <= LOUDNESS_FLOOR_DB:
        why = f"its sound stays below {LOUDNESS_FLOOR_DB:.0f} dB, where all counts as equally quiet"
    else:
        why = f"the loudness of its sound varies by less than {LEAST_RANGE_DB:g} dB"
    return [f"{name}: {why}, so {LOUDNESS_MOTION} is undefined."]


def _offsets_s(film: Film) -> list[float]:
    """Return the offsets of a curve; in a film of less than a second up to a half of it, from where the circle comes back."""
    return offsets_within(1.0 / film.fps, min(LARGEST_OFFSET_S, 0.5 * film.duration_s))


def _moved(film: Film, offset_s: float) -> Series:
    """Return the onsets moved earlier, in a circle, so that none is lost."""
    return np.sort((film.onsets_s - offset_s) % film.duration_s)
