"""Mixture fit: how well mixing a few still frames matches a clip. Light that comes and goes in its place fits well, motion does not."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

# N frames, H W rows and columns, P places

MIXED_FRAMES = 3
SIDE = 64
MOST_FRAMES = 64


def mixture_fit_error(frames: Sequence[NDArray[np.uint8]]) -> float:
    """Return the error of the best mixtures of three frames, for grey frames [H, W], as a share of the mean frame's error.

    The three are the leading principal components of the clip. 1 for frames that do not change.
    """
    chosen = np.unique(np.linspace(0, len(frames) - 1, MOST_FRAMES).round().astype(int))
    small = [cv2.resize(frames[index], (SIDE, SIDE), interpolation=cv2.INTER_AREA) for index in chosen]
    values_NP = np.stack(small).reshape(len(small), -1).astype(np.float64)
    changes_NP = values_NP - values_NP.mean(axis=0)
    left, sizes, right = np.linalg.svd(changes_NP, full_matrices=False)
    mixed_NP = (left[:, :MIXED_FRAMES] * sizes[:MIXED_FRAMES]) @ right[:MIXED_FRAMES]
    still = float(np.abs(changes_NP).mean())
    return float(np.abs(changes_NP - mixed_NP).mean()) / still if still > 0.0 else 1.0
