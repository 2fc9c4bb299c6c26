"""Choose the crop: the square of the frame with most of the motion."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from training.autopilot.clip_analysis import ClipAnalysis

# H W rows and columns

SIDES = (0.5, 0.75)
"""Sides of the smaller squares to try, as shares of the frame's short side."""
CONTAINED_SHARE = 0.95
"""A smaller square must contain this share of the motion."""
CLEARLY_MORE = 0.03
LEAST_LEVELS = 0.02
"""With less motion than this, in levels of 255 over the whole frame, its place is not significant."""
FEWEST_PIXELS = 128


@dataclass(frozen=True, slots=True)
class Crop:
    """A rectangle in displayed pixels, and the reason for it."""

    x: int
    y: int
    width: int
    height: int
    reason: str

    def box(self) -> tuple[int, int, int, int]:
        return (self.x, self.y, self.width, self.height)


def choose_crop(analysis: ClipAnalysis) -> Crop:
    """Return a smaller square if the motion fits into it, else the largest square, moved to the motion."""
    side = min(analysis.width, analysis.height)
    centred = Crop((analysis.width - side) // 2, (analysis.height - side) // 2, side, side, "")
    if analysis.camera_moves:
        return _because(centred, "the largest centred square, because the camera moves")
    if float(analysis.motion_HW.mean()) < LEAST_LEVELS:
        return _because(centred, "the largest centred square, because hardly anything moves")
    for share in SIDES:
        smaller = int(share * side)
        if smaller >= FEWEST_PIXELS:
            found, contained = best_square(analysis, smaller)
            if contained >= CONTAINED_SHARE:
                return _because(found, f"a smaller square with {contained:.0%} of the motion")
    found, contained = best_square(analysis, side)
    centred_contains = motion_share(analysis, centred)
    if contained - centred_contains < CLEARLY_MORE:
        return _because(centred, f"the largest centred square, with {centred_contains:.0%} of the motion")
    return _because(found, f"with {contained:.0%} of the motion; the centred square has {centred_contains:.0%}")


def best_square(analysis: ClipAnalysis, side: int) -> tuple[Crop, float]:
    """Return the square of `side` pixels with most of the motion, on a grid of 33 positions each way, and its share.

    Among equal squares, the one nearest to the centre wins.
    """
    best: tuple[Crop, float] | None = None
    lefts, tops = _starts(analysis.width - side), _starts(analysis.height - side)
    for y in tops:
        for x in lefts:
            square = Crop(x, y, side, side, "")
            contained = motion_share(analysis, square)
            if best is None or contained > best[1] + 1e-3:
                best = (square, contained)
    assert best is not None
    return best


def motion_share(analysis: ClipAnalysis, crop: Crop) -> float:
    """Return the share of the clip's motion inside a crop."""
    rows = _covered(crop.y, crop.height, analysis.height, analysis.motion_HW.shape[0])
    columns = _covered(crop.x, crop.width, analysis.width, analysis.motion_HW.shape[1])
    return float(rows @ analysis.motion_HW @ columns) / max(float(analysis.motion_HW.sum()), 1e-9)


def parse_crop(text: str, analysis: ClipAnalysis) -> Crop:
    """Return the crop given as "x,y,w,h". Raises TrainingError for a wrong text and a crop that reaches outside the frame."""
    if not re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*){3}", text):
        raise TrainingError(f"--crop is '{text}'; x,y,w,h in displayed pixels was expected, such as 32,0,288,288.")
    x, y, width, height = (int(part) for part in text.split(","))
    if width < 1 or height < 1 or x + width > analysis.width or y + height > analysis.height:
        raise TrainingError(
            f"--crop {text} reaches outside {analysis.path}, which is {analysis.width}x{analysis.height}; give x,y,w,h within it."
        )
    return Crop(x, y, width, height, "from --crop")


def _because(crop: Crop, reason: str) -> Crop:
    return Crop(*crop.box(), reason)


def _starts(latest: int) -> list[int]:
    """Return 33 places in [0, latest], the middle one first."""
    places = {round(latest * step / 32) for step in range(33)}
    return sorted(places, key=lambda place: abs(place - latest / 2))


def _covered(start: int, length: int, whole: int, cells: int) -> NDArray[np.float32]:
    """Return the share, 0 to 1, of each of `cells` equal parts of `whole` that lies in start … start + length."""
    edges = np.arange(cells + 1) * (whole / cells)
    inside = np.minimum(edges[1:], start + length) - np.maximum(edges[:-1], start)
    return np.clip(inside / (whole / cells), 0.0, 1.0).astype(np.float32)
