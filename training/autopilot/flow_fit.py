"""Flow fit: how well one frame, warped by optical flow, matches the others. Solid motion fits well, changing surfaces do not."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.flow import dense_flow

# H W rows and columns

SMALL_SIDE = 32
MOST_FRAMES = 64


def flow_fit_error(frames: Sequence[NDArray[np.uint8]]) -> float:
    """Return the error of the most typical grey frame [H, W] warped to match each frame, as a share of the mean frame's error.

    1 for frames that do not change.
    """
    chosen = [frames[i] for i in np.unique(np.linspace(0, len(frames) - 1, MOST_FRAMES).round().astype(int))]
    key_HW = typical_frame(chosen)
    rows_HW, columns_HW = np.indices(key_HW.shape, dtype=np.float32)
    mean_HW = np.mean(np.stack(chosen).astype(np.float32), axis=0)
    warped_sum = still_sum = 0.0
    for frame_HW in chosen:
        flow_HW2 = dense_flow(key_HW, frame_HW)
        warped_HW = cv2.remap(
            key_HW,
            columns_HW + flow_HW2[..., 0],
            rows_HW + flow_HW2[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        warped_sum += float(np.abs(warped_HW.astype(np.float32) - frame_HW).mean())
        still_sum += float(np.abs(mean_HW - frame_HW).mean())
    return warped_sum / still_sum if still_sum > 0.0 else 1.0


def typical_frame(frames: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return the frame whose summed difference from all others is smallest."""
    small = np.stack([cv2.resize(each, (SMALL_SIDE, SMALL_SIDE), interpolation=cv2.INTER_AREA) for each in frames])
    values = small.reshape(len(small), -1).astype(np.float32)
    return frames[int(np.argmin([np.abs(values - one).sum() for one in values]))]
