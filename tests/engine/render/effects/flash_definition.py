"""What a harmful flash is, written down once more from the definition, for whole shows at once and without any regard to speed.

WCAG 2.3.1: no more than three general flashes and no more than three red flashes within any one second, unless what flashes
concurrently is at most a quarter of any ten degrees of view. Ten degrees are taken as a third of the picture each way; flashes
concur when they happen in the same second at their places (`_place_changes`), or in the same picture (`_field_changes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# N pictures, H W rows and columns, C channels (RGB), P places

PLACES, FIELD, QUARTER = 48, 16, 64
SECOND = 1.0 - 1e-9


@dataclass(frozen=True)
class Worst:
    """Most changes, one the other way after each, within any one second that more than a quarter of some field has seen."""

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


def worst(images: Sequence[NDArray[np.uint8]], times_s: Sequence[float]) -> Worst:
    """Judge a show of 8-bit sRGB pictures."""
    colour_NPC = np.stack([_places(image) for image in images])
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
        """Where a picture is lighter, and where darker, than each of those before by a tenth or more, the darker below 0.8."""
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
        """Where a picture is redder, and where less so, by more than 20 than each of those before, one of both saturated."""
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
        # A second that ends with the one before it has nothing that this one has not.
        if not seconds or last > seconds[-1][1]:
            seconds.append((first, last))
    # Places that see the same all through are counted once.
    _, kept, place_of = np.unique(kind.series(), axis=1, return_index=True, return_inverse=True)
    few, place_of = kind.only(kept), place_of.ravel()
    most = 0
    for first, last in seconds:
        changes_P = _place_changes(few, first, last)[place_of]
        while np.any(_covers(changes_P > most)):
            most += 1
    return max(most, _field_changes(few, place_of, seconds, len(times_s)))


def _place_changes(kind: _General | _Red, first: int, last: int) -> NDArray[np.int64]:
    """Opposing changes between two pictures: the longest chain of changes in turn, whichever pictures it may use."""
    shape = (last - first + 1, kind.series().shape[1])
    # Longest chains that end with a rise, or with a fall, at or before a picture.
    risen_NP, fallen_NP = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for now in range(1, len(risen_NP)):
        rise_NP, fall_NP = kind.changes(slice(first, first + now), first + now)
        risen_NP[now] = np.maximum(risen_NP[now - 1], np.where(rise_NP, fallen_NP[:now] + 1, 0).max(axis=0))
        fallen_NP[now] = np.maximum(fallen_NP[now - 1], np.where(fall_NP, risen_NP[:now] + 1, 0).max(axis=0))
    return np.maximum(risen_NP[-1], fallen_NP[-1])


def _field_changes(
    kind: _General | _Red, place_of: NDArray[np.intp], seconds: Sequence[tuple[int, int]], pictures: int
) -> int:
    """Most opposing changes of whole fields, each of more than a quarter of the field in one picture."""
    width = kind.series().shape[1]
    since, direction = np.zeros(width, np.int64), np.zeros(width, np.int64)
    rises, falls = [], []
    for now in range(pictures):
        rise_NP, fall_NP = kind.changes(slice(0, now), now)
        free_NP = np.arange(now)[:, None] >= since
        rise = (rise_NP & free_NP).any(axis=0) & (direction != 1)
        fall = (fall_NP & free_NP).any(axis=0) & (direction != -1)
        fall &= ~rise
        direction[rise], direction[fall] = 1, -1
        since[rise | fall] = now
        rises.append(_covers(rise[place_of]))
        falls.append(_covers(fall[place_of]))
    most = 0
    for first, last in seconds:
        newest, changes = np.zeros(rises[0].shape, np.int64), np.zeros(rises[0].shape, np.int64)
        for now in range(first, last + 1):
            rise, fall = rises[now] & (newest != 1), falls[now] & (newest != -1)
            newest[rise], newest[fall & ~rise] = 1, -1
            changes += rise | fall
        most = max(most, int(changes.max()))
    return most


def _covers(places_P: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which fields have more than a quarter of their places among these."""
    # Sums of all places above and left of each corner; four of them give a field.
    sums = np.pad(places_P.reshape(PLACES, PLACES).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    counts = sums[FIELD:, FIELD:] - sums[:-FIELD, FIELD:] - sums[FIELD:, :-FIELD] + sums[:-FIELD, :-FIELD]
    return counts > QUARTER


def _places(pixels_HWC: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean linear light of every place [P, C]; a picture smaller than the places has each pixel repeated."""
    repeat = -(-PLACES // min(pixels_HWC.shape[:2]))
    level = pixels_HWC.repeat(repeat, 0).repeat(repeat, 1) / 255.0
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    rows, columns = _overlaps(linear.shape[0]), _overlaps(linear.shape[1])
    return np.einsum("ph,hwc,qw->pqc", rows, linear, columns, optimize=True).reshape(-1, 3)


def _overlaps(pixels: int) -> NDArray[np.float64]:
    """What share of a place each pixel is [places, pixels]."""
    edges = np.arange(PLACES + 1) * pixels / PLACES
    pixel = np.arange(pixels)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return np.maximum(overlap, 0.0) * PLACES / pixels
