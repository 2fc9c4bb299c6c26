"""From light to bytes: bloom, a soft shoulder, the curve of a screen, and a fixed dither against bands in dark gradients.

Axes: H W frame, C red green blue.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.scenes.sound_force import Array

EXPOSURE, CONTRAST = 1.7, 1.85  # of the curve: less than the 2.2 of a screen gives deeper shadows and purer colours
BLOOM_FROM = 0.30


def smoothstep(low: float, high: float, value: Array) -> Array:
    """Return a soft edge: 0 up to `low`, 1 from `high` on, 3 t^2 - 2 t^3 between."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return (t * t * (3.0 - 2.0 * t)).astype(np.float32)


def static_dither(height: int, width: int) -> Array:
    """Return a grain of less than one level, the same in every frame, `[H, W, 1]`: still parts of a scene stay still."""
    random = np.random.default_rng(3)
    return (random.random((height, width, 1)) - random.random((height, width, 1))).astype(np.float32) * np.float32(0.5)


def expose(light_HWC: Array, dither_HW1: Array, bloom: float = 0.35) -> NDArray[np.uint8]:
    """Add bloom, roll highlights off (1 - exp(-x) keeps hues and never clips), encode for the eye, uint8 RGB [H, W, 3]."""
    height, width = light_HWC.shape[:2]
    bright = np.maximum(light_HWC - BLOOM_FROM, 0.0)
    small = cv2.resize(bright, (max(8, width // 4), max(8, height // 4)), interpolation=cv2.INTER_AREA)
    soft = 0.6 * cv2.GaussianBlur(small, (0, 0), height / 320.0) + 0.4 * cv2.GaussianBlur(small, (0, 0), height / 70.0)
    whole = light_HWC + bloom * cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    exposed = (1.0 - np.exp(-EXPOSURE * np.maximum(whole, 0.0))) ** (1.0 / CONTRAST)
    return np.clip(exposed * 255.0 + dither_HW1 + 0.5, 0.0, 255.0).astype(np.uint8)
