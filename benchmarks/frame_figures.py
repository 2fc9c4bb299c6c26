"""Figures of generated frames beside the clip's own at the same times; docs/evaluation.md defines each."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from benchmarks.clip_part import ClipPart
from training.evaluation.frame_metrics import SYNCHRONY, FrameMetrics, costly_positions
from training.evaluation.metrics.flicker import flicker
from training.evaluation.metrics.synchrony import LEAST_FRAMES, loudness, motion, synchrony
from training.loop.validation import STILL_MOTION
from training.losses.sharpness import band_names, gradient_energy

# T frames, H W rows and columns, C colours

FRAME_RANGE = 127.5
"""Levels of 255 that are 1 in the range of training, -1 … 1."""
L1, SHARPNESS, MOTION, FLICKER = "L1", "sharpness", "motion share", "flicker"
CORRELATION, FLOOR, CEILING = "loudness and motion", "floor, shuffled sound", "ceiling, the clip"
WAY = "way from floor to ceiling"
Figures = dict[str, float]
"""By name; one that could not be measured is not in it."""


class FrameFigures:
    """Measures models of one clip format."""

    def __init__(self, part: ClipPart, metrics: FrameMetrics) -> None:
        """Measure the clip itself."""
        self._part, self._metrics = part, metrics
        self._real = metrics.extract(part.frames_THWC)
        self._costly_T = costly_positions(len(part.frames_THWC))
        self._loudness_T = loudness(part.sound_of_part_S, len(part.frames_THWC), part.hop_samples)
        self._energy_K = gradient_energy(self._some(part.frames_THWC))
        self._moved_T = motion(part.frames_THWC)
        self.ceiling = self.correlation(part.frames_THWC)

    def of(self, frames_THWC: NDArray[np.uint8]) -> Figures:
        """Return all figures of frames that were made of the part's own sound, in the order of the table."""
        real_THWC, costly_T = self._part.frames_THWC, self._costly_T
        fake = self._metrics.extract(frames_THWC)
        scores = self._metrics.compare(fake, self._real, self._loudness_T, costly_T)
        found = {L1: absolute_error(frames_THWC, real_THWC), **self._metrics.over_sequence(scores, len(frames_THWC))}
        # The same correlation has a row of its own, with floor and ceiling.
        found.pop(SYNCHRONY, None)
        energy_K = gradient_energy(self._some(frames_THWC))
        for name, ours, clips in zip(band_names(), energy_K, self._energy_K, strict=True):
            if clips > 0.0:
                found[f"{SHARPNESS}, {name}"] = float(ours / clips)
        moved = float(self._moved_T[1:].mean())
        if moved > STILL_MOTION * FRAME_RANGE:
            found[MOTION] = float(scores.motion_T[1:].mean()) / moved
        flickers = flicker(frames_THWC, real_THWC)
        if not np.isnan(flickers.ratio):
            found[FLICKER] = flickers.ratio
        return found

    def synchrony(self, frames_THWC: NDArray[np.uint8], shuffled: Iterable[NDArray[np.uint8]] = ()) -> Figures:
        """Return the correlation of loudness and motion, its floor with shuffled sound and its ceiling, the clip's own.

        `shuffled` gives frames that were made of shifted sound, one shift after the other.
        """
        own, ceiling = self.correlation(frames_THWC), self.ceiling
        if own is None or ceiling is None:
            return {}
        found = {CORRELATION: own, CEILING: ceiling}
        floors = [value for value in map(self.correlation, shuffled) if value is not None]
        if floors:
            floor = float(np.mean(floors))
            found = {CORRELATION: own, FLOOR: floor, CEILING: ceiling}
            # Where the clip itself does not follow its sound, there is no way to go.
            if ceiling > floor:
                found[WAY] = (own - floor) / (ceiling - floor)
        return found

    def correlation(self, frames_THWC: NDArray[np.uint8]) -> float | None:
        """Return the correlation of the part's own loudness with the motion of frames; None for too few of them."""
        if len(frames_THWC) < LEAST_FRAMES:
            return None
        return synchrony(self._loudness_T, motion(frames_THWC)).correlation

    def one_frame_late(self) -> NDArray[np.uint8]:
        """Return the clip itself, one frame late: the best that can be reached without the same frames."""
        real_THWC = self._part.frames_THWC
        return np.concatenate([real_THWC[1:2], real_THWC[:-1]])

    def _some(self, frames_THWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return frames_THWC[self._costly_T] if self._costly_T.any() else frames_THWC[:1]


def absolute_error(fake_THWC: NDArray[np.uint8], real_THWC: NDArray[np.uint8]) -> float:
    """Return the mean absolute difference, in the range of training, -1 … 1."""
    levels = [float(np.abs(a.astype(np.int16) - b).mean()) for a, b in zip(fake_THWC, real_THWC, strict=True)]
    return float(np.mean(levels)) / FRAME_RANGE
