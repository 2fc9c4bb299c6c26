"""Tell a still frame from a film: grain, compression and a frame that repeats are no motion."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

# H W rows and columns, C colours (absent in grey frames)

STILL_LEVELS = 8
"""Of 255: changes up to this are compression's, not motion."""
GRAINY_LEVELS = 16
"""However grainy a film is, a larger change of neighbouring pixels together is motion."""
NEIGHBOURS = 5
GRAIN_LIMIT = 7.0
"""Times the deviation of the grain: the largest of a million random numbers stays below 6."""
DEVIATION = 1.4826
"""Standard deviation of a normal distribution over the median of its absolute values."""


def is_still(frames: Sequence[NDArray[np.uint8]]) -> bool:
    """Tell whether frames [H, W] or [H, W, C] all show the same, but for grain; False for fewer than two.

    Grain is independent from pixel to pixel, so the mean of a square of 5 x 5 has a fifth of it; what moves changes its
    neighbours too. One frame after another is taken from `frames`, which may read them from a file.
    """
    if len(frames) < 2:
        return False
    first = frames[0].astype(np.float32)
    for frame in itertools.islice(frames, 1, None):
        difference = frame - first
        grain = DEVIATION * float(np.median(np.abs(difference - np.median(difference))))
        allowed = min(max(STILL_LEVELS, GRAIN_LIMIT * grain / NEIGHBOURS), GRAINY_LEVELS)
        if float(np.abs(cv2.blur(difference, (NEIGHBOURS, NEIGHBOURS))).max()) > allowed:
            return False
    return True
