"""Synchrony: the correlation of loudness with motion, and its floor with shifted sound.

The loudness of frame k is that of the sound between frames k - 1 and k. Motion is the mean absolute difference of these two
frames. Motion may follow late, so the best of a few lags counts, for the true sound and for shifted sound alike.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError

# N frames, H W rows and columns, C colours, S samples of sound, L lags

LOUDNESS_FLOOR_DB = -60.0
LOWEST_POWER = 1e-20
LARGEST_LAG = 3
SHIFTS = 40
LEAST_FRAMES = 20

LoudnessScale = Literal["db", "linear"]
Series = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Synchrony:
    """Pearson correlations in [-1, 1]."""

    correlation: float
    """At the best lag."""
    lag_frames: int
    """Number of frames from the sound to the motion at the best lag."""
    by_lag: tuple[float, ...]
    floor_mean: float
    """The same with the sound shifted in a circle: the correlation that comes by chance and from slow drifts."""
    floor_deviation: float
    shifts: int
    frames: int

    @property
    def above_floor(self) -> float:
        """Distance of the correlation from the floor, in deviations of the floor."""
        return (self.correlation - self.floor_mean) / max(self.floor_deviation, 1e-9)


def loudness(
    sound_S: NDArray[np.float32], frames: int, samples_per_frame: float, scale: LoudnessScale = "db"
) -> Series:
    """Return the root mean square [N] of the sound of each frame, in dB (at least -60) or linear; silence after the end."""
    borders = np.round(np.arange(frames + 1) * samples_per_frame).astype(int)
    total = np.concatenate([[0.0], np.cumsum(np.square(sound_S, dtype=np.float64))])
    power = np.diff(total[np.minimum(borders, len(sound_S))]) / np.diff(borders)
    power = np.maximum(power, LOWEST_POWER)
    if scale == "linear":
        return np.asarray(np.sqrt(power))
    return np.maximum(10.0 * np.log10(power), LOUDNESS_FLOOR_DB)


def motion(frames_NHWC: Iterable[NDArray[np.uint8]]) -> Series:
    """Return the mean absolute difference [N] of each frame [H, W, 3] from the one before, in bytes; 0 for the first."""
    moved = [0.0]
    for before, after in itertools.pairwise(frames_NHWC):
        moved.append(float(np.abs(after.astype(np.int16) - before).mean()))
    return np.array(moved)


def synchrony(loudness_N: Series, motion_N: Series, largest_lag: int = LARGEST_LAG, shifts: int = SHIFTS) -> Synchrony:
    """Correlate loudness with motion at lags 0 … `largest_lag` and with `shifts` shifted copies of the loudness.

    The first frame, which has no motion, is left out. Raises TrainingError for fewer than 20 frames.
    """
    frames = min(len(loudness_N), len(motion_N))
    if frames < LEAST_FRAMES:
        raise TrainingError(f"The clip has {frames} frames; at least {LEAST_FRAMES} are needed to measure synchrony.")
    loud, moved = loudness_N[1:frames], motion_N[1:frames]
    by_lag = _by_lag(loud, moved, largest_lag)
    offsets = shuffled_offsets(len(loud), largest_lag + 1, shifts)
    floor = np.array([_by_lag(np.roll(loud, int(offset)), moved, largest_lag).max() for offset in offsets])
    return Synchrony(
        correlation=float(by_lag.max()),
        lag_frames=int(by_lag.argmax()),
        by_lag=tuple(float(value) for value in by_lag),
        floor_mean=float(floor.mean()),
        floor_deviation=float(floor.std()),
        shifts=len(offsets),
        frames=frames,
    )


def shuffled_offsets(frames: int, least: int, shifts: int = SHIFTS) -> NDArray[np.int_]:
    """Return by how many frames to shift sound in a circle for a floor, `shifts` of them at most.

    Shifts of less than a tenth of the clip would still be half in time with the motion.
    """
    margin = max(least, frames // 10)
    return np.unique(np.linspace(margin, max(frames - margin, margin), shifts).round().astype(int))


def correlations_at(loudness_N: Series, motion_N: Series, offsets: Iterable[int]) -> Series:
    """Return the correlation with the sound moved earlier by each number of frames, over the frames that both then have.

    A negative offset moves the sound later.
    """
    frames = min(len(loudness_N), len(motion_N))
    loud, moved = loudness_N[1:frames], motion_N[1:frames]
    count = len(loud)
    return np.array(
        [_correlation(loud[max(o, 0) : count + min(o, 0)], moved[max(-o, 0) : count - max(o, 0)]) for o in offsets]
    )


def _by_lag(loud: Series, moved: Series, largest_lag: int) -> Series:
    return np.array([_correlation(loud[: len(loud) - lag], moved[lag:]) for lag in range(largest_lag + 1)])


def _correlation(left: Series, right: Series) -> float:
    """Return Pearson's correlation; 0 when one of them is constant."""
    left, right = left - left.mean(), right - right.mean()
    size = np.sqrt((left @ left) * (right @ right))
    return float(left @ right / size) if size > 1e-12 else 0.0
