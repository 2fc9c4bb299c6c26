"""Sharpens frames that an output has enlarged: edges become steeper, without bright or dark rims.

Each pixel moves away from the mean of eight neighbours, three quarters of an old pixel away, and never beyond the darkest and the brightest
of them, level by level. So flat parts keep their levels, and the mean over a region hardly changes: what the flash
guard has measured stays true. engine/output/window/gl_sharpening.py does the same in a shader.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.core.fit import fit_inside, place_inside

# H W C rows, columns, channels of pixels

LARGEST_GAIN = 1.2
"""Factor of the difference from the neighbours that is added at full strength."""
SMALLEST_STRENGTH = 1.0 / 512.0
"""A smaller one cannot be seen, and is not applied."""


def reach_px(width: int, enlarged_width: int) -> int:
    """Return how far the neighbours are: three quarters of an old pixel, at least 1; 0, for no sharpening, where a frame was made smaller."""
    return 0 if enlarged_width < width else max(1, round(0.75 * enlarged_width / width))


def sharpened(pixels_HWC: NDArray[np.uint8], strength: float, reach: int) -> NDArray[np.uint8]:
    """Return enlarged pixels sharpened by `strength`, 0 to 1, with neighbours `reach` pixels away; the same array without either."""
    if strength <= SMALLEST_STRENGTH or reach < 1:
        return pixels_HWC
    import cv2

    wide_HWC = cv2.copyMakeBorder(pixels_HWC, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    height, width = pixels_HWC.shape[:2]
    total = np.zeros(pixels_HWC.shape, np.uint16)
    near = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    near[reach, reach] = 1
    for x, y in neighbours(reach):
        near[reach + y, reach + x] = 1
        total += wide_HWC[reach + y : reach + y + height, reach + x : reach + x + width]
    gain = LARGEST_GAIN * strength
    steep = cv2.addWeighted(pixels_HWC.astype(np.uint16), 1.0 + gain, total, -gain / 8.0, 0.0, dtype=cv2.CV_8U)
    darkest = cv2.erode(pixels_HWC, near, borderType=cv2.BORDER_REPLICATE)
    brightest = cv2.dilate(pixels_HWC, near, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.min(cv2.max(steep, darkest), brightest), np.uint8)


def neighbours(reach: int) -> list[tuple[int, int]]:
    """Return columns and rows from a pixel to its eight neighbours on a circle."""
    slant = round(reach * math.sqrt(0.5))
    straight = [(reach, 0), (-reach, 0), (0, reach), (0, -reach)]
    return [*straight, *((x, y) for x in (slant, -slant) for y in (slant, -slant))]


def fit_sharpened(
    pixels_HWC: NDArray[np.uint8], width: int, height: int, strength: float, *, finely: bool = False
) -> NDArray[np.uint8]:
    """Return `width` by `height` pixels with the whole frame in the middle, enlarged and sharpened, the rest black; see fit_inside."""
    rows, columns, _ = pixels_HWC.shape
    fitted_HWC, place = fit_inside(pixels_HWC, width, height, finely=finely), place_inside(columns, rows, width, height)
    reach = reach_px(columns, place.width)
    if strength <= SMALLEST_STRENGTH or reach < 1:
        return fitted_HWC
    inside = np.s_[place.top : place.top + place.height, place.left : place.left + place.width]
    sharp_HWC = fitted_HWC.copy()
    sharp_HWC[inside] = sharpened(np.ascontiguousarray(fitted_HWC[inside]), strength, reach)
    return sharp_HWC
