"""How a picture fills a window of any shape: as large as it fits, the rest black; or all of it, what stands out cut off."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FILL = "fill"
"""The knob that lets a picture fill its window."""

# H W C picture rows, columns, channels


class Placement(NamedTuple):
    """Where the picture lies in the window, in pixels."""

    left: int
    top: int
    width: int
    height: int


def place(width: int, height: int, window_width: int, window_height: int) -> Placement:
    """Return the largest centred place of the picture's shape; every side is at least one pixel."""
    scale = min(window_width / width, window_height / height)
    placed_width = min(window_width, max(1, round(width * scale)))
    placed_height = min(window_height, max(1, round(height * scale)))
    return Placement(
        (window_width - placed_width) // 2, (window_height - placed_height) // 2, placed_width, placed_height
    )


def cropped(pixels_HWC: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return the middle of the picture in the shape of a field of that size; the picture itself where it has that shape."""
    rows, columns, _ = pixels_HWC.shape
    kept_columns = min(columns, max(1, round(rows * width / height)))
    kept_rows = min(rows, max(1, round(columns * height / width)))
    if (kept_columns, kept_rows) == (columns, rows):
        return pixels_HWC
    left, top = (columns - kept_columns) // 2, (rows - kept_rows) // 2
    return pixels_HWC[top : top + kept_rows, left : left + kept_columns]


def initial_size(width: int, height: int, longest: int) -> tuple[int, int]:
    """Return width and height of a window in the picture's shape whose longer side is `longest`, or the picture's own if larger."""
    scale = max(1.0, longest / max(width, height))
    return round(width * scale), round(height * scale)


def stretch(pixels_HWC: NDArray[np.uint8], width: int, height: int, *, finely: bool = False) -> NDArray[np.uint8]:
    """Return the picture at another size, made by OpenCV on the processor.

    Larger by cubic curves or, `finely`, Lanczos' kernel over 8 x 8 pixels; smaller by the mean of what a new pixel covers.
    """
    import cv2

    enlarges = width >= pixels_HWC.shape[1] and height >= pixels_HWC.shape[0]
    way = (cv2.INTER_LANCZOS4 if finely else cv2.INTER_CUBIC) if enlarges else cv2.INTER_AREA
    return np.asarray(cv2.resize(pixels_HWC, (width, height), interpolation=way), np.uint8)


def fitted(pixels_HWC: NDArray[np.uint8], width: int, height: int, *, finely: bool = False) -> NDArray[np.uint8]:
    """Return a field of that size with the picture in its place, the rest black; itself where nothing is to be done."""
    rows, columns, _ = pixels_HWC.shape
    if (columns, rows) == (width, height):
        return pixels_HWC
    there = place(columns, rows, width, height)
    stretched_HWC = stretch(pixels_HWC, there.width, there.height, finely=finely)
    if (there.width, there.height) == (width, height):
        return stretched_HWC
    field_HWC = np.zeros((height, width, 3), np.uint8)
    field_HWC[there.top : there.top + there.height, there.left : there.left + there.width] = stretched_HWC
    return field_HWC
