"""How far one picture, bent, becomes the others: nearly all the way where solid things move, not at all where surfaces change."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.flow import dense_flow

# T looks, H W rows and columns

SMALL_SIDE = 32
MOST_LOOKS = 64


def bent_error(looks: Sequence[NDArray[np.uint8]]) -> float:
    """Return the error that is left when the most typical of some grey pictures is bent to match each, as a share of the
    mean picture's error; 1 for pictures that do not change.
    """
    chosen = [looks[i] for i in np.unique(np.linspace(0, len(looks) - 1, MOST_LOOKS).round().astype(int))]
    key_HW = typical(chosen)
    rows_HW, columns_HW = np.indices(key_HW.shape, dtype=np.float32)
    mean_HW = np.mean(np.stack(chosen).astype(np.float32), axis=0)
    bent_sum = still_sum = 0.0
    for look_HW in chosen:
        flow_HW2 = dense_flow(key_HW, look_HW)
        bent_HW = cv2.remap(
            key_HW,
            columns_HW + flow_HW2[..., 0],
            rows_HW + flow_HW2[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        bent_sum += float(np.abs(bent_HW.astype(np.float32) - look_HW).mean())
        still_sum += float(np.abs(mean_HW - look_HW).mean())
    return bent_sum / still_sum if still_sum > 0.0 else 1.0


def typical(looks: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return the picture whose summed difference from all others is least."""
    small = np.stack([cv2.resize(look, (SMALL_SIDE, SMALL_SIDE), interpolation=cv2.INTER_AREA) for look in looks])
    values = small.reshape(len(small), -1).astype(np.float32)
    return looks[int(np.argmin([np.abs(values - one).sum() for one in values]))]
