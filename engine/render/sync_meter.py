"""The sync meter: how well what is heard and what is seen go together, over the last seconds of a show.

Onsets of the show's sound are compared with peaks of the motion of the model's frames by the rule of AV-Align v2025
(training/evaluation/synchrony/av_align.py): each onset in order takes the first free peak less than a frame away, and the value is
matches / (onsets + peaks - matches). docs/synchrony.md says what differs, and what the value is worth.

Only motion that the model made counts. Where a frame does not follow from the one before it by a step of the model (a hop was
skipped, a step failed, it was frozen or reset, one scene or model gave way to another) the motion is unknown, and onsets and
peaks beside it count neither for nor against the show. Early frames and effects are not looked at.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.output.frame import Frame

# B bins, N onsets; H W C rows and columns of pixels, colours

WINDOW_S = 10.0
LEAST_KNOWN_S = 4.0
LEAST_ONSETS = 3
"""With fewer the value would be a matter of luck."""
BINS_A_SECOND = 20.0
"""Motion is measured about so often, however many frames the model makes: it rises over more frames of a faster model."""
DETECTED_AFTER_S = 0.01
"""How long after its beginning an onset is detected, about."""
LEAST_MOTION = 0.25
"""Least peak, in levels of 255."""
FLOOR_SHIFTS = 16
NEAREST_SHIFT_S = 0.5
SMALL_SIDE = 64
UNKNOWN = math.nan
_REFRESH_S = 0.5
_SHIFT_SPREAD = (math.sqrt(5.0) - 1.0) / 2.0

Series = NDArray[np.float64]


class SyncReading(NamedTuple):
    """The value of a window and of the same window with its onsets moved; NaN where it is undefined."""

    value: float = UNKNOWN
    floor: float = UNKNOWN
    reason: str = "too few frames"
    """Why it is undefined; empty where it is not."""


class _Bin(NamedTuple):
    """The motion of a few hops in a row, or where it is unknown NaN."""

    number: int
    motion: float


class SyncMeter:
    """`add` belongs to the step thread; `reading` may be called from any other."""

    def __init__(self) -> None:
        self._begin()
        self._defined = self._stretches = 0
        self._value_sum = self._floor_sum = 0.0
        self._cached: tuple[float, SyncReading] = (-math.inf, SyncReading())

    def add(self, frame: Frame) -> None:
        """Take the frame of a hop, in their order; a frame of an earlier hop begins another show."""
        if frame.index <= self._index:
            self._begin()
        hop_s = frame.time_s / (frame.index + 1)
        if self._bin_hops == 0:
            self._bin_hops = max(1, int(1.0 / (hop_s * BINS_A_SECOND) + 1e-6))
            self._stretch_began_s = frame.time_s
        self._bin_s = self._bin_hops * hop_s
        small_HWC = _small(frame.pixels_HWC)
        before_HWC, is_next = self._small_HWC, frame.index == self._index + 1
        is_known = before_HWC is not None and is_next and frame.follows and self._follows
        self._add_motion(
            frame.index, _difference(before_HWC, small_HWC) if is_known and before_HWC is not None else UNKNOWN
        )
        self._add_onsets(frame)
        self._index, self._small_HWC, self._follows = frame.index, small_HWC, frame.follows
        self._time_s = frame.time_s
        if frame.time_s - self._stretch_began_s >= WINDOW_S:
            self._stretch_began_s = frame.time_s
            self._add_stretch(self._measured())

    def reading(self) -> SyncReading:
        """Return the reading of the last WINDOW_S, measured again every half second."""
        time_s, (measured_s, reading) = self._time_s, self._cached
        if not 0.0 <= time_s - measured_s < _REFRESH_S:
            reading = self._measured()
            self._cached = (time_s, reading)
        return reading

    def summary(self) -> dict[str, float | int | None]:
        """Return the means over all stretches of WINDOW_S in which the value is defined, ready for JSON; None: it never was."""
        if not self._stretches:
            return _summary(self.reading(), 1)
        count = max(self._defined, 1)
        mean = SyncReading(self._value_sum / count, self._floor_sum / count, "" if self._defined else "undefined")
        return _summary(mean, self._stretches, self._defined)

    def _begin(self) -> None:
        most_bins = round(WINDOW_S * BINS_A_SECOND * 2)
        self._bins = deque[_Bin](maxlen=most_bins)
        self._onsets_s = deque[float](maxlen=round(WINDOW_S * 20))
        self._index, self._time_s, self._onsets = -1, 0.0, 0
        self._small_HWC: NDArray[np.uint8] | None = None
        self._follows = False
        self._bin_hops, self._bin_s = 0, 0.0
        self._open, self._motions = -1, list[float]()
        self._stretch_began_s = 0.0
        self._cached = (-math.inf, SyncReading())

    def _add_motion(self, index: int, motion: float) -> None:
        number = index // self._bin_hops
        if number != self._open:
            self._close_bin()
            self._open, self._motions = number, []
        self._motions.append(motion)
        if len(self._motions) == self._bin_hops:
            self._close_bin()

    def _close_bin(self) -> None:
        # NaN where one of its motions is; bins that are left out are unknown as well.
        if len(self._motions) == self._bin_hops:
            self._bins.append(_Bin(self._open, sum(self._motions) / self._bin_hops))
        self._motions = []

    def _add_onsets(self, frame: Frame) -> None:
        heard = frame.audio_features
        new = heard.onsets - self._onsets
        if new > 0 and self._index >= 0:
            newest_s, before_s = frame.time_s - heard.onset_age_s - DETECTED_AFTER_S, self._time_s - DETECTED_AFTER_S
            # Of several in one hop only the newest says when it was.
            self._onsets_s.extend(before_s + (newest_s - before_s) * (n + 1) / new for n in range(new))
        self._onsets = heard.onsets

    def _add_stretch(self, reading: SyncReading) -> None:
        self._stretches += 1
        if not reading.reason:
            self._defined += 1
            self._value_sum += reading.value
            self._floor_sum += reading.floor

    def _measured(self) -> SyncReading:
        # list() copies a deque atomically.
        bins, onsets_s, bin_s = list(self._bins), list(self._onsets_s), self._bin_s
        # Another show may just have begun in the step thread.
        if not bins or not bin_s:
            return SyncReading()
        first = max(bins[0].number, bins[-1].number + 1 - round(WINDOW_S / bin_s))
        motion_B = np.full(bins[-1].number + 1 - first, UNKNOWN)
        for number, motion in bins:
            if number >= first:
                motion_B[number - first] = motion
        onsets = np.array([onset_s / bin_s - first for onset_s in onsets_s])
        return measure(motion_B, onsets[(onsets >= 0.0) & (onsets < len(motion_B))], bin_s)


def _summary(mean: SyncReading, stretches: int, defined: int | None = None) -> dict[str, float | int | None]:
    defined = int(not mean.reason) if defined is None else defined
    return {
        "value": round(mean.value, 3) if defined else None,
        "floor": round(mean.floor, 3) if defined else None,
        "defined_stretches": defined,
        "stretches": stretches,
    }


def measure(motion_B: Series, onsets_N: Series, bin_s: float) -> SyncReading:
    """Measure a window: the motion of each bin, NaN where it is unknown, and the onsets in order, in bins from its beginning."""
    known_B = np.isfinite(motion_B)
    if known_B.sum() * bin_s < LEAST_KNOWN_S:
        return SyncReading()
    window = _Window(motion_peaks(motion_B), _all_known(known_B, -1, 2), _all_known(known_B, -2, 2))
    judged = sum(window.judges_onset[int(onset)] for onset in onsets_N.tolist())
    if judged < LEAST_ONSETS:
        return SyncReading(reason=f"fewer than {LEAST_ONSETS} onsets" if judged else "no onsets")
    shifts = [_shift(number, len(motion_B), bin_s) for number in range(FLOOR_SHIFTS)]
    moved = [window.share(np.sort((onsets_N + shift) % len(motion_B))) for shift in shifts]
    defined = [value for value in moved if math.isfinite(value)]
    if not defined:
        return SyncReading()
    return SyncReading(window.share(onsets_N), sum(defined) / len(defined), "")


def motion_peaks(motion_B: Series) -> list[int]:
    """Return the bins in which motion has a strict local maximum between two known bins, of LEAST_MOTION and above its mean."""
    inner, before, after = motion_B[1:-1], motion_B[:-2], motion_B[2:]
    least = max(LEAST_MOTION, float(np.nanmean(motion_B)))
    return (np.flatnonzero((inner > before) & (inner > after) & (inner >= least)) + 1).tolist()


class _Window(NamedTuple):
    """The peaks of a window, and by bin whether an onset or a peak there that finds no other counts.

    It does where all the motion is known that decides: of each bin in which the peak of an onset could lie, and of those beside it.
    """

    peaks: Sequence[int]
    judges_onset: Sequence[bool]
    judges_peak: Sequence[bool]

    def share(self, onsets_N: Series) -> float:
        """Return matches / (onsets + peaks - matches); NaN where nothing counts."""
        peaks, matches, missed, idle, at = self.peaks, 0, 0, 0, 0
        for onset in onsets_N.tolist():
            while at < len(peaks) and peaks[at] <= onset - 1.0:
                idle += self.judges_peak[peaks[at]]
                at += 1
            if at < len(peaks) and peaks[at] < onset + 1.0:
                matches += 1
                at += 1
            else:
                missed += self.judges_onset[int(onset)]
        idle += sum(self.judges_peak[peak] for peak in peaks[at:])
        counted = matches + missed + idle
        return matches / counted if counted else UNKNOWN


def _all_known(known_B: NDArray[np.bool_], first: int, last: int) -> list[bool]:
    """Return for each bin whether those from `first` to `last` away from it are there and known."""
    padded = np.pad(known_B, (-first, last))
    neighbours = np.lib.stride_tricks.sliding_window_view(padded, last - first + 1)
    return [bool(one.all()) for one in neighbours]


def _shift(number: int, bins: int, bin_s: float) -> float:
    """Return by how many bins the onsets are moved, in a circle: spread evenly, and never near to where they are."""
    nearest = min(NEAREST_SHIFT_S / bin_s, bins / 4.0)
    return nearest + (bins - 2.0 * nearest) * ((number + 1) * _SHIFT_SPREAD % 1.0)


def _small(pixels_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return some of the frame's pixels, spread evenly: their mean change is that of the frame, at a small part of its cost."""
    return np.asarray(cv2.resize(pixels_HWC, (SMALL_SIDE, SMALL_SIDE), interpolation=cv2.INTER_NEAREST), np.uint8)


def _difference(before_HWC: NDArray[np.uint8], after_HWC: NDArray[np.uint8]) -> float:
    """Return the mean absolute difference in levels."""
    return cv2.norm(before_HWC, after_HWC, cv2.NORM_L1) / before_HWC.size
