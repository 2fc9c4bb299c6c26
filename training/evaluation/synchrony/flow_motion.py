"""Motion as AV-Align takes it: the mean length of the optical flow from each frame to the next, and its peaks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# N frames, H W rows and columns

Series = NDArray[np.float64]
Grey = NDArray[np.uint8]


def mean_flow(before_HW: Grey, after_HW: Grey) -> float:
    """Return the mean length of the flow in pixels, by Farnebäck's method with AV-Align's values (2003)."""
    start = np.zeros((*before_HW.shape, 2), np.float32)
    flow_HW2 = cv2.calcOpticalFlowFarneback(before_HW, after_HW, start, 0.5, 3, 15, 3, 5, 1.2, 0)
    return float(np.hypot(flow_HW2[..., 0], flow_HW2[..., 1]).mean())


def motion_peaks(flow_N: Series, fps: float, least: float) -> Series:
    """Return the times of the strict local maxima of at least `least`; neither the first frame nor the last one is any."""
    if len(flow_N) < 3:
        return np.zeros(0)
    inner = flow_N[1:-1]
    peaks = (inner > flow_N[:-2]) & (inner > flow_N[2:]) & (inner >= least)
    return (np.flatnonzero(peaks) + 1) / fps
