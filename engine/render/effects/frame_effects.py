"""What one picture undergoes by itself: mirror, zoom, turned colours, glow, brightness. Every function returns a new picture.

Sizes are shares of the picture, so an effect looks the same at every size. OpenCV is imported when an effect is first used.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

# H W picture rows and columns, C channels (RGB)

Image = NDArray[np.uint8]

LUMA = (0.2126, 0.7152, 0.0722)
"""Shares of linear red, green and blue in relative luminance (ITU-R BT.709)."""

_MOST_CUBIC_PIXELS = 512 * 512
"""Larger pictures are enlarged by straight lines: they have the detail, and the curve would cost 14 ms at 1024 x 1024."""
_GLOW_SIDE = 64
"""Pixels of the shorter side of the picture that glow is blurred in."""
_GLOW_BLURS = ((0.02, 0.6), (0.08, 0.9))
"""Widths of the halo's parts as shares of the shorter side, and how much of each there is."""


def mirrored(pixels_HWC: Image) -> Image:
    """Return the picture turned left to right."""
    import cv2

    return np.asarray(cv2.flip(pixels_HWC, 1), np.uint8)


def zoomed(pixels_HWC: Image, factor: float) -> Image:
    """Return the picture enlarged by `factor`, 1 or more, about its centre, cut at its old size."""
    import cv2

    height, width = pixels_HWC.shape[:2]
    kept = 1.0 - factor
    matrix = np.array([[factor, 0.0, kept * (width - 1) / 2], [0.0, factor, kept * (height - 1) / 2]])
    curve = cv2.INTER_CUBIC if width * height <= _MOST_CUBIC_PIXELS else cv2.INTER_LINEAR
    enlarged = cv2.warpAffine(pixels_HWC, matrix, (width, height), flags=curve, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(enlarged, np.uint8)


def colour_turned(pixels_HWC: Image, turns: float) -> Image:
    """Return the picture with all hues turned by `turns` of the colour circle, each pixel as light as it was where it can be."""
    import cv2

    # A square root is near enough to what screens do, and twice as fast as the exact curve.
    linear_HWC = np.asarray(cv2.transform(cv2.LUT(pixels_HWC, _SQUARES), _turn_matrix(turns)), np.float32)
    root_HWC = cv2.sqrt(np.maximum(linear_HWC, 0.0, out=linear_HWC))
    return np.asarray(cv2.convertScaleAbs(root_HWC, alpha=255.0), np.uint8)


def glowing(pixels_HWC: Image, share: float) -> Image:
    """Return the picture with `share` of the light of its bright parts spread around them."""
    import cv2

    height, width = pixels_HWC.shape[:2]
    scale = min(1.0, _GLOW_SIDE / min(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    light = cv2.LUT(cv2.resize(pixels_HWC, size, interpolation=cv2.INTER_AREA), _BRIGHT)
    halo = np.zeros_like(light)
    for blur, amount in _GLOW_BLURS:
        halo += amount * cv2.GaussianBlur(light, (0, 0), blur * min(size), borderType=cv2.BORDER_REFLECT)
    levels = cv2.convertScaleAbs(halo, alpha=255.0 * share)
    spread = cv2.resize(levels, (width, height), interpolation=cv2.INTER_LINEAR)
    # Light over light as on a photographic plate: 1 - (1 - a)(1 - b) nears white and is never cut off.
    unlit = cv2.multiply(cv2.bitwise_not(pixels_HWC), cv2.bitwise_not(spread), scale=1.0 / 255.0)
    return np.asarray(cv2.bitwise_not(unlit), np.uint8)


def brightened(pixels_HWC: Image, factor: float) -> Image:
    """Return the picture with every level times `factor`."""
    import cv2

    levels = np.clip(np.rint(np.arange(256) * factor), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(pixels_HWC, levels), np.uint8)


_SQUARES = ((np.arange(256) / 255.0) ** 2).astype(np.float32)


def _bright_pass() -> NDArray[np.float32]:
    level = np.arange(256) / 255.0
    rise = np.clip((level - 0.25) / 0.6, 0.0, 1.0)
    return (level * rise * rise * (3.0 - 2.0 * rise)).astype(np.float32)


_BRIGHT = _bright_pass()
"""How much of each level shines: nothing of the darkest quarter, then ever more."""


@functools.lru_cache(maxsize=64)
def _turn_matrix(turns: float) -> NDArray[np.float32]:
    """Rotation about the grey axis, then grey added or taken until luminance is what it was; turns add up, greys stay."""
    angle = 2.0 * math.pi * turns
    across = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3.0)
    grey = np.full((3, 3), 1.0 / 3.0)
    rotation = grey + math.cos(angle) * (np.eye(3) - grey) + math.sin(angle) * across
    luma = np.array(LUMA)
    return (rotation + np.ones((3, 1)) * (luma - luma @ rotation)).astype(np.float32)
