"""Flicker: how much generated frames change where and when the clip stands still."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

# H W rows and columns, C colours, h w blocks of 8 x 8 pixels

BLOCK = 8
STILL_LEVELS = 2.0
"""Of 255: a block whose pixels change by no more, on average from frame to frame, stands still; compression changes it by as much."""
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
    """Compare consecutive generated frames with the clip's frames at the same times, all of one size."""
    fake_sum = real_sum = 0.0
    still = blocks = 0
    pairs = zip(itertools.pairwise(fake_HWC), itertools.pairwise(real_HWC), strict=True)
    for (fake_before, fake_after), (real_before, real_after) in pairs:
        real_hw = _block_changes(real_before, real_after)
        is_still = real_hw <= STILL_LEVELS
        fake_sum += float(_block_changes(fake_before, fake_after)[is_still].sum())
        real_sum += float(real_hw[is_still].sum())
        still += int(is_still.sum())
        blocks += is_still.size
    return Flicker(fake_sum / max(still, 1), real_sum / max(still, 1), still / max(blocks, 1))


def _block_changes(before_HWC: NDArray[np.uint8], after_HWC: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the mean absolute change [h, w] of each block, over its pixels and colours."""
    changes_HWC = cv2.absdiff(after_HWC, before_HWC).astype(np.float32)
    height, width = (max(1, side // BLOCK) for side in changes_HWC.shape[:2])
    blocks_hwC = cv2.resize(changes_HWC, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(blocks_hwC, dtype=np.float32).mean(axis=2)
