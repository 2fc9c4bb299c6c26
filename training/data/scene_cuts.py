"""Scene cut detection while a clip is decoded.

Two measures compare neighbouring frames at a small size. Arrangement: the contrast-structure term of SSIM (Wang et al. 2004)
over the whole frame; flickering light changes it little. Colours: the distance of their histograms (Zhang, Kankanhalli and
Smoliar 1993); an object that moves in front of a plain background changes it little. A cut changes both and stands out from
its neighbourhood, as in Yusoff, Christmas and Kittler, "Video Shot Cut Detection using Adaptive Thresholding" (2000).
A flash changes both as well, but the view from before comes back; after a cut it does not. Where the light alone changes, the
arrangement is the same in another strength, which their correlation tells. Where a part of the view lights up alone, contrasts stay
at their places, which the correlation of both frames tells once each place is measured by the contrast around it. Dissolves are not
detected.
"""

from __future__ import annotations

from collections import deque

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
FLASH_S = 0.6
"""The longest flash: the light of a drum stroke dies away within it."""
SAME_VIEW = 0.3
"""Two frames that differ by less show the same view, moved by what goes on in it."""
OTHER_LIGHT = 0.8
"""Least correlation of one view in two lights; at a change of LOWEST_CHANGE in the same light it is 0.6."""

AROUND = 5
"""Pixels along a side of what is around a place."""
FAINTEST_CONTRAST = 0.02
SAME_CONTRASTS = 0.5
"""Least correlation of local contrasts of one view of which a part lights up: strings that begin to glow have 0.62, cuts up to 0.25."""


class SceneCutDetector:
    """Takes the frames of a clip one by one and keeps a few numbers of each."""

    def __init__(self, fps: int) -> None:
        self.fps = fps
        self._recent: deque[NDArray[np.float32]] = deque(maxlen=round(FLASH_S * fps) + 1)
        self._changed: list[float] = []
        self._candidates: list[int] = []

    def add(self, frame_HWC: NDArray[np.uint8]) -> None:
        """Take the next frame [H, W, 3]; frames smaller than SIDE are too coarse to tell a cut from motion and are ignored."""
        if min(frame_HWC.shape[:2]) < SIDE:
            return
        small = cv2.resize(frame_HWC, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
        changed = rearranged(self._recent[-1], small) if self._recent else 0.0
        if changed > LOWEST_CHANGE and self._is_new_view(small):
            self._candidates.append(len(self._changed))
        self._drop_flashes(small)
        self._changed.append(changed)
        self._recent.append(small)

    def cuts_s(self) -> tuple[float, ...]:
        """Return the times in seconds at which a new shot starts."""
        changed_K, reach = np.array(self._changed), max(2, round(NEIGHBOURHOOD_S * self.fps))
        found = []
        for k in self._candidates:
            around = np.concatenate([changed_K[max(1, k - reach) : k], changed_K[k + 1 : k + 1 + reach]])
            if not len(around) or changed_K[k] > PROMINENCE * float(np.median(around)):
                found.append(round(k / self.fps, 2))
        return tuple(found)

    def _is_new_view(self, small: NDArray[np.float32]) -> bool:
        before = self._recent[-1]
        if new_colour(before, small) <= LOWEST_NEW_COLOUR or correlation(before, small) >= OTHER_LIGHT:
            return False
        return correlation(local_contrast(before), local_contrast(small)) < SAME_CONTRASTS

    def _drop_flashes(self, small: NDArray[np.float32]) -> None:
        """Drop the candidates after which this frame shows the view again that was there just before the first of them."""
        now = len(self._changed)
        first = now - len(self._recent)
        pending = [k for k in self._candidates if k > first]
        for k in pending:
            # Within a flash that dies away, each frame may differ from the one before: what was there before all of them counts.
            if k - 1 not in pending and rearranged(self._recent[k - 1 - first], small) < SAME_VIEW:
                self._candidates = [each for each in self._candidates if not k <= each <= now]
                return


def rearranged(one_HWC: NDArray[np.float32], other_HWC: NDArray[np.float32]) -> float:
    """Return 1 - (2 cov + C) / (var + var + C) of two frames in [0, 1] without their mean colours: 0 for equal frames, 1 for unrelated ones."""
    one, other = (frame - frame.mean(axis=(0, 1)) for frame in (one_HWC, other_HWC))
    together = 2.0 * float(np.mean(one * other)) + STABILISER
    return 1.0 - together / (float(np.mean(one**2) + np.mean(other**2)) + STABILISER)


def correlation(one_HWC: NDArray[np.float32], other_HWC: NDArray[np.float32]) -> float:
    """Return the correlation of two frames without their mean colours: 1 for one view in two lights, 0 beside a plain frame."""
    one, other = (frame - frame.mean(axis=(0, 1)) for frame in (one_HWC, other_HWC))
    strength = float(np.sqrt(np.mean(one**2) * np.mean(other**2)))
    return float(np.mean(one * other)) / (strength + STABILISER)


def local_contrast(frame_HWC: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far the brightness [H, W, 1] of each place is from that around it, in deviations of what is around it."""
    level_HW = frame_HWC.mean(axis=2)
    apart_HW = level_HW - cv2.blur(level_HW, (AROUND, AROUND))
    deviation_HW = np.sqrt(cv2.blur(apart_HW**2, (AROUND, AROUND)))
    return np.asarray(apart_HW / (deviation_HW + FAINTEST_CONTRAST), np.float32)[:, :, None]


def new_colour(one_HWC: NDArray[np.float32], other_HWC: NDArray[np.float32]) -> float:
    """Return the earth mover's distance of the colour histograms as a share of the difference pixel by pixel."""
    one, other = (np.sort(frame.reshape(-1, 3), axis=0) for frame in (one_HWC, other_HWC))
    return float(np.abs(one - other).mean() / max(np.abs(one_HWC - other_HWC).mean(), 1e-6))
