"""Light on the jellyfish: its motion -> uint8 RGB of any shape.

Its body is clear, so all of it is seen and shines where it is seen along itself, at the rim of the bell and in the folds of the arms
(splatting.py). Low sound glows in the bell, high sound runs down the tentacles and wakes the plankton around.

Axes: H W frame, C red green blue, K frames, D places down an arm, M shapes, B bands, U A rows and columns of the bell, R S samples along and across a strand, P samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.scenes.exposure import expose, static_dither
from training.data.scenes.medusa import CONTRACTION, LEAN, PHASES, RISE, TRAIL_PLACES, WAVES, MedusaMotion
from training.data.scenes.medusa_shape import Bell, Strand, arms, bell, organs, tentacles
from training.data.scenes.sound_force import SIX_BANDS, Array
from training.data.scenes.splatting import splat

SLANT = 0.16  # the body's axis to the upright, rad
LOOK_DOWN = 0.30  # sine of the angle at which it is seen from above
RADIUS_H, RADIUS_W = 0.185, 0.335  # at most, of the frame's height and width
TOP_H, MIDDLE_W = 0.150, 0.535
AMBER = np.array([1.00, 0.36, 0.045], np.float32)
RED = np.array([0.90, 0.045, 0.030], np.float32)
CREAM = np.array([1.00, 0.55, 0.30], np.float32)
ROSE = np.array([1.00, 0.09, 0.30], np.float32)
CYAN = np.array([0.02, 0.55, 1.00], np.float32)
SPECKS = 420


@dataclass(frozen=True)
class Specks:
    """Plankton: places in the frame in pixels, size, light, and the band each answers."""

    x_P: Array
    y_P: Array
    is_near_P: NDArray[np.bool_]
    light_P: Array
    band_P: NDArray[np.int64]


@dataclass(frozen=True)
class MedusaStage:
    """What stays while the jellyfish moves."""

    height: int
    width: int
    radius_px: float
    bell: Bell
    organs: Strand
    arms: list[Strand]
    tentacles: list[Strand]
    specks: Specks
    water_HWC: Array
    dither_HW1: Array


def medusa_stage(height: int, width: int) -> MedusaStage:
    """Compute what is constant for a frame of that size."""
    radius_px = min(RADIUS_H * height, RADIUS_W * width)
    return MedusaStage(
        height, width, radius_px, bell(radius_px), organs(radius_px), arms(radius_px), tentacles(radius_px),
        _specks(height, width), _water(height, width), static_dither(height, width),
    )  # fmt: skip


def _specks(height: int, width: int) -> Specks:
    random = np.random.default_rng(9)
    is_near_P = random.random(SPECKS) < 0.12
    return Specks(
        (random.random(SPECKS) * width).astype(np.float32), (random.random(SPECKS) * height).astype(np.float32), is_near_P,
        (random.random(SPECKS) ** 3 * np.where(is_near_P, 9.0, 2.2) * (height / 720.0) ** 2).astype(np.float32),
        random.integers(2, len(SIX_BANDS), SPECKS),
    )  # fmt: skip


def _water(height: int, width: int) -> Array:
    """Draw the deep: light from above right that the water swallows, and a few shafts of it."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = (y + 0.5) / height, ((x + 0.5) / width - 0.5) * width / height
    from_lamp = np.hypot(x - 0.16, y + 0.25)
    glow = np.exp(-((from_lamp / 0.62) ** 2))[..., None] * np.array([0.003, 0.021, 0.060], np.float32)
    wide = np.exp(-((from_lamp / 1.05) ** 2))[..., None] * np.array([0.0006, 0.0035, 0.013], np.float32)
    angle = np.arctan2(x - 0.16, y + 0.25)
    shafts = sum(np.sin(angle * n + p) for n, p in ((17.0, 0.4), (29.0, 1.9), (43.0, 4.0))) / 3.0
    return (glow * (1.0 + 0.35 * shafts)[..., None] + wide).astype(np.float32)


def _placed(stage: MedusaStage, x: Array, y: Array, z: Array, lean: Array, rise: Array) -> tuple[Array, Array]:
    """Return where places of the body are seen, in pixels."""
    slant = SLANT + lean
    down = z - rise + LOOK_DOWN * y
    # Turned about a place below the bell's top, as if it hung in the water by its arms.
    from_pivot = down - 0.7
    right = x * np.cos(slant) - from_pivot * np.sin(slant)
    below = x * np.sin(slant) + from_pivot * np.cos(slant) + 0.7
    return (
        MIDDLE_W * stage.width + right * stage.radius_px,
        TOP_H * stage.height + below * stage.radius_px,
    )


def _bell_places(stage: MedusaStage, away_M: Array) -> tuple[Array, Array]:
    parts = stage.bell
    angle_A, bends_U = parts.angle_A, parts.down_U**1.8
    out_A, around_A = np.zeros_like(angle_A), np.zeros_like(angle_A)
    for amount, m, phase in zip(away_M[: len(WAVES)], WAVES, PHASES, strict=True):
        out_A += amount * np.cos(m * angle_A + phase)
        around_A -= amount / m * np.sin(m * angle_A + phase)
    contraction = away_M[CONTRACTION]
    radius_UA = parts.radius_U[:, None] * (1.0 + bends_U[:, None] * (out_A[None] - contraction))
    turned_UA = bends_U[:, None] * around_A[None]
    # Turned by little: cos(a + t) is cos a - t sin a.
    cosine_A, sine_A = np.cos(angle_A)[None], np.sin(angle_A)[None]
    x_UA, y_UA = radius_UA * (cosine_A - turned_UA * sine_A), radius_UA * (sine_A + turned_UA * cosine_A)
    # What narrows grows taller.
    z_UA = parts.z_U[:, None] * (1.0 + 0.45 * contraction) - 0.25 * bends_U[:, None] * out_A[None]
    return _placed(stage, x_UA, y_UA, z_UA, away_M[LEAN], away_M[RISE])


def _strand_places(stage: MedusaStage, strand: Strand, away_DM: Array) -> tuple[Array, Array]:
    """Return where samples of a strand are seen: it hangs from the bell and does what that did some time ago."""
    ago_MR1 = _along(strand, away_DM)
    out_R1 = -ago_MR1[CONTRACTION] * (strand.held - 0.55 * strand.along_R1)
    for index, (m, phase) in enumerate(zip(WAVES, PHASES, strict=True)):
        out_R1 = out_R1 + ago_MR1[index] * (np.cos(m * strand.angle + phase) * (0.25 + 0.75 * strand.held))
    x_RS = strand.x_RS * (1.0 - 0.35 * ago_MR1[CONTRACTION]) + 0.8 * out_R1 * np.cos(strand.angle)
    y_RS = strand.y_RS + 0.8 * out_R1 * np.sin(strand.angle)
    z_RS = strand.z_RS + 0.45 * away_DM[0, CONTRACTION] * (strand.held * 0.9 + 0.4)
    # The lean swings the ends about the pivot: in water they stay behind.
    lean_R1 = ago_MR1[LEAN] * (1.0 - 0.55 * strand.along_R1)
    return _placed(stage, x_RS, y_RS, z_RS, lean_R1, ago_MR1[RISE])


def _along(strand: Strand, values_DX: Array) -> Array:
    """Return the values `[X, R, 1]` at the rows of a strand, interpolated between the places down an arm."""
    at_R = strand.along_R1[:, 0] * (TRAIL_PLACES - 1)
    above_R = np.minimum(at_R.astype(np.int64), TRAIL_PLACES - 2)
    part_R1 = (at_R - above_R)[:, None]
    return (values_DX[above_R] * (1.0 - part_R1) + values_DX[above_R + 1] * part_R1).T[..., None]


def _drawn(stage: MedusaStage, strands: Sequence[Strand], away_DM: Array, glow_D: Array) -> tuple[Array, Array]:
    """Lay strands into a drawn: their light, and that light times the glow that runs down them, each `[H, W, 1]`."""
    places = [_strand_places(stage, strand, away_DM) for strand in strands]
    x_P, y_P = (np.concatenate([place[side].ravel() for place in places]) for side in (0, 1))
    light_P = np.concatenate([strand.light_RS.ravel() for strand in strands]) * stage.radius_px**2
    glowing_P = np.concatenate([
        np.broadcast_to(_along(strand, glow_D[:, None])[0], strand.light_RS.shape).ravel() for strand in strands
    ]) * light_P  # fmt: skip
    drawn, glowing = splat(x_P, y_P, (light_P, glowing_P), stage.height, stage.width)
    return drawn, glowing


def _softened(drawn_HW1: Array, sigma_px: float) -> Array:
    return cv2.GaussianBlur(drawn_HW1, (0, 0), max(sigma_px, 0.4))[..., None]


def light_medusa(stage: MedusaStage, away_DM: Array, glow_DB: Array) -> NDArray[np.uint8]:
    """Light one moment, uint8 RGB [H, W, 3]."""
    area_px2 = np.float32(stage.radius_px**2)
    glow_B = glow_DB[0]
    low, middle = float(glow_B[:2].max()), float(glow_B[2:4].max())
    bell_x, bell_y = _bell_places(stage, away_DM[0])
    body, mark = splat(bell_x, bell_y, (stage.bell.body_UA, stage.bell.mark_UA), stage.height, stage.width)
    # Many thin layers, of which the samples are but some.
    inner, inner_glow = (
        _softened(drawn, 0.012 * stage.radius_px)
        for drawn in _drawn(stage, [stage.organs], away_DM, glow_DB[:, :2].max(axis=1))
    )
    arm, arm_glow = _drawn(stage, stage.arms, away_DM, glow_DB[:, 2:4].max(axis=1))
    thread, thread_glow = _drawn(stage, stage.tentacles, away_DM, glow_DB[:, 3:].max(axis=1))
    coloured = (
        (body * area_px2, AMBER * (0.05 + 0.20 * low) + ROSE * (0.012 + 0.07 * middle) + CYAN * 0.012),
        (mark * area_px2, RED * (0.15 + 0.34 * low) + ROSE * 0.20 * middle),
        (inner, CREAM * 0.16),
        (inner_glow, CREAM * 0.55),
        (arm, CREAM * 0.085 + AMBER * 0.03),
        (arm_glow, ROSE * 0.30 + CREAM * 0.12),
        (np.maximum(thread - thread_glow, 0.0), AMBER * 0.13 + RED * 0.06),
        (thread_glow, CYAN * 0.75),
        (_plankton(stage, away_DM[0], glow_B), CYAN * 0.8 + 0.2),
    )
    parts_HWL = np.concatenate([drawn_HW1 for drawn_HW1, _ in coloured], axis=2)
    light_HWC = parts_HWL @ np.stack([colour_C for _, colour_C in coloured]).astype(np.float32)
    return expose(light_HWC + stage.water_HWC * np.float32(1.0 + 0.5 * low), stage.dither_HW1, bloom=0.40)


def _plankton(stage: MedusaStage, away_M: Array, glow_B: Array) -> Array:
    """Lay the specks; the water that the bell pushes carries them along."""
    specks, scale = stage.specks, stage.height / 720.0
    from_x, from_y = specks.x_P - MIDDLE_W * stage.width, specks.y_P - (TOP_H * stage.height + 0.9 * stage.radius_px)
    apart = np.hypot(from_x, from_y) / stage.radius_px
    pushed = 0.12 * (away_M[CONTRACTION] + away_M[RISE]) / (0.5 + apart**2)
    x_P, y_P = specks.x_P + pushed * from_x, specks.y_P + pushed * from_y
    x_P = x_P + 0.10 * stage.radius_px * away_M[LEAN]
    light_P = specks.light_P * (0.12 + 1.5 * glow_B[specks.band_P] ** 1.5)
    whole = np.zeros((stage.height, stage.width, 1), np.float32)
    for is_near, blur_px in ((False, 0.75 * scale), (True, 2.6 * scale)):
        chosen = specks.is_near_P == is_near
        (points,) = splat(x_P[chosen], y_P[chosen], (light_P[chosen],), stage.height, stage.width)
        whole += _softened(points, blur_px)
    return whole


def render_medusa(motion: MedusaMotion, stage: MedusaStage) -> Iterator[NDArray[np.uint8]]:
    """Yield one RGB frame [H, W, 3] for every frame of the motion."""
    for away_DM, glow_DB in zip(motion.away_KDM, motion.glow_KDB, strict=True):
        yield light_medusa(stage, away_DM, glow_DB)
