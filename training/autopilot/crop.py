"""Choose the crop: the part of the frame with most of the motion, in the shape that the model gets."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from engine.media.geometry import centred_box
from training.autopilot.clip_analysis import ClipAnalysis
from training.core.frame_size import LONGEST_SHAPE, FrameSize, shaped_size

# H W rows and columns

SIDES = (0.5, 0.75)
"""Sides of the smaller parts to try, as shares of the largest one's."""
CONTAINED_SHARE = 0.95
"""A smaller part must contain this share of the motion."""
CLEARLY_MORE = 0.03
LEAST_LEVELS = 0.02
"""With less motion than this, in levels of 255 over the whole frame, its place is not significant."""
TRIMMED_SHAPE = 0.1
"""A frame and a crop whose shapes differ by more (as a logarithm) are a mistake; with less, the crop is trimmed to the frame's shape."""


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


def choose_crop(analysis: ClipAnalysis, shape: Fraction | None = None, fewest_pixels: int = 128) -> Crop:
    """Return a smaller part of the frame if the motion fits into it, else the largest one, moved to the motion.

    `shape` is its width divided by its height, by default that of the clip. A smaller part has `fewest_pixels` on its short side.
    """
    own = Fraction(analysis.width, analysis.height)
    shape = shape or min(max(own, Fraction(1, LONGEST_SHAPE)), Fraction(LONGEST_SHAPE))
    box = centred_box(analysis.width, analysis.height, shape)
    largest = "the whole frame" if shape == own else f"the largest centred {_part(shape)}"
    centred = Crop(*box, "")
    if analysis.camera_moves:
        return _because(centred, f"{largest}, because the camera moves")
    if float(analysis.motion_HW.mean()) < LEAST_LEVELS:
        return _because(centred, f"{largest}, because hardly anything moves")
    for share in SIDES:
        width, height = int(share * box.width), int(share * box.height)
        if min(width, height) >= fewest_pixels:
            found, contained = best_part(analysis, width, height)
            if contained >= CONTAINED_SHARE:
                return _because(found, f"a smaller {_part(shape)} with {contained:.0%} of the motion")
    found, contained = best_part(analysis, box.width, box.height)
    centred_contains = motion_share(analysis, centred)
    if contained - centred_contains < CLEARLY_MORE:
        return _because(centred, largest + ("" if shape == own else f", with {centred_contains:.0%} of the motion"))
    return _because(found, f"with {contained:.0%} of the motion; {largest} has {centred_contains:.0%}")


def _part(shape: Fraction) -> str:
    return "square" if shape == 1 else "part"


def best_part(analysis: ClipAnalysis, width: int, height: int) -> tuple[Crop, float]:
    """Return the part of that size with most of the motion, on a grid of 33 positions each way, and its share.

    Among equal parts, the one nearest to the centre wins.
    """
    best: tuple[Crop, float] | None = None
    lefts, tops = _starts(analysis.width - width), _starts(analysis.height - height)
    for y in tops:
        for x in lefts:
            part = Crop(x, y, width, height, "")
            contained = motion_share(analysis, part)
            if best is None or contained > best[1] + 1e-3:
                best = (part, contained)
    assert best is not None
    return best


def check_shape(crop: Crop, size: FrameSize) -> None:
    """Raise TrainingError for a frame of quite another shape than the crop's."""
    if abs(math.log(crop.width / crop.height / size.shape)) > TRIMMED_SHAPE:
        raise TrainingError(
            f"--size is {size} and the crop {crop.width}x{crop.height}, which has another shape; give a --size of the crop's shape, such "
            f"as {shaped_size(size.mean_side, crop.width, crop.height)}, or leave --size or --crop out."
        )


def trimmed(crop: Crop, size: FrameSize) -> Crop:
    """Return the middle of a crop in the shape of a frame, so that nothing is squeezed."""
    box = centred_box(crop.width, crop.height, size.shape)
    if (box.width, box.height) == (crop.width, crop.height):
        return crop
    return Crop(crop.x + box.x, crop.y + box.y, box.width, box.height, f"{crop.reason}, trimmed to the shape of {size}")


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


def parse_shape(text: str) -> Fraction:
    """Return the shape given as "W:H", such as 16:9. Raises TrainingError for a wrong text and a shape that no frame can have."""
    found = re.fullmatch(r"\s*(\d{1,5})\s*:\s*(\d{1,5})\s*", text)
    sides = [int(part) for part in found.groups()] if found else [0, 0]
    if min(sides) < 1 or max(sides) > LONGEST_SHAPE * min(sides):
        raise TrainingError(
            f"--shape is '{text}'; width:height was expected, from {LONGEST_SHAPE}:1 to 1:{LONGEST_SHAPE}, such as 16:9."
        )
    return Fraction(*sides)


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
