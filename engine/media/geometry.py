"""The shape of decoded frames: from the pixels that a codec stores to the frame as displayed.

A display matrix turns and mirrors the frame. Pixels that are not square are stretched along the stored lines, so that a frame keeps
its number of lines: 720x576 with pixels of 64:45 is displayed as 1024x576.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# H W rows and columns, C colours

OTHERWISE_SQUARE = (Fraction(1, 8), Fraction(8))
"""A pixel flatter than this is a broken tag."""


class Box(NamedTuple):
    """A rectangle of a frame, in whole pixels."""

    x: int
    y: int
    width: int
    height: int

    def inside(self, width: int, height: int) -> bool:
        """Tell whether it is a rectangle within a frame of this size."""
        right, bottom = self.x + self.width, self.y + self.height
        return min(self.x, self.y) >= 0 and min(self.width, self.height) >= 1 and right <= width and bottom <= height


def centred_box(width: int, height: int, shape: Fraction = Fraction(1)) -> Box:
    """Return the largest centred box of a frame whose width is `shape` times its height."""
    box_width = min(width, max(1, round(height * shape)))
    box_height = min(height, max(1, round(width / shape)))
    return Box((width - box_width) // 2, (height - box_height) // 2, box_width, box_height)


@dataclass(frozen=True, slots=True)
class Orientation:
    """One of the eight ways to lay down a frame: transposed or not, then mirrored or not along each axis."""

    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    def upright(self, pixels_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return stored pixels as displayed, without a copy."""
        turned = pixels_HWC.swapaxes(0, 1) if self.transposed else pixels_HWC
        return turned[:: -1 if self.mirrored_y else 1, :: -1 if self.mirrored_x else 1]


def orientation_of(display_matrix: bytes | None) -> Orientation:
    """Return the orientation nearest to a display matrix, nine 32-bit numbers as MP4 files hold them."""
    if display_matrix is None or len(display_matrix) < 36:
        return Orientation()
    # x' = a x + c y and y' = b x + d y.
    a, b, _, c, d, *_ = struct.unpack("=9i", display_matrix[:36])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(True, mirrored_x=c < 0, mirrored_y=b < 0)
    return Orientation(False, mirrored_x=a < 0, mirrored_y=d < 0)


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a stored frame is displayed."""

    stored_width: int
    stored_height: int
    orientation: Orientation = Orientation()
    pixel_aspect: Fraction = Fraction(1)
    """Width of a stored pixel through its height."""

    def shown_size(self) -> tuple[int, int]:
        """Return width and height as displayed."""
        width, height = self._stretched_width(), self.stored_height
        return (height, width) if self.orientation.transposed else (width, height)

    def stored_box(self, shown: Box) -> Box:
        """Return the stored pixels, to the nearest whole ones, of a box of displayed pixels."""
        width, height = self.shown_size()
        x = width - shown.x - shown.width if self.orientation.mirrored_x else shown.x
        y = height - shown.y - shown.height if self.orientation.mirrored_y else shown.y
        box = Box(x, y, shown.width, shown.height)
        if self.orientation.transposed:
            box = Box(box.y, box.x, box.height, box.width)
        narrowed = Fraction(self.stored_width, self._stretched_width())
        left, right = round(box.x * narrowed), round((box.x + box.width) * narrowed)
        left = min(left, self.stored_width - 1)
        return Box(left, box.y, max(right - left, 1), box.height)

    def _stretched_width(self) -> int:
        return max(1, round(self.stored_width * self.pixel_aspect))


def pixel_aspect(tagged: Fraction | None) -> Fraction:
    """Return the aspect of a pixel; square where it is not tagged or the tag cannot be true."""
    low, high = OTHERWISE_SQUARE
    return tagged if tagged and low <= tagged <= high else Fraction(1)
