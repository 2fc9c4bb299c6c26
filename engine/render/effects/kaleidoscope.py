"""A kaleidoscope: one part of the frame, repeated about the centre, every other time as its mirror image."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from engine.render.effects.frame_effects import Pixels

# H W rows and columns of pixels, C channels (RGB)


def folded(pixels_HWC: Pixels, sectors: int, turn: float, field: tuple[int, int]) -> Pixels:
    """Return a field (height, width) that repeats a part of the frame in `sectors` equal sectors.

    Each is symmetrical, and so are its neighbours with it. The part begins in the direction `turn`, in turns from the right. Beyond the
    frame's own edges its mirror image goes on, so the field is full whatever its shape.
    """
    import cv2

    height, width = pixels_HWC.shape[:2]
    x_HW, y_HW = _positions(*field, sectors)
    along, across = (np.float32(f(2.0 * math.pi * turn)) for f in (math.cos, math.sin))
    map_x = along * x_HW - across * y_HW + np.float32((width - 1) / 2)
    map_y = across * x_HW + along * y_HW + np.float32((height - 1) / 2)
    remapped = cv2.remap(pixels_HWC, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(remapped, np.uint8)


@functools.lru_cache(maxsize=4)
def _positions(rows: int, columns: int, sectors: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where each pixel lies after folding, from the centre, for a part that begins to the right."""
    y = np.arange(rows)[:, None] - (rows - 1) / 2
    x = np.arange(columns)[None] - (columns - 1) / 2
    radius_HW, sector = np.hypot(x, y), 2.0 * math.pi / sectors
    # Measured from the top, so that the field is symmetrical left to right.
    angle_HW = np.arctan2(x, -y)
    angle_HW = np.abs((angle_HW + sector / 2) % sector - sector / 2)
    return (radius_HW * np.cos(angle_HW)).astype(np.float32), (radius_HW * np.sin(angle_HW)).astype(np.float32)
