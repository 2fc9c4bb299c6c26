"""Light on an iris: motion -> uint8 RGB of any shape.

The iris is drawn once, unrolled: fibres that run from the root to the pupil over a dark ground, a collar where they knot, openings
between them, and furrows that deepen as the pupil widens. Each frame rolls it up, as far as the pupil leaves room. Lamps
stand around the eye, one for each band of sound, and each lights the fibres on its side.

Axes: H W frame, C red green blue, R Q rows (from pupil to root) and columns (around) of the unrolled iris, K frames, B bands, X shapes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.scenes.exposure import expose, smoothstep, static_dither
from training.data.scenes.iris import ANGLES, REST, SHAPES, WIDEST, IrisMotion, along
from training.data.scenes.sound_force import Array

ROWS, COLUMNS = 512, 3072
ROWS_PER_PX, COLUMNS_PER_PX = 0.6, 4.0  # at most, by the height of the frame: finer ones shimmer as the pupil widens
MARGIN = 48  # columns that are repeated, so that a frame may look past the seam
ROOT = 0.62  # radius of the iris, in heights of the frame, or in 0.8 of its width where that is less
COLLAR = 0.34
LAMPS = np.array(
    [
        [1.00, 0.10, 0.04],
        [1.00, 0.42, 0.02],
        [0.85, 0.06, 0.62],
        [0.24, 0.16, 1.00],
        [0.02, 0.52, 1.00],
        [0.05, 0.95, 0.62],
    ],
    np.float32,
)
AMBIENT = np.array([0.14, 0.17, 0.21], np.float32)
LAMP_LIGHT, NARROW = 1.15, 2.2


@dataclass(frozen=True)
class IrisStage:
    """What stays while the iris moves."""

    height: int
    width: int
    unrolled_RQC: Array
    """Colour, and as a fourth channel the depth of the furrows."""
    radius_HW: Array
    """In heights of the frame."""
    turn_HW: Array
    """Part of a whole turn, from 0 to 1."""
    waves_XHW: Array
    """Waves around of each shape."""
    eyeball_HWC: Array
    shadow_HW1: Array
    lamps_BHWC: Array
    """Light of each band's lamp, at a quarter of the frame's size."""
    dither_HW1: Array


def _around(random: np.random.Generator, rows: int, columns: int) -> Array:
    """Return smooth noise of about -1 to 1 by place, which closes around, [R, Q]."""
    knots = random.uniform(-1.0, 1.0, (rows, columns)).astype(np.float32)
    closed = np.concatenate([knots[:, -3:], knots, knots[:, :3]], axis=1)
    scale = COLUMNS / columns
    wide = cv2.resize(closed, (round(closed.shape[1] * scale), ROWS), interpolation=cv2.INTER_CUBIC)
    start = round(3 * scale)
    return np.clip(wide[:, start : start + COLUMNS], -1.0, 1.0)


def _bent(image_RQ: Array, aside_RQ: Array) -> Array:
    """Return an unrolled image whose columns lie aside by some columns."""
    columns, rows = np.meshgrid(np.arange(COLUMNS, dtype=np.float32), np.arange(ROWS, dtype=np.float32))
    return cv2.remap(image_RQ, (columns + aside_RQ) % COLUMNS, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def unrolled_iris() -> Array:
    """Draw the iris from the pupil (row 0) to its root, colour and depth of the furrows, [R, Q, 4]."""
    random = np.random.default_rng(11)
    rho = ((np.arange(ROWS, dtype=np.float32) + 0.5) / ROWS)[:, None]
    # Fibres wave, most where they are slack; fine ones lie on coarse ones.
    aside = 15.0 * _around(random, 7, 40) + 9.0 * _around(random, 12, 110) * rho + 3.0 * _around(random, 30, 240)
    coarse, middle, fine = (
        _bent(_around(random, rows, count), aside) for rows, count in ((3, 150), (4, 340), (6, 760))
    )
    ridges = 0.55 * (1.0 - np.abs(coarse)) ** 2.6 + 0.42 * (1.0 - np.abs(middle)) ** 2.2
    ridges += 0.26 * (1.0 - np.abs(fine)) ** 2.0
    collar_at = COLLAR + 0.035 * _around(random, 1, 26) + 0.018 * _around(random, 1, 70)
    collar = np.exp(-(((rho - collar_at) / 0.035) ** 2))
    inside = 1.0 - smoothstep(-0.03, 0.03, rho - collar_at)
    # Openings lie before the collar and beyond it, as long as fibres part.
    gaps = smoothstep(0.30, 0.62, _bent(_around(random, 5, 46), aside)) * np.exp(-(((rho - 0.45) / 0.17) ** 2))
    ridges = ridges * (1.0 - 0.85 * gaps) + 0.40 * collar * (0.6 + 0.5 * (1.0 - np.abs(middle)))
    amber = np.array([0.95, 0.46, 0.12], np.float32)
    teal = np.array([0.26, 0.62, 0.66], np.float32)
    pale = np.array([0.74, 0.90, 0.88], np.float32)
    golden = np.clip(inside + 0.75 * np.exp(-np.maximum(rho - collar_at, 0.0) / 0.10) + 0.22 * coarse, 0.0, 1.0)[
        ..., None
    ]
    ground = amber * golden + teal * (1.0 - golden)
    lit = ground * (0.10 + 0.85 * ridges)[..., None] + 0.20 * pale * (ridges**3)[..., None] * (1.0 - 0.5 * golden)
    # Freckles of pigment, a dark ruff at the pupil, and a dark ring where the white begins.
    freckles = smoothstep(0.74, 0.88, _around(random, 14, 70)) * smoothstep(0.35, 0.5, rho)
    lit = lit * (1.0 - 0.65 * freckles * np.array([0.4, 0.7, 1.0])[:, None, None]).transpose(1, 2, 0)
    ruff = 1.0 - smoothstep(0.012, 0.035, rho + 0.008 * _around(random, 1, 160))
    edge = smoothstep(0.80, 0.985, rho)
    lit = lit * (1.0 - 0.88 * edge)[..., None] * (1.0 - ruff)[..., None] + ruff[..., None] * np.array(
        [0.05, 0.022, 0.01]
    )
    furrows = np.zeros((ROWS, COLUMNS), np.float32)
    for place in (0.55, 0.66, 0.76, 0.85):
        line = place + 0.018 * _around(random, 1, 14) + 0.006 * _around(random, 1, 60)
        furrows += np.exp(-(((rho - line) / 0.012) ** 2)) * (0.6 + 0.4 * _around(random, 1, 18))
    return np.concatenate([lit, furrows[..., None]], axis=2).astype(np.float32)


def _eyeball(radius_HW: Array, x_HW: Array, y_HW: Array) -> Array:
    """Return the white of the eye, which darkens towards its corners, with its vessels."""
    height, width = radius_HW.shape
    random = np.random.default_rng(12)
    vessels = np.zeros((height, width), np.float32)
    for count, amount in ((9, 0.5), (17, 0.35), (34, 0.2)):
        knots = random.uniform(-1.0, 1.0, (count, max(2, round(count * width / height)))).astype(np.float32)
        noise = cv2.resize(knots, (width, height), interpolation=cv2.INTER_CUBIC)
        vessels += amount * np.exp(-((noise / 0.030) ** 2))
    beyond = np.maximum(radius_HW - ROOT, 0.0)
    white = np.array([0.50, 0.46, 0.44], np.float32) - vessels[..., None] * np.array([0.10, 0.26, 0.26], np.float32)
    dark = np.exp(-((beyond / 0.17) ** 1.5)) * np.exp(-((y_HW / 0.62) ** 4))
    return np.maximum(white, 0.02) * (0.48 * dark * (0.75 - 0.25 * x_HW / max(1.0, float(x_HW.max()))))[..., None]


def iris_stage(height: int, width: int) -> IrisStage:
    """Compute what is constant for a frame of that size."""
    unit = min(height, 0.8 * width)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = (y + 0.5 - height / 2.0) / unit, (x + 0.5 - width / 2.0) / unit
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    waves = np.stack([np.cos(m * angle + turned) for (_, m), turned in zip(SHAPES, ANGLES, strict=True)])
    # Lamps stand around the eye, the lowest sound below.
    places = np.pi * (0.5 + 2.0 * (np.arange(len(LAMPS)) + 0.5) / len(LAMPS))
    small = (max(2, width // 4), max(2, height // 4))
    lamps = []
    for colour, place in zip(LAMPS, places, strict=True):
        sector = np.exp(NARROW * (np.cos(angle - place) - 1.0)) * (0.35 + 0.65 * smoothstep(0.05, 0.5, radius))
        lamps.append(cv2.resize(sector, small, interpolation=cv2.INTER_AREA)[..., None] * colour)
    shadow = 0.42 + 0.58 * smoothstep(-0.62, -0.02, y + 0.12 * x * x)
    fitting = (min(COLUMNS, round(COLUMNS_PER_PX * unit)), min(ROWS, round(ROWS_PER_PX * unit)))
    drawn = cv2.resize(unrolled_iris(), fitting, interpolation=cv2.INTER_AREA)
    return IrisStage(
        height, width, np.concatenate([drawn[:, -MARGIN:], drawn, drawn[:, :MARGIN]], axis=1),
        radius.astype(np.float32), ((angle / (2.0 * np.pi)) % 1.0).astype(np.float32), waves.astype(np.float32),
        _eyeball(radius, x, y), shadow[..., None].astype(np.float32), np.stack(lamps).astype(np.float32),
        static_dither(height, width),
    )  # fmt: skip


def light_iris(stage: IrisStage, pupil: float, twist: float, tremor_X: Array, glow_B: Array) -> NDArray[np.uint8]:
    """Light one moment, uint8 RGB [H, W, 3]."""
    rho_HW = (stage.radius_HW - pupil) / (ROOT - pupil)
    along_HW = {half_waves: along(half_waves, rho_HW) for half_waves, _ in SHAPES}
    moved_HW = rho_HW.copy()
    for (half_waves, _), tremor, waves_HW in zip(SHAPES, tremor_X, stage.waves_XHW, strict=True):
        moved_HW -= float(tremor) * along_HW[half_waves] * waves_HW
    rows, columns = stage.unrolled_RQC.shape[0], stage.unrolled_RQC.shape[1] - 2 * MARGIN
    column_HW = (stage.turn_HW - twist / (2.0 * np.pi) * along_HW[1]) % 1.0 * columns + MARGIN - 0.5
    row_HW = moved_HW * rows - 0.5
    seen = cv2.remap(stage.unrolled_RQC, column_HW, row_HW, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    wide = np.clip((pupil - REST) / (WIDEST - REST), 0.0, 1.0)
    soft = 1.5 / stage.height / (ROOT - pupil)
    iris_HWC = (
        seen[..., :3] * (1.0 - (0.12 + 0.5 * wide) * seen[..., 3:]) * smoothstep(-soft, soft, moved_HW)[..., None]
    )
    root_HW1 = smoothstep(0.965, 1.03, rho_HW)[..., None]
    surface_HWC = iris_HWC * (1.0 - root_HW1) + stage.eyeball_HWC * root_HW1
    small = np.tensordot(LAMP_LIGHT * glow_B**1.3, stage.lamps_BHWC, axes=1).astype(np.float32)
    lamps_HWC = cv2.resize(small, (stage.width, stage.height), interpolation=cv2.INTER_LINEAR)
    return expose(surface_HWC * (AMBIENT * stage.shadow_HW1 + lamps_HWC), stage.dither_HW1)


def render_iris(motion: IrisMotion, stage: IrisStage) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames of a motion."""
    for pupil, twist, tremor_X, glow_B in zip(
        motion.pupil_K, motion.twist_K, motion.tremor_KX, motion.glow_KB, strict=True
    ):
        yield light_iris(stage, float(pupil), float(twist), tremor_X, glow_B)
