"""Video feedback: what was shown last comes back enlarged and turned, as when a camera films its own screen."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.render.effects.frame_effects import SMALLEST_VISIBLE
from engine.render.effects.trail import UNIT_S

# H W rows and columns of pixels, C channels (RGB)

_LARGEST_SHARE = 0.95
"""With more, new frames would hardly be seen."""


class VideoFeedback:
    """The last result, which fades, grows and turns by the time that has passed, and so alike at every frame rate."""

    def __init__(self) -> None:
        self._light_HWC: NDArray[np.float32] | None = None
        self._time_s = 0.0

    def clear(self) -> None:
        """Forget what was shown."""
        self._light_HWC = None

    def over(
        self, pixels_HWC: NDArray[np.uint8], share: float, doublings: float, turns: float, time_s: float
    ) -> NDArray[np.uint8]:
        """Return the frame mixed with the last result, of which `share` is left after UNIT_S; `doublings` and `turns` are those of a second."""
        import cv2

        passed_s = max(time_s - self._time_s, 0.0)
        self._time_s = time_s
        light_HWC = pixels_HWC.astype(np.float32)
        before_HWC = self._light_HWC
        left = min(share, _LARGEST_SHARE) ** (passed_s / UNIT_S)
        # After a long gap nothing is left, and the factor of its size may be too large for a number.
        if before_HWC is not None and left > SMALLEST_VISIBLE:
            height, width = light_HWC.shape[:2]
            if before_HWC.shape != light_HWC.shape:
                before_HWC = cv2.resize(before_HWC, (width, height), interpolation=cv2.INTER_LINEAR)
            matrix = cv2.getRotationMatrix2D(
                ((width - 1) / 2, (height - 1) / 2), 360.0 * turns * passed_s, math.exp2(doublings * passed_s)
            )
            moved_HWC = cv2.warpAffine(
                before_HWC, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
            )
            light_HWC = cv2.addWeighted(light_HWC, 1.0 - left, moved_HWC, left, 0.0)
        self._light_HWC = np.asarray(light_HWC, np.float32)
        return np.asarray(cv2.convertScaleAbs(self._light_HWC), np.uint8)
