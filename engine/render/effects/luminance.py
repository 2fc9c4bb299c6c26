"""Relative luminance and red of the cells of a frame, as WCAG 2.3.1 measures flashes.

The frame is cut into GRID x GRID cells, each the mean of its linear light. Flashes are counted in every visual field of
FIELD x FIELD cells, a third of the frame each way. That is the 10 degree visual field of WCAG 2.3.1: 341 x 256 of 1024 x 768
pixels. A third is 10 degrees from a distance of 1.9 frame widths; from further away it is less, which is on the safe side.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.srgb import light_of_levels
from engine.render.effects.frame_effects import LUMA

# H W rows and columns of pixels, C channels (RGB); G rows or columns of cells

GRID = 48
FIELD = GRID // 3
QUARTER = FIELD * FIELD // 4
"""Cells of a field that may flash without limit: a quarter of it."""

RED_SHARE = 0.8
"""Share of red in R + G + B from which a red is saturated."""

_ROUNDING = 1e-4
"""Changes smaller than the definition's by this count too, so that no rounding lets a flash through."""


class CellLight(NamedTuple):
    """Relative luminance (0 to 1), max(0, R - G - B) and whether red is saturated, of every cell [G, G]."""

    luminance_GG: NDArray[np.float32]
    red_GG: NDArray[np.float32]
    saturated_GG: NDArray[np.bool_]


def measure_light(pixels_HWC: NDArray[np.uint8]) -> CellLight:
    """Measure an 8-bit sRGB frame of any size."""
    import cv2

    linear = cv2.LUT(pixels_HWC, _LINEAR)
    if min(pixels_HWC.shape[:2]) < GRID:
        # Pixels are repeated, so that every cell has some.
        scale = -(-GRID // min(pixels_HWC.shape[:2]))
        linear = cv2.resize(linear, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    cells = cv2.resize(linear, (GRID, GRID), interpolation=cv2.INTER_AREA)
    measured = np.asarray(cv2.transform(cells, _MEASURES), np.float32)
    luminance_GG, red_GG, excess_GG, sum_GG = (np.ascontiguousarray(measured[..., i]) for i in range(4))
    return CellLight(luminance_GG, np.maximum(red_GG, 0.0), (excess_GG >= 0.0) & (sum_GG > 0.0))


_LINEAR = light_of_levels().astype(np.float32)
_SATURATED = RED_SHARE - _ROUNDING
_MEASURES = np.array(
    [LUMA, (1.0, -1.0, -1.0), (1.0 - _SATURATED, -_SATURATED, -_SATURATED), (1.0, 1.0, 1.0)], np.float32
)
"""Luminance, R - G - B, by how much red exceeds saturation, and R + G + B, from linear red, green and blue."""
