"""Effects on single frames: grain, mirror, zoom, rotated hues, glow, brightness. Every function returns new pixels.

Sizes are shares of the frame, so an effect looks the same at every size. OpenCV is imported when an effect is first used.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

# H W rows and columns of pixels, C channels (RGB)

Pixels = NDArray[np.uint8]

LUMA = (0.2126, 0.7152, 0.0722)
"""Shares of linear red, green and blue in relative luminance (ITU-R BT.709)."""

SMALLEST_VISIBLE = 1.0 / 512.0
"""A smaller effect cannot be seen, and is not applied."""

_GRAIN_LEVELS = 40.0
"""Differences between neighbours that are mostly taken for grain where all of it is taken out."""
_MOST_CUBIC_PIXELS = 512 * 512
"""Larger frames are zoomed by linear interpolation: they have the detail, and cubic would cost 14 ms at 1024 x 1024."""
_GLOW_SIDE = 64
"""Shorter side, in pixels, of the small frame in which glow is blurred."""
_GLOW_BLURS = ((0.02, 0.6), (0.08, 0.9))
"""Of each part of the halo: its width as a share of the shorter side, and its amount."""


def degrained(pixels_HWC: Pixels, share: float) -> Pixels:
    """Return the frame without small differences between near pixels; edges stay (the bilateral filter of Tomasi and Manduchi, 1998)."""
    import cv2

    return np.asarray(cv2.bilateralFilter(pixels_HWC, 5, _GRAIN_LEVELS * share, 1.5), np.uint8)


def mirrored(pixels_HWC: Pixels) -> Pixels:
    """Return the frame mirrored left to right."""
    import cv2

    return np.asarray(cv2.flip(pixels_HWC, 1), np.uint8)


def zoomed(pixels_HWC: Pixels, factor: float, room: tuple[int, int] | None = None) -> Pixels:
    """Return the frame enlarged by `factor`, 1 or more, about its centre.

    It is cropped to its old size or, with more `room` (height and width), to that; it stays in the middle of either to the pixel.
    """
    import cv2

    height, width = pixels_HWC.shape[:2]
    rows, columns = (
        max(old, new - 2 * math.ceil((new - factor * old) / 2)) if new > factor * old else new
        for old, new in zip((height, width), room or (height, width), strict=True)
    )
    matrix = np.array(
        [
            [factor, 0.0, (columns - 1) / 2 - factor * (width - 1) / 2],
            [0.0, factor, (rows - 1) / 2 - factor * (height - 1) / 2],
        ]
    )
    interpolation = cv2.INTER_CUBIC if width * height <= _MOST_CUBIC_PIXELS else cv2.INTER_LINEAR
    enlarged = cv2.warpAffine(pixels_HWC, matrix, (columns, rows), flags=interpolation, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(enlarged, np.uint8)


def colour_turned(pixels_HWC: Pixels, turns: float) -> Pixels:
    """Return the frame with all hues rotated by `turns` of the colour circle; each pixel keeps its luminance where it can."""
    import cv2

    # A square root is close enough to the sRGB curve, and twice as fast.
    linear_HWC = np.asarray(cv2.transform(cv2.LUT(pixels_HWC, _SQUARES), _turn_matrix(turns)), np.float32)
    root_HWC = cv2.sqrt(np.maximum(linear_HWC, 0.0, out=linear_HWC))
    return np.asarray(cv2.convertScaleAbs(root_HWC, alpha=255.0), np.uint8)


def glowing(pixels_HWC: Pixels, share: float) -> Pixels:
    """Return the frame with `share` of the light of its bright parts spread around them."""
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
    # The screen blend 1 - (1 - a)(1 - b) approaches white and never clips.
    unlit = cv2.multiply(cv2.bitwise_not(pixels_HWC), cv2.bitwise_not(spread), scale=1.0 / 255.0)
    return np.asarray(cv2.bitwise_not(unlit), np.uint8)


def brightened(pixels_HWC: Pixels, factor: float) -> Pixels:
    """Return the frame with every level multiplied by `factor`."""
    import cv2

    levels = np.clip(np.rint(np.arange(256) * factor), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(pixels_HWC, levels), np.uint8)


_SQUARES = ((np.arange(256) / 255.0) ** 2).astype(np.float32)


def _bright_pass() -> NDArray[np.float32]:
    level = np.arange(256) / 255.0
    rise = np.clip((level - 0.25) / 0.6, 0.0, 1.0)
    return (level * rise * rise * (3.0 - 2.0 * rise)).astype(np.float32)


_BRIGHT = _bright_pass()
"""Share of each level that glows: nothing of the darkest quarter, then more and more."""


@functools.lru_cache(maxsize=64)
def _turn_matrix(turns: float) -> NDArray[np.float32]:
    """Return a rotation about the grey axis that keeps luminance by adding or removing grey; greys stay, rotations add up."""
    angle = 2.0 * math.pi * turns
    across = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3.0)
    grey = np.full((3, 3), 1.0 / 3.0)
    rotation = grey + math.cos(angle) * (np.eye(3) - grey) + math.sin(angle) * across
    luma = np.array(LUMA)
    return (rotation + np.ones((3, 1)) * (luma - luma @ rotation)).astype(np.float32)
