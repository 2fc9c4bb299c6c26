"""How light and how red the places of a picture are, as the definition of a harmful flash measures it.

The picture is cut into GRID x GRID places, each the mean of its linear light. What flashes is judged where people look at once: in
every FIELD x FIELD places, a third of the picture each way. That is how WCAG 2.3.1 reads a screen, whose 10 degrees of view are
341 x 256 of 1024 x 768 pixels. A third is 10 degrees from 1.9 widths of the picture away, and less, which is on the safe side, from
further away.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.srgb import light_of_levels
from engine.render.effects.frame_effects import LUMA

# H W picture rows and columns, C channels (RGB); G rows or columns of places

GRID = 48
FIELD = GRID // 3
FEW = FIELD * FIELD // 4
"""Places of a field that may flash as they like: a quarter."""

RED_SHARE = 0.8
"""Share of red in R + G + B from which a red is saturated."""

_ROUNDING = 1e-4
"""How much less than the definition says already counts, so that no rounding lets a flash through."""


class Light(NamedTuple):
    """Relative luminance (0 to 1), max(0, R - G - B) and whether red is saturated, of every place [G, G]."""

    luminance_GG: NDArray[np.float32]
    red_GG: NDArray[np.float32]
    saturated_GG: NDArray[np.bool_]


def light_of(pixels_HWC: NDArray[np.uint8]) -> Light:
    """Measure an 8-bit sRGB picture of any size."""
    import cv2

    linear = cv2.LUT(pixels_HWC, _LINEAR)
    if min(pixels_HWC.shape[:2]) < GRID:
        # Enough points for every place to have some of its own.
        scale = -(-GRID // min(pixels_HWC.shape[:2]))
        linear = cv2.resize(linear, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    places = cv2.resize(linear, (GRID, GRID), interpolation=cv2.INTER_AREA)
    measured = np.asarray(cv2.transform(places, _MEASURES), np.float32)
    luminance_GG, red_GG, excess_GG, sum_GG = (np.ascontiguousarray(measured[..., i]) for i in range(4))
    return Light(luminance_GG, np.maximum(red_GG, 0.0), (excess_GG >= 0.0) & (sum_GG > 0.0))


_LINEAR = light_of_levels().astype(np.float32)
_SATURATED = RED_SHARE - _ROUNDING
_MEASURES = np.array(
    [LUMA, (1.0, -1.0, -1.0), (1.0 - _SATURATED, -_SATURATED, -_SATURATED), (1.0, 1.0, 1.0)], np.float32
)
"""Luminance, redness, by how much red is more than saturated, and the sum of the colours, from linear red, green and blue."""
