"""Where one shot ends and the next begins, found while a clip is decoded.

Neighbouring pictures, made small, are compared in two ways. Arrangement: the contrast-structure term of SSIM (Wang et al. 2004)
over the whole picture, which light that comes and goes changes little. Colours: the distance of their histograms (Zhang,
Kankanhalli and Smoliar 1993), which a thing that moves before a plain ground changes little. A cut changes both, and stands out of
its neighbourhood as in Yusoff, Christmas and Kittler, "Video Shot Cut Detection using Adaptive Thresholding" (2000).
Dissolves are not found.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# H W rows and columns, K comparisons

SIDE = 24
STABILISER = 0.03**2
"""C2 of SSIM, for pictures in [0, 1]: keeps the noise of two plain pictures from counting."""
LOWEST_CHANGE = 0.4
"""0 is the same picture in the same light, 1 nothing in common. Storms of waves reach 0.29, true cuts begin at 0.43."""
LOWEST_NEW_COLOUR = 0.15
"""Share of the difference that is new colours and not the same ones elsewhere: a moving bar 0.12, true cuts from 0.20."""
PROMINENCE = 3.0
"""How many times the median of its neighbourhood a cut must be."""
NEIGHBOURHOOD_S = 0.5


class CutFinder:
    """Takes the pictures of a clip one by one; keeps a few numbers of each."""

    def __init__(self, fps: int) -> None:
        self.fps = fps
        self._before: list[NDArray[np.float32]] = []
        self._from_last: list[float] = []
        self._from_last_but_one: list[float] = []
        self._suspects: list[int] = []

    def add(self, picture_HWC: NDArray[np.uint8]) -> None:
        """Take the next picture [H, W, 3]; one smaller than SIDE is too coarse to tell a cut from a thing that moves."""
        if min(picture_HWC.shape[:2]) < SIDE:
            return
        small = cv2.resize(picture_HWC, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
        changed = rearranged(self._before[-1], small) if self._before else 0.0
        if changed > LOWEST_CHANGE and new_colour(self._before[-1], small) > LOWEST_NEW_COLOUR:
            self._suspects.append(len(self._from_last))
        self._from_last.append(changed)
        self._from_last_but_one.append(rearranged(self._before[0], small) if len(self._before) == 2 else 1.0)
        self._before = [*self._before[-1:], small]

    def cuts_s(self) -> tuple[float, ...]:
        """Return the times in seconds at which a new shot begins."""
        changed_K, reach = np.array(self._from_last), max(2, round(NEIGHBOURHOOD_S * self.fps))
        found = []
        for k in self._suspects:
            around = np.concatenate([changed_K[max(1, k - reach) : k], changed_K[k + 1 : k + 1 + reach]])
            stands_out = not len(around) or changed_K[k] > PROMINENCE * float(np.median(around))
            if stands_out and not self._flash(k):
                found.append(round(k / self.fps, 2))
        return tuple(found)

    def _flash(self, k: int) -> bool:
        """Tell whether only one picture differs: those around it are alike."""
        return min(self._from_last_but_one[k : k + 2]) < LOWEST_CHANGE / 2


def rearranged(one_HWC: NDArray[np.float32], other_HWC: NDArray[np.float32]) -> float:
    """Return 1 - (2 cov + C) / (var + var + C) of two pictures in [0, 1], means of the colours apart: 0 alike, 1 unlike."""
    one, other = (picture - picture.mean(axis=(0, 1)) for picture in (one_HWC, other_HWC))
    together = 2.0 * float(np.mean(one * other)) + STABILISER
    return 1.0 - together / (float(np.mean(one**2) + np.mean(other**2)) + STABILISER)


def new_colour(one_HWC: NDArray[np.float32], other_HWC: NDArray[np.float32]) -> float:
    """Return the earth mover's distance of the histograms of each colour, as a share of the difference pixel by pixel."""
    one, other = (np.sort(picture.reshape(-1, 3), axis=0) for picture in (one_HWC, other_HWC))
    return float(np.abs(one - other).mean() / max(np.abs(one_HWC - other_HWC).mean(), 1e-6))
