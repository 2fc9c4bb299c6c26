"""Dense optical flow between two frames of a clip."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# H W rows and columns

SMOOTHNESS = 2.0
"""Standard deviation of the smoothing, in pixels."""


def dense_flow(key_HW: NDArray[np.uint8], frame_HW: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return for every place of a frame its place in the key frame, as smoothed offsets right and down in pixels, [H, W, 2].

    The method is Farneback's (Two-Frame Motion Estimation Based on Polynomial Expansion, 2003).
    """
    start = np.zeros((*frame_HW.shape, 2), np.float32)
    flow_HW2 = cv2.calcOpticalFlowFarneback(frame_HW, key_HW, start, 0.5, 4, 21, 5, 7, 1.5, 0)
    return np.asarray(cv2.GaussianBlur(flow_HW2, (0, 0), SMOOTHNESS), dtype=np.float32)
