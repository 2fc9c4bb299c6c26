"""The definition of harmful flashes once more, written from WCAG 2.3.1 alone, for whole shows at once and without regard to speed.

No more than three general flashes and no more than three red flashes within any one second, unless at most a quarter of any
10 degree visual field flashes concurrently. The visual field is a third of the frame each way; flashes are concurrent when they
happen in the same second in their cells (`_cell_changes`), or in the same frame (`_field_changes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# N frames, H W rows and columns of pixels, C channels (RGB), P cells

CELLS, FIELD, QUARTER = 48, 16, 64
SECOND = 1.0 - 1e-9


@dataclass(frozen=True)
class Worst:
    """The most opposing changes within any one second over more than a quarter of some field."""

    general_changes: int
    red_changes: int

    @property
    def changes(self) -> int:
        return max(self.general_changes, self.red_changes)

    @property
    def flashes(self) -> int:
        """A flash is a pair of opposing changes."""
        return self.changes // 2

    @property
    def harmful(self) -> bool:
        return self.flashes > 3


def worst(frames: Sequence[NDArray[np.uint8]], times_s: Sequence[float]) -> Worst:
    """Return the worst second of a show of 8-bit sRGB frames."""
    colour_NPC = np.stack([_cells(pixels_HWC) for pixels_HWC in frames])
    red, green, blue = np.moveaxis(colour_NPC, -1, 0)
    luminance_NP = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    with np.errstate(divide="ignore", invalid="ignore"):
        saturated_NP = red / (red + green + blue) >= 0.8
    redness_NP = np.maximum((red - green - blue) * 320.0, 0.0)
    return Worst(
        _most_changes(_General(luminance_NP), times_s),
        _most_changes(_Red(redness_NP, saturated_NP), times_s),
    )


@dataclass
class _General:
    luminance_NP: NDArray[np.float64]

    def changes(self, before: slice, now: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Where a frame is lighter, and where darker, than each of those before by 10 % or more, the darker state below 0.8."""
        then_NP, now_P = self.luminance_NP[before], self.luminance_NP[now]
        return (now_P - then_NP >= 0.1) & (then_NP < 0.8), (then_NP - now_P >= 0.1) & (now_P < 0.8)

    def only(self, columns: NDArray[np.intp]) -> _General:
        return _General(self.luminance_NP[:, columns])

    def series(self) -> NDArray[np.float64]:
        return self.luminance_NP


@dataclass
class _Red:
    redness_NP: NDArray[np.float64]
    saturated_NP: NDArray[np.bool_]

    def changes(self, before: slice, now: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Where a frame is redder, and where less red, by more than 20 than each of those before, one of the two saturated."""
        way_NP = self.redness_NP[now] - self.redness_NP[before]
        counts_NP = self.saturated_NP[before] | self.saturated_NP[now]
        return (way_NP > 20.0) & counts_NP, (way_NP < -20.0) & counts_NP

    def only(self, columns: NDArray[np.intp]) -> _Red:
        return _Red(self.redness_NP[:, columns], self.saturated_NP[:, columns])

    def series(self) -> NDArray[np.float64]:
        return np.concatenate([self.redness_NP, self.saturated_NP])


def _most_changes(kind: _General | _Red, times_s: Sequence[float]) -> int:
    seconds: list[tuple[int, int]] = []
    for first, start_s in enumerate(times_s):
        last = max(n for n in range(first, len(times_s)) if times_s[n] < start_s + SECOND)
        # A second that ends with the one before it holds no other changes.
        if not seconds or last > seconds[-1][1]:
            seconds.append((first, last))
    # Cells with the same values in all frames are counted once.
    _, kept, cell_of = np.unique(kind.series(), axis=1, return_index=True, return_inverse=True)
    few, cell_of = kind.only(kept), cell_of.ravel()
    most = 0
    for first, last in seconds:
        changes_P = _cell_changes(few, first, last)[cell_of]
        while np.any(_fields_with(changes_P > most)):
            most += 1
    return max(most, _field_changes(few, cell_of, seconds, len(times_s)))


def _cell_changes(kind: _General | _Red, first: int, last: int) -> NDArray[np.int64]:
    """Opposing changes between two frames: the longest chain of alternating changes, over any frames between."""
    shape = (last - first + 1, kind.series().shape[1])
    # Longest chains that end with a rise, or with a fall, at or before a frame.
    risen_NP, fallen_NP = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for now in range(1, len(risen_NP)):
        rise_NP, fall_NP = kind.changes(slice(first, first + now), first + now)
        risen_NP[now] = np.maximum(risen_NP[now - 1], np.where(rise_NP, fallen_NP[:now] + 1, 0).max(axis=0))
        fallen_NP[now] = np.maximum(fallen_NP[now - 1], np.where(fall_NP, risen_NP[:now] + 1, 0).max(axis=0))
    return np.maximum(risen_NP[-1], fallen_NP[-1])


def _field_changes(
    kind: _General | _Red, cell_of: NDArray[np.intp], seconds: Sequence[tuple[int, int]], frame_count: int
) -> int:
    """Most opposing changes of whole fields, each of more than a quarter of the field in one frame."""
    width = kind.series().shape[1]
    since, direction = np.zeros(width, np.int64), np.zeros(width, np.int64)
    rises, falls = [], []
    for now in range(frame_count):
        rise_NP, fall_NP = kind.changes(slice(0, now), now)
        free_NP = np.arange(now)[:, None] >= since
        rise = (rise_NP & free_NP).any(axis=0) & (direction != 1)
        fall = (fall_NP & free_NP).any(axis=0) & (direction != -1)
        fall &= ~rise
        direction[rise], direction[fall] = 1, -1
        since[rise | fall] = now
        rises.append(_fields_with(rise[cell_of]))
        falls.append(_fields_with(fall[cell_of]))
    most = 0
    for first, last in seconds:
        newest, changes = np.zeros(rises[0].shape, np.int64), np.zeros(rises[0].shape, np.int64)
        for now in range(first, last + 1):
            rise, fall = rises[now] & (newest != 1), falls[now] & (newest != -1)
            newest[rise], newest[fall & ~rise] = 1, -1
            changes += rise | fall
        most = max(most, int(changes.max()))
    return most


def _fields_with(cells_P: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the fields that have more than a quarter of their cells among these."""
    # Sums of all cells above and left of each corner; four of them give a field.
    sums = np.pad(cells_P.reshape(CELLS, CELLS).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    counts = sums[FIELD:, FIELD:] - sums[:-FIELD, FIELD:] - sums[FIELD:, :-FIELD] + sums[:-FIELD, :-FIELD]
    return counts > QUARTER


def _cells(pixels_HWC: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean linear light of every cell [P, C]; a frame with fewer pixels than cells has each pixel repeated."""
    repeat = -(-CELLS // min(pixels_HWC.shape[:2]))
    level = pixels_HWC.repeat(repeat, 0).repeat(repeat, 1) / 255.0
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    rows, columns = _overlaps(linear.shape[0]), _overlaps(linear.shape[1])
    return np.einsum("ph,hwc,qw->pqc", rows, linear, columns, optimize=True).reshape(-1, 3)


def _overlaps(pixels: int) -> NDArray[np.float64]:
    """Return the share of each cell that each pixel fills [cells, pixels]."""
    edges = np.arange(CELLS + 1) * pixels / CELLS
    pixel = np.arange(pixels)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return np.maximum(overlap, 0.0) * CELLS / pixels
