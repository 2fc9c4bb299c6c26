"""The curve between a picture's levels and the light they stand for (IEC 61966-2-1, sRGB)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# L levels


def light_of_levels() -> NDArray[np.float64]:
    """Return the light, 0 to 1, of each of the 256 levels [L]."""
    level_L = np.arange(256) / 255.0
    return np.where(level_L <= 0.04045, level_L / 12.92, ((level_L + 0.055) / 1.055) ** 2.4)


def level_of_light(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the levels, 0 to 255, of light from 0 to 1; any shape."""
    return 255.0 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
