"""Trails: bright parts of earlier frames that fade in later ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# H W rows and columns of pixels, C channels (RGB)

UNIT_S = 0.1
"""Time after which the trail's share of a frame is left."""


class Trail:
    """The fading light of earlier frames.

    A frame stays visible where it was brighter than later ones, and fades by the time that has passed, so a trail looks the same
    at every frame rate.
    """

    def __init__(self) -> None:
        self._light_HWC: NDArray[np.float32] | None = None
        self._time_s = 0.0

    def over(self, pixels_HWC: NDArray[np.uint8], share: float, time_s: float) -> NDArray[np.uint8]:
        """Return the frame over the trail of those before it; `share` of a frame is left after UNIT_S."""
        import cv2

        passed_s = max(time_s - self._time_s, 0.0)
        self._time_s = time_s
        light_HWC = pixels_HWC.astype(np.float32)
        before_HWC = self._light_HWC
        if before_HWC is not None:
            if before_HWC.shape != light_HWC.shape:
                size = (light_HWC.shape[1], light_HWC.shape[0])
                before_HWC = np.asarray(cv2.resize(before_HWC, size, interpolation=cv2.INTER_LINEAR), np.float32)
            np.multiply(before_HWC, np.float32(min(share, 1.0) ** (passed_s / UNIT_S)), out=before_HWC)
            cv2.max(before_HWC, light_HWC, dst=light_HWC)
        self._light_HWC = light_HWC
        return np.asarray(cv2.convertScaleAbs(light_HWC), np.uint8)

    def clear(self) -> None:
        """Forget all frames."""
        self._light_HWC = None
