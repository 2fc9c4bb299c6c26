"""Fits frames into other sizes: inside with black bars, or over all of it with the edges cropped. On the processor, by OpenCV."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# H W C rows, columns, channels of pixels


class Placement(NamedTuple):
    """Where a frame lies in a larger field, in pixels."""

    left: int
    top: int
    width: int
    height: int


def place_inside(width: int, height: int, field_width: int, field_height: int) -> Placement:
    """Return the largest centred place of the frame's shape; every side is at least one pixel.

    A frame that has the field's shape to within half a pixel fills it: no dark line is left by rounding.
    """
    if min(abs(height * field_width / field_height - width), abs(width * field_height / field_width - height)) <= 0.5:
        return Placement(0, 0, field_width, field_height)
    scale = min(field_width / width, field_height / height)
    placed_width = min(field_width, max(1, round(width * scale)))
    placed_height = min(field_height, max(1, round(height * scale)))
    return Placement(
        (field_width - placed_width) // 2, (field_height - placed_height) // 2, placed_width, placed_height
    )


def place_over(width: int, height: int, field_width: int, field_height: int) -> Placement:
    """Return the smallest centred place of the frame's shape that covers the field; it may begin before it and end after it."""
    scale = max(field_width / width, field_height / height)
    placed_width, placed_height = round(width * scale), round(height * scale)
    return Placement(
        (field_width - placed_width) // 2, (field_height - placed_height) // 2, placed_width, placed_height
    )


def crop_to_shape(pixels_HWC: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return the middle of the frame in the shape of `width` by `height`; the frame itself where it has that shape."""
    rows, columns, _ = pixels_HWC.shape
    scale = max(width / columns, height / rows)
    kept_columns = min(columns, max(1, round(width / scale)))
    kept_rows = min(rows, max(1, round(height / scale)))
    if (kept_columns, kept_rows) == (columns, rows):
        return pixels_HWC
    left, top = (columns - kept_columns) // 2, (rows - kept_rows) // 2
    return pixels_HWC[top : top + kept_rows, left : left + kept_columns]


def resize(
    pixels_HWC: NDArray[np.uint8], width: int, height: int, *, finely: bool = False, quickly: bool = False
) -> NDArray[np.uint8]:
    """Return the frame at another size.

    Larger by cubic interpolation; `finely`, with Lanczos' kernel over 8 x 8 pixels; `quickly`, by linear interpolation. Smaller by the mean
    of the pixels that a new one covers.
    """
    import cv2

    enlarges = width >= pixels_HWC.shape[1] and height >= pixels_HWC.shape[0]
    larger = cv2.INTER_LANCZOS4 if finely else cv2.INTER_LINEAR if quickly else cv2.INTER_CUBIC
    interpolation = larger if enlarges else cv2.INTER_AREA
    return np.asarray(cv2.resize(pixels_HWC, (width, height), interpolation=interpolation), np.uint8)


def fit_inside(pixels_HWC: NDArray[np.uint8], width: int, height: int, *, finely: bool = False) -> NDArray[np.uint8]:
    """Return `width` by `height` pixels with the whole frame in the middle, the rest black; the frame itself if it has that size."""
    rows, columns, _ = pixels_HWC.shape
    if (columns, rows) == (width, height):
        return pixels_HWC
    place = place_inside(columns, rows, width, height)
    resized_HWC = resize(pixels_HWC, place.width, place.height, finely=finely)
    if (place.width, place.height) == (width, height):
        return resized_HWC
    field_HWC = np.zeros((height, width, 3), np.uint8)
    field_HWC[place.top : place.top + place.height, place.left : place.left + place.width] = resized_HWC
    return field_HWC


def cover(pixels_HWC: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return `width` by `height` pixels filled by the middle of the frame; the frame itself if it has that size."""
    if pixels_HWC.shape[:2] == (height, width):
        return pixels_HWC
    return resize(crop_to_shape(pixels_HWC, width, height), width, height)
