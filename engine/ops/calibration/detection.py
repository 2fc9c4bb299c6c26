"""When clicks sound and when flashes light up in a recording, and how far apart they are: pure functions of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ConfigError

# T samples or pictures; N patches of a picture

EARLIEST_S, LATEST_S = -0.3, 0.8
"""Where a flash is looked for, counted from its click: light may come first where the loudspeaker is late."""
FEWEST_PAIRS = 5
LEAST_SHARE = 0.5
"""Of the clicks or of the flashes, whichever are fewer, so many must have found the other; else they do not belong together."""
_CLICK_GAP_S = 0.15
_SMOOTHED_S = 0.001
_ABOVE_NOISE = 6.0
_OF_LOUDEST = 0.3
_LEAST_CONTRAST = 8.0
"""Of 255: less is the noise of a camera."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Offset:
    """How much later the light came than the sound."""

    median_s: float
    spread_s: float
    """Half the distance between the 10th and the 90th percentile."""
    pairs: int
    clicks: int
    flashes: int

    @property
    def uncertainty_s(self) -> float:
        """Standard error of the median, as if the pairs were independent and normal (1.2533 sigma / sqrt n)."""
        # Between the percentiles 10 and 90 of a normal distribution lie 2.563 standard deviations.
        return 1.2533 * self.spread_s / 1.2816 / self.pairs**0.5


def click_times_s(sound_T: NDArray[np.float32], rate_hz: int) -> list[float]:
    """Return when clicks begin, in seconds from the first sample.

    What counts is how fast the sound changes, smoothed over a millisecond: that is small in speech, hum and music beside
    clicks. A click must stand out of the background and be no less than a third as strong as the strong ones.
    """
    if len(sound_T) < 2:
        return []
    length = max(1, round(_SMOOTHED_S * rate_hz))
    change_T = np.abs(np.diff(sound_T.astype(np.float64), prepend=sound_T[0]))
    summed_T = np.concatenate([[0.0], np.cumsum(change_T)])
    # The mean of the newest millisecond at every sample.
    strength_T = (summed_T[1:] - summed_T[np.maximum(np.arange(len(sound_T)) + 1 - length, 0)]) / length
    gap = round(_CLICK_GAP_S * rate_hz)
    peaks = np.array([strength_T[start : start + gap].max() for start in range(0, len(strength_T), gap)])
    # Most stretches hold at most one click, so the middle of their peaks may be one; their lower quarter is background.
    strong = np.quantile(peaks, 0.9)
    limit = max(_ABOVE_NOISE * float(np.median(strength_T)), _OF_LOUDEST * strong, 1e-5)
    return [float(t) / rate_hz for t in _first_of_each(np.flatnonzero(strength_T >= limit), gap)]


def _first_of_each(positions: NDArray[np.intp], gap: int) -> list[int]:
    """Return the positions before which there was none for `gap`."""
    return [int(p) for k, p in enumerate(positions) if k == 0 or p - positions[k - 1] >= gap]


def flashing_brightness(patches_TN: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the brightness [T] of those patches of the picture that change most: where the flashes are."""
    contrast_N = np.quantile(patches_TN, 0.97, axis=0) - np.quantile(patches_TN, 0.03, axis=0)
    return patches_TN[:, contrast_N >= 0.5 * contrast_N.max()].mean(axis=1).astype(np.float64)


def flash_times_s(brightness_T: NDArray[np.float64], times_s: NDArray[np.float64]) -> list[float]:
    """Return when flashes light up, between two pictures: where the line between them crosses half the contrast.

    The moment of one flash is known to half the distance of two pictures; that of many, at random phases, far better.
    """
    if len(brightness_T) < 3:
        return []
    dark, bright = np.quantile(brightness_T, 0.1), brightness_T.max()
    if bright - dark < _LEAST_CONTRAST:
        return []
    half = (dark + bright) / 2.0
    rises = np.flatnonzero((brightness_T[1:] >= half) & (brightness_T[:-1] < half))
    share = (half - brightness_T[rises]) / (brightness_T[rises + 1] - brightness_T[rises])
    # A step that no picture shows half done lay anywhere between the two: the middle is the best guess, whatever their levels.
    sharp = np.abs(brightness_T[rises + 1] - bright) < 0.15 * (bright - dark)
    share = np.where(sharp & (np.abs(brightness_T[rises] - dark) < 0.15 * (bright - dark)), 0.5, share)
    return [float(times_s[k] + part * (times_s[k + 1] - times_s[k])) for k, part in zip(rises, share, strict=True)]


def pair_offset(clicks_s: Sequence[float], flashes_s: Sequence[float], jitter_s: float) -> Offset:
    """Return how far flashes come after clicks, although some of either may be missing or foreign.

    Of all differences between a flash and a click, the true ones lie within `jitter_s` of each other (a hop and a picture's
    distance), because the clicks' own distances are random and no other shift fits many. Raises ConfigError when too few fit.
    """
    clicks, flashes = np.asarray(clicks_s, np.float64), np.asarray(flashes_s, np.float64)
    differences = np.sort((flashes[None, :] - clicks[:, None]).ravel())
    differences = differences[(differences >= EARLIEST_S) & (differences <= LATEST_S)]
    ends = np.searchsorted(differences, differences + jitter_s, side="right")
    counts = ends - np.arange(len(differences))
    most = int(counts.max()) if len(counts) else 0
    if most < max(FEWEST_PAIRS, LEAST_SHARE * min(len(clicks), len(flashes))):
        raise ConfigError(
            f"Only {most} of {len(clicks)} clicks and {len(flashes)} flashes belong together; film the flashing screen steadily, "
            "filling a good part of the picture, with the clicks well to be heard, for twenty seconds or more."
        )
    # Several windows may hold as many: the middle one.
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
