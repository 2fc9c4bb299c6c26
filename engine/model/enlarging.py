"""Enlarges the fields of a layered model to the size of the frame, one strip of rows after the other.

A field is enlarged across its columns once. Its rows are few, and a strip of the frame lies between two or three of them, so the strip
is one small matrix product, which stays in the cache. Beyond its outer rows a field goes on as it ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# C channels, h w rows and columns of a field, H W rows and columns of the frame, S rows of a strip, K rows of a field at a strip

_STRIP_PIXELS = 24 * 1024
"""Their floats take a few hundred kilobytes, the cache of one core."""
_MOST_PRODUCTS = 200_000
"""For more of them in one product of matrices a numerical library wakes threads of its own, which cost many times what they save."""


class Strip(NamedTuple):
    """Rows of the frame."""

    number: int
    top: int
    bottom: int


def strips(height: int, width: int) -> tuple[Strip, ...]:
    """Return the strips of a frame, from the top."""
    rows = max(1, _STRIP_PIXELS // width)
    tops = range(0, height, rows)
    return tuple(Strip(number, top, min(top + rows, height)) for number, top in enumerate(tops))


class _Rows(NamedTuple):
    """How a strip is made of rows of a field."""

    part_SK: NDArray[np.float32]
    rows: slice


class EnlargedField:
    """A field as wide as the frame, interpolated bilinearly between the centres of its pixels."""

    def __init__(self, wide_hN: NDArray[np.float32], rows: Sequence[_Rows]) -> None:
        self._wide_hN, self._rows = wide_hN, rows
        self._most_h = np.abs(wide_hN).max(axis=1)

    def strip(self, strip: Strip, to_SN: NDArray[np.float32]) -> NDArray[np.float32]:
        """Write a strip into the first rows of an array [rows, W C]; return these rows."""
        part_SK, rows = self._rows[strip.number]
        field_KN, strip_SN = self._wide_hN[rows], to_SN[: len(part_SK)]
        at_once = max(1, _MOST_PRODUCTS // field_KN.size)
        for first in range(0, len(part_SK), at_once):
            np.matmul(part_SK[first : first + at_once], field_KN, out=strip_SN[first : first + at_once])
        return strip_SN

    def most(self, strip: Strip) -> float:
        """Return the largest absolute value that the strip can have."""
        return float(self._most_h[self._rows[strip.number].rows].max())


class Enlarger:
    """Enlarges fields of any size to one size of frame. How rows are combined is computed once for each height of a field."""

    def __init__(self, height: int, width: int) -> None:
        self._height, self._width = height, width
        self.strips = strips(height, width)
        self._rows: dict[int, tuple[_Rows, ...]] = {}

    def enlarged(self, field_Chw: NDArray[np.float32], channels: int) -> EnlargedField:
        """Return a field of 1 or of so many channels with so many."""
        wide_hWC = self._wide(np.broadcast_to(field_Chw, (channels, *field_Chw.shape[1:])))
        return EnlargedField(wide_hWC.reshape(len(wide_hWC), -1), self._rows_of(field_Chw.shape[1]))

    def places(self, flow_2hw: NDArray[np.float32], texture_shape: tuple[int, ...]) -> EnlargedField:
        """Return where each pixel of the frame lies in a texture, right and down in the texture's pixels, as seen through a flow."""
        rows, columns = texture_shape[:2]
        wide_hW2 = self._wide(flow_2hw * np.array([0.5 * columns, 0.5 * rows], np.float32)[:, None, None])
        fields = flow_2hw.shape[1]
        wide_hW2[..., 0] += (np.arange(self._width, dtype=np.float32) + 0.5) * columns / self._width - 0.5
        down_h = (np.arange(-1, fields + 1, dtype=np.float32) + 0.5) * rows / fields - 0.5
        wide_hW2[..., 1] += down_h[:, None]
        return EnlargedField(wide_hW2.reshape(len(wide_hW2), -1), self._rows_of(fields))

    def _wide(self, field_Chw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a field at the width of the frame, with its first and last row twice, [h + 2, W, C]."""
        import cv2

        channels, height, width = field_Chw.shape
        field_hwC = np.empty((height + 2, width, channels), np.float32)
        field_hwC[1:-1] = field_Chw.transpose(1, 2, 0)
        field_hwC[0], field_hwC[-1] = field_hwC[1], field_hwC[-2]
        size = (self._width, height + 2)
        wide = cv2.resize(field_hwC, size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(wide, np.float32).reshape(height + 2, self._width, channels)

    def _rows_of(self, height: int) -> tuple[_Rows, ...]:
        """Return how each strip is made of the rows of a field of this height."""
        if height not in self._rows:
            at_H = (np.arange(self._height) + 0.5) * height / self._height + 0.5
            above_H = np.minimum(at_H.astype(np.intp), height)
            self._rows[height] = tuple(
                _between(at_H[top:bottom], above_H[top:bottom]) for _, top, bottom in self.strips
            )
        return self._rows[height]


def _between(at_S: NDArray[np.float64], above_S: NDArray[np.intp]) -> _Rows:
    first, last = int(above_S[0]), int(above_S[-1]) + 1
    part_SK, each = np.zeros((len(at_S), last + 1 - first), np.float32), np.arange(len(at_S))
    part_SK[each, above_S - first + 1] = at_S - above_S
    part_SK[each, above_S - first] = 1.0 - (at_S - above_S)
    return _Rows(part_SK, slice(first, last + 1))
