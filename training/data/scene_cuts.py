"""Scene cut detection while a clip is decoded.

Two measures compare neighbouring frames at a small size. Arrangement: the contrast-structure term of SSIM (Wang et al. 2004)
over the whole frame; flickering light changes it little. Colours: the distance of their histograms (Zhang, Kankanhalli and
Smoliar 1993); an object that moves in front of a plain background changes it little. A cut changes both and stands out from
its neighbourhood, as in Yusoff, Christmas and Kittler, "Video Shot Cut Detection using Adaptive Thresholding" (2000).
Dissolves are not detected.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# H W rows and columns, K comparisons

SIDE = 24
STABILISER = 0.03**2
"""C2 of SSIM, for frames in [0, 1]: it suppresses the noise of two plain frames."""
LOWEST_CHANGE = 0.4
"""0: the same frame in the same light; 1: nothing in common. Strong waves reach 0.29, true cuts start at 0.43."""
LOWEST_NEW_COLOUR = 0.15
"""Share of the difference that comes from new colours, not from the same colours in other places: a moving bar has 0.12,
true cuts start at 0.20."""
PROMINENCE = 3.0
"""Least ratio of a cut to the median of its neighbourhood."""
NEIGHBOURHOOD_S = 0.5


class SceneCutDetector:
    """Takes the frames of a clip one by one and keeps a few numbers of each."""

    def __init__(self, fps: int) -> None:
        self.fps = fps
        self._before: list[NDArray[np.float32]] = []
        self._from_last: list[float] = []
        self._from_last_but_one: list[float] = []
        self._candidates: list[int] = []

    def add(self, frame_HWC: NDArray[np.uint8]) -> None:
        """Take the next frame [H, W, 3]; frames smaller than SIDE are too coarse to tell a cut from motion and are ignored."""
        if min(frame_HWC.shape[:2]) < SIDE:
            return
        small = cv2.resize(frame_HWC, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
        changed = rearranged(self._before[-1], small) if self._before else 0.0
        if changed > LOWEST_CHANGE and new_colour(self._before[-1], small) > LOWEST_NEW_COLOUR:
            self._candidates.append(len(self._from_last))
        self._from_last.append(changed)
        self._from_last_but_one.append(rearranged(self._before[0], small) if len(self._before) == 2 else 1.0)
        self._before = [*self._before[-1:], small]

    def cuts_s(self) -> tuple[float, ...]:
        """Return the times in seconds at which a new shot starts."""
        changed_K, reach = np.array(self._from_last), max(2, round(NEIGHBOURHOOD_S * self.fps))
        found = []
        for k in self._candidates:
            around = np.concatenate([changed_K[max(1, k - reach) : k], changed_K[k + 1 : k + 1 + reach]])
            stands_out = not len(around) or changed_K[k] > PROMINENCE * float(np.median(around))
            if stands_out and not self._flash(k):
                found.append(round(k / self.fps, 2))
        return tuple(found)

    def _flash(self, k: int) -> bool:
        """Tell whether only one frame differs and its neighbours are alike."""
        return min(self._from_last_but_one[k : k + 2]) < LOWEST_CHANGE / 2


def rearranged(one_HWC: NDArray[np.float32], other_HWC: NDArray[np.float32]) -> float:
    """Return 1 - (2 cov + C) / (var + var + C) of two frames in [0, 1] without their mean colours: 0 for equal frames, 1 for unrelated ones."""
    one, other = (frame - frame.mean(axis=(0, 1)) for frame in (one_HWC, other_HWC))
    together = 2.0 * float(np.mean(one * other)) + STABILISER
    return 1.0 - together / (float(np.mean(one**2) + np.mean(other**2)) + STABILISER)


def new_colour(one_HWC: NDArray[np.float32], other_HWC: NDArray[np.float32]) -> float:
    """Return the earth mover's distance of the colour histograms as a share of the difference pixel by pixel."""
    one, other = (np.sort(frame.reshape(-1, 3), axis=0) for frame in (one_HWC, other_HWC))
    return float(np.abs(one - other).mean() / max(np.abs(one_HWC - other_HWC).mean(), 1e-6))
