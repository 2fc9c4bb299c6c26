"""Flicker: how much generated frames change where and when the clip stands still."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engine.core.errors import TrainingError

# T pairs of successive frames, H W rows and columns, C colours, h w blocks of 8 x 8 pixels

BLOCK = 8
STILL_LEVELS = 2.0
"""Of 255: a block whose pixels change by no more, on average from frame to frame, stands still; compression changes it by as much."""
REACH = 5
"""A block stands still that does so from so many frames before to as many after: what has just moved there, or is about to, may come a
frame too early or too late, which is no flicker."""
UNSEEN_LEVELS = 0.25
"""Less than this is counted as this: nobody sees it, and a rendered clip has none at all."""
LEAST_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Flicker:
    """Mean absolute change from frame to frame, in levels of 255, of the blocks that stand still in the clip."""

    generated: float
    clip: float
    share: float
    """Of all blocks, over all frames, those that stand still."""

    @property
    def ratio(self) -> float:
        """How much more than the clip the generated frames change there; not a number where nothing stands still."""
        if self.share < LEAST_SHARE:
            return math.nan
        return max(self.generated, UNSEEN_LEVELS) / max(self.clip, UNSEEN_LEVELS)


def flicker(fake_HWC: Iterable[NDArray[np.uint8]], real_HWC: Iterable[NDArray[np.uint8]]) -> Flicker:
    """Compare consecutive generated frames with the clip's frames at the same times, all of one size.

    Raises TrainingError for fewer than two frames, and where one has more than the other.
    """
    fake, real = ([_block_changes(*pair) for pair in itertools.pairwise(each)] for each in (fake_HWC, real_HWC))
    if not fake or not real:
        raise TrainingError("Flicker was asked of fewer than two frames; two or more were expected: use a longer film.")
    if len(fake) != len(real):
        raise TrainingError(
            f"Flicker was asked of {len(fake) + 1} frames beside {len(real) + 1} of the clip; as many of both were expected."
        )
    fake_Thw, real_Thw = np.stack(fake), np.stack(real)
    padded = np.pad(real_Thw, ((REACH, REACH), (0, 0), (0, 0)), mode="edge")
    most_Thw = sliding_window_view(padded, 2 * REACH + 1, axis=0).max(axis=-1)
    is_still = most_Thw <= STILL_LEVELS
    if not is_still.any():
        return Flicker(0.0, 0.0, 0.0)
    return Flicker(float(fake_Thw[is_still].mean()), float(real_Thw[is_still].mean()), float(is_still.mean()))


def _block_changes(before_HWC: NDArray[np.uint8], after_HWC: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the mean absolute change [h, w] of each block, over its pixels and colours."""
    changes_HWC = cv2.absdiff(after_HWC, before_HWC).astype(np.float32)
    height, width = (max(1, side // BLOCK) for side in changes_HWC.shape[:2])
    blocks_hwC = cv2.resize(changes_HWC, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(blocks_hwC, dtype=np.float32).mean(axis=2)
