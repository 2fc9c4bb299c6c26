"""Which square of the picture to teach: the one that holds most of the motion."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from training.autopilot.clip_analysis import ClipAnalysis

# H W rows and columns

SIDES = (0.5, 0.75)
"""Closer views that are considered, as shares of the picture's short side."""
HELD_SHARE = 0.95
"""A closer view must hold so much of the motion."""
CLEARLY_MORE = 0.03
LEAST_LEVELS = 0.02
"""Less motion than this, in levels of 255 over the whole picture, says nothing about place."""
FEWEST_PIXELS = 128


@dataclass(frozen=True, slots=True)
class Crop:
    """A rectangle in the file's own pixels, and why this one."""

    x: int
    y: int
    width: int
    height: int
    reason: str

    def box(self) -> tuple[int, int, int, int]:
        return (self.x, self.y, self.width, self.height)


def choose_crop(seen: ClipAnalysis) -> Crop:
    """Return the square to teach: a closer one where the motion fits in, else the largest, moved to where the motion is."""
    side = min(seen.width, seen.height)
    centred = Crop((seen.width - side) // 2, (seen.height - side) // 2, side, side, "")
    if seen.camera_moves:
        return _because(centred, "the largest centred square, for the camera moves")
    if float(seen.motion_HW.mean()) < LEAST_LEVELS:
        return _because(centred, "the largest centred square, for hardly anything moves")
    for share in SIDES:
        closer = int(share * side)
        if closer >= FEWEST_PIXELS:
            found, held = best_square(seen, closer)
            if held >= HELD_SHARE:
                return _because(found, f"a closer view, for it holds {held:.0%} of the motion")
    found, held = best_square(seen, side)
    held_centred = held_by(seen, centred)
    if held - held_centred < CLEARLY_MORE:
        return _because(centred, f"the largest centred square, which holds {held_centred:.0%} of the motion")
    return _because(found, f"it holds {held:.0%} of the motion, the centred square {held_centred:.0%}")


def best_square(seen: ClipAnalysis, side: int) -> tuple[Crop, float]:
    """Return the square of `side` pixels that holds most of the motion, in steps of 1/32 of the room, and its share of it.

    Of squares that hold the same, the one nearest to the centre is taken.
    """
    best: tuple[Crop, float] | None = None
    lefts, tops = _starts(seen.width - side), _starts(seen.height - side)
    for y in tops:
        for x in lefts:
            square = Crop(x, y, side, side, "")
            held = held_by(seen, square)
            if best is None or held > best[1] + 1e-3:
                best = (square, held)
    assert best is not None
    return best


def held_by(seen: ClipAnalysis, crop: Crop) -> float:
    """Return the share of the clip's motion inside a crop."""
    rows = _covered(crop.y, crop.height, seen.height, seen.motion_HW.shape[0])
    columns = _covered(crop.x, crop.width, seen.width, seen.motion_HW.shape[1])
    return float(rows @ seen.motion_HW @ columns) / max(float(seen.motion_HW.sum()), 1e-9)


def parse_crop(text: str, seen: ClipAnalysis) -> Crop:
    """Return the crop given as "x,y,w,h". Raises TrainingError when it is none or reaches outside the picture."""
    if not re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*){3}", text):
        raise TrainingError(f"--crop is '{text}'; x,y,w,h in the clip's own pixels was expected, such as 32,0,288,288.")
    x, y, width, height = (int(part) for part in text.split(","))
    if width < 1 or height < 1 or x + width > seen.width or y + height > seen.height:
        raise TrainingError(
            f"--crop {text} reaches outside {seen.path}, which is {seen.width}x{seen.height}; give x,y,w,h within it."
        )
    return Crop(x, y, width, height, "as asked")


def _because(crop: Crop, reason: str) -> Crop:
    return Crop(*crop.box(), reason)


def _starts(room: int) -> list[int]:
    """Return places in [0, room], the middle one first."""
    places = {round(room * step / 32) for step in range(33)}
    return sorted(places, key=lambda place: abs(place - room / 2))


def _covered(start: int, length: int, whole: int, cells: int) -> NDArray[np.float32]:
    """Return how much of each of `cells` equal parts of `whole` lies in start … start + length, 0 … 1."""
    edges = np.arange(cells + 1) * (whole / cells)
    inside = np.minimum(edges[1:], start + length) - np.maximum(edges[:-1], start)
    return np.clip(inside / (whole / cells), 0.0, 1.0).astype(np.float32)
