"""The curve between a frame's levels and the light they stand for (IEC 61966-2-1, sRGB)."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

# L levels

Float = TypeVar("Float", np.float32, np.float64)


def to_light(level: NDArray[Float]) -> NDArray[Float]:
    """Return the light of levels, both from 0 to 1; any shape. Average light, not levels: averaged levels are too dark."""
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4).astype(level.dtype)


def from_light(light: NDArray[Float]) -> NDArray[Float]:
    """Return the levels of light, both from 0 to 1; any shape. Light below 0, from sharp resize kernels, counts as black."""
    level = np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0.0) ** (1 / 2.4) - 0.055)
    return level.astype(light.dtype)


def light_of_levels() -> NDArray[np.float64]:
    """Return the light, 0 to 1, of each of the 256 levels [L]."""
    return to_light(np.arange(256) / 255.0)


def level_of_light(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the levels, 0 to 255, of light from 0 to 1; any shape."""
    return 255.0 * from_light(light)
