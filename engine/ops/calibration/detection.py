"""Click times and flash times in a recording, and their offset: pure functions of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ConfigError

# T samples or frames; N patches of a frame

EARLIEST_S, LATEST_S = -0.3, 0.8
"""Range of offsets from a click to its flash; negative where the loudspeaker is later than the light."""
FEWEST_PAIRS = 5
LEAST_SHARE = 0.5
"""Least share of the clicks or flashes, whichever are fewer, that must find a partner."""
_CLICK_GAP_S = 0.15
_SMOOTHED_S = 0.001
_ABOVE_NOISE = 6.0
_OF_LOUDEST = 0.3
_LEAST_CONTRAST = 8.0
"""Of 255; less is camera noise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Offset:
    """Delay of the light after the sound."""

    median_s: float
    spread_s: float
    """Half the distance between the 10th and the 90th percentile."""
    pairs: int
    clicks: int
    flashes: int

    @property
    def uncertainty_s(self) -> float:
        """Standard error of the median of independent normal pairs (1.2533 sigma / sqrt n)."""
        # The percentiles 10 and 90 of a normal distribution are 2.563 standard deviations apart.
        return 1.2533 * self.spread_s / 1.2816 / self.pairs**0.5


def click_times_s(sound_T: NDArray[np.float32], rate_hz: int) -> list[float]:
    """Return the start times of clicks in seconds from the first sample.

    Measures the rate of change, smoothed over a millisecond: it is much larger in clicks than in speech, hum and music. A click
    must exceed the background and reach 0.3 of the strong clicks.
    """
    if len(sound_T) < 2:
        return []
    length = max(1, round(_SMOOTHED_S * rate_hz))
    change_T = np.abs(np.diff(sound_T.astype(np.float64), prepend=sound_T[0]))
    summed_T = np.concatenate([[0.0], np.cumsum(change_T)])
    # Mean of the newest millisecond at every sample.
    strength_T = (summed_T[1:] - summed_T[np.maximum(np.arange(len(sound_T)) + 1 - length, 0)]) / length
    gap = round(_CLICK_GAP_S * rate_hz)
    peaks = np.array([strength_T[start : start + gap].max() for start in range(0, len(strength_T), gap)])
    # Each part of this length holds at most one click.
    strong = np.quantile(peaks, 0.9)
    limit = max(_ABOVE_NOISE * float(np.median(strength_T)), _OF_LOUDEST * strong, 1e-5)
    return [float(t) / rate_hz for t in _first_of_each(np.flatnonzero(strength_T >= limit), gap)]


def _first_of_each(positions: NDArray[np.intp], gap: int) -> list[int]:
    """Return the positions that follow a gap of at least `gap`."""
    return [int(p) for k, p in enumerate(positions) if k == 0 or p - positions[k - 1] >= gap]


def flashing_brightness(patches_TN: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean brightness [T] of the patches with the largest contrast: the flashing ones."""
    contrast_N = np.quantile(patches_TN, 0.97, axis=0) - np.quantile(patches_TN, 0.03, axis=0)
    return patches_TN[:, contrast_N >= 0.5 * contrast_N.max()].mean(axis=1).astype(np.float64)


def flash_times_s(brightness_T: NDArray[np.float64], times_s: NDArray[np.float64]) -> list[float]:
    """Return the start times of flashes: where the line between two frames crosses half the contrast.

    One flash is known to half a frame interval; the median of many, at random phases, much better.
    """
    if len(brightness_T) < 3:
        return []
    dark, bright = np.quantile(brightness_T, 0.1), brightness_T.max()
    if bright - dark < _LEAST_CONTRAST:
        return []
    half = (dark + bright) / 2.0
    rises = np.flatnonzero((brightness_T[1:] >= half) & (brightness_T[:-1] < half))
    share = (half - brightness_T[rises]) / (brightness_T[rises + 1] - brightness_T[rises])
    # Without a frame of intermediate brightness the flash started anywhere between the two: take the middle.
    sharp = np.abs(brightness_T[rises + 1] - bright) < 0.15 * (bright - dark)
    share = np.where(sharp & (np.abs(brightness_T[rises] - dark) < 0.15 * (bright - dark)), 0.5, share)
    return [float(times_s[k] + part * (times_s[k + 1] - times_s[k])) for k, part in zip(rises, share, strict=True)]


def pair_offset(clicks_s: Sequence[float], flashes_s: Sequence[float], jitter_s: float) -> Offset:
    """Return the offset from clicks to flashes, although some of either may be missing or false.

    The differences of true pairs lie within `jitter_s` of each other (a hop and a frame interval). The clicks have random
    distances, so no other offset fits many. Raises ConfigError when too few fit.
    """
    clicks, flashes = np.asarray(clicks_s, np.float64), np.asarray(flashes_s, np.float64)
    differences = np.sort((flashes[None, :] - clicks[:, None]).ravel())
    differences = differences[(differences >= EARLIEST_S) & (differences <= LATEST_S)]
    ends = np.searchsorted(differences, differences + jitter_s, side="right")
    counts = ends - np.arange(len(differences))
    most = int(counts.max()) if len(counts) else 0
    if most < max(FEWEST_PAIRS, LEAST_SHARE * min(len(clicks), len(flashes))):
        raise ConfigError(
            f"Only {most} of {len(clicks)} clicks and {len(flashes)} flashes belong together; film the flashing window steadily and "
            "large, with clearly audible clicks, for at least twenty seconds."
        )
    # Several ranges may hold as many: take the middle one.
    best = np.flatnonzero(counts == most)
    start = int(best[len(best) // 2])
    inside = differences[start : start + most]
    return Offset(
        median_s=float(np.median(inside)),
        spread_s=float(np.quantile(inside, 0.9) - np.quantile(inside, 0.1)) / 2.0,
        pairs=most,
        clicks=len(clicks),
        flashes=len(flashes),
    )
