"""The model's features as one byte a band, for a scrolling view of what the model gets."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# F feature bands

RELEASE_S = 10.0
"""Time in which the range that was reached shrinks to a third, so that a quiet song is seen after a loud one."""
NARROWEST = 0.05
"""The range never becomes narrower than this share of the widest one so far: silence stays dark."""


class FeatureLevels:
    """Follows the range of the features, which is the model's own affair: log-mel, MFCC, or anything else."""

    def __init__(self, fps: float) -> None:
        self._release = 1.0 - math.exp(-1.0 / (RELEASE_S * fps))
        self._low, self._high = math.inf, -math.inf
        self._widest = 0.0

    def levels(self, features_F: NDArray[np.float32]) -> bytes:
        """Return the features of the next hop as one byte a band: 0 for the least of the range, 255 for the greatest."""
        known_F = np.nan_to_num(features_F, nan=0.0, posinf=0.0, neginf=0.0)
        if not known_F.size:
            return b""
        shrunk = self._release * (self._high - self._low) if self._high > self._low else 0.0
        self._low = min(float(known_F.min()), self._low + shrunk)
        self._high = max(float(known_F.max()), self._high - shrunk)
        self._widest = max(self._widest, self._high - self._low)
        width = max(self._high - self._low, NARROWEST * self._widest)
        scale = 255.0 / width if width > 0.0 else 0.0
        return np.clip((known_F - self._low) * scale, 0.0, 255.0).astype(np.uint8).tobytes()
