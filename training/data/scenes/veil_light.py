"""Light on hanging veils: displacements -> uint8 RGB of any shape.

A veil is so thin that all its layers are seen, so a place is as bright as there is cloth behind it: where a fold turns, the cloth
is seen along itself and the fold shines, as a caustic does (the density of a projected sheet, |ds/dx|, summed over its layers).
Each row of the cloth is cut into samples, whose light is laid where they hang. Lamps at the foot, one for each band of sound, colour it, and a
dark floor mirrors it.

Axes: H W frame, C red green blue, K frames, Y drawn rows, S samples across a veil, N M shapes down and across, B bands, L veils.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.scenes.exposure import expose, static_dither
from training.data.scenes.sound_force import Array
from training.data.scenes.veil import BANDS, VEILS, VeilMotion, across_shapes, down_shapes

ROW_STEP = 2  # threads hang down, so what lies between two drawn rows is between them in light too
SAMPLES_PER_PX = 1.2  # where folds stretch the cloth most, at its hem
NOISE_PLACES = 1 << 14
FOLD = 0.135  # mean distance of folds, in heights of the frame
DEEP = 0.30  # how deep folds are, in the same unit of their distance
TILT = 0.30  # lengths of cloth a height of the frame: the eye is above the hem, so cloth that hangs nearer ends lower
TOP, HEM = -0.06, 0.80  # of the front veil, in heights
FLOOR = 0.822
WIDE = 1.25  # of a veil, in widths of the frame: its sides hang outside
PROFILE = 4096
RAISED_L = (0.0, 0.055, 0.10)  # the hems of the veils behind stand higher in the frame
BRIGHT_L = (1.0, 0.50, 0.30)
BLUR_L = (0.0, 1.1, 2.6)  # in pixels of a frame of 720 rows
CLOTH = 0.42  # light that a single layer throws back
LAMPS = np.array(
    [
        [0.42, 0.02, 1.00],
        [1.00, 0.02, 0.42],
        [0.00, 1.00, 0.36],
        [0.02, 0.26, 1.00],
        [0.00, 0.80, 0.72],
        [0.45, 1.00, 0.20],
    ],
    np.float32,
)


@dataclass(frozen=True)
class Veil:
    """What stays of one veil while it moves."""

    rest_YS: Array
    """Column at which each sample hangs at rest, in drawn pixels."""
    fallen_YS: Array
    """How far down the cloth it lies: 0 at the rail, 1 at the hem."""
    thread_S: Array
    """Light of each thread's sample, for a profile of 1."""
    down_YN: Array
    across_MS: Array
    drawn_width: int


@dataclass(frozen=True)
class VeilStage:
    """What stays while the veils move."""

    height: int
    width: int
    veils: tuple[Veil, ...]
    profile: Array
    """Light by how far down the cloth a place is, in PROFILE steps from 0 to 1.25."""
    ambient_HWC: Array
    lamps_BHWC: Array
    """Light of each band's lamp, at a quarter of the frame's size."""
    dither_HW1: Array


@dataclass(frozen=True)
class Folds:
    """What makes the folds of one veil, along its rail: noise of about -1 to 1 by the number of its cells."""

    count: float
    random: np.random.Generator

    def noise(self, cells: float) -> Callable[[Array], Array]:
        """Return smooth noise by the place along the rail, 0 to 1."""
        knots = self.random.uniform(-1.0, 1.0, (1, max(2, int(cells)))).astype(np.float32)
        line = cv2.resize(knots, (NOISE_PLACES, 1), interpolation=cv2.INTER_CUBIC)[0]
        places = (np.arange(NOISE_PLACES) + 0.5) / NOISE_PLACES
        return lambda s_S: np.interp(s_S, places, line).astype(np.float32)

    def depth(self) -> Callable[[Array, Array], Array]:
        """Return how far towards the eye the cloth hangs at rest, in heights, by rows [Y, 1] and places [S].

        No two folds are alike: their distance, depth and lean wander along the rail, which is no straight line itself: small folds
        lie in large ones.
        """
        slow, quick, lean, full, bent = (self.noise(self.count / cells) for cells in (3.0, 1.2, 3.0, 2.0, 5.0))

        def depth_YS(down_Y1: Array, s_S: Array) -> Array:
            leaning_YS = 1.7 * down_Y1 * lean(s_S)
            phase_YS = 2.0 * np.pi * self.count * s_S + 2.6 * slow(s_S) + 0.8 * quick(s_S) + leaning_YS
            small_YS = (1.0 + 0.75 * full(s_S)) * (0.45 + 0.60 * down_Y1) * np.sin(phase_YS)
            opened_YS = 0.25 * down_Y1 * np.sin(2.0 * phase_YS + 1.3)
            large_YS = np.sin(2.0 * np.pi * self.count / 3.7 * s_S + 2.4 * bent(s_S) + 0.8 * leaning_YS)
            return FOLD * DEEP * (small_YS + opened_YS + 1.05 * (0.8 + 0.7 * down_Y1) * large_YS)

        return depth_YS


def _veil(index: int, height: int, width: int) -> Veil:
    scale = 1 if BLUR_L[index] < 2.0 else 2  # what is blurred needs no fine columns
    shape, hem = width / height, HEM - RAISED_L[index]
    rows = height // ROW_STEP
    down_Y1 = np.clip(((np.arange(rows, dtype=np.float32) + 0.5) / rows - TOP) / (hem - TOP), 0.0, 1.3)[:, None]
    folds = Folds(shape * WIDE / FOLD, np.random.default_rng(20 + index))
    depth_YS = folds.depth()

    def across_YS(down_Y1: Array, s_S: Array) -> Array:
        return (s_S - 0.5) * WIDE * shape + 0.5 * shape + depth_YS(down_Y1, s_S)

    # Samples lie the closer, the more a fold at the hem pulls them apart.
    fine_S = np.linspace(0.0, 1.0, NOISE_PLACES, dtype=np.float32)
    stretched_S = np.abs(np.gradient(across_YS(np.ones((1, 1), np.float32), fine_S)[0])) * height / scale
    reached_S = np.cumsum(SAMPLES_PER_PX * stretched_S + 0.5 * SAMPLES_PER_PX * stretched_S.mean())
    samples = int(reached_S[-1])
    edges_S = np.interp(np.linspace(0.0, reached_S[-1], samples + 1), reached_S, fine_S)
    s_S, wide_S = (0.5 * (edges_S[1:] + edges_S[:-1])).astype(np.float32), np.diff(edges_S).astype(np.float32)
    threads_S = np.ones(samples, np.float32)
    for cells, amount in ((5.0, 0.30), (17.0, 0.24), (60.0, 0.16)):
        threads_S *= 1.0 + amount * folds.noise(folds.count * cells)(s_S)
    sides_S = np.clip(np.minimum(s_S, 1.0 - s_S) * 60.0, 0.0, 1.0)
    light_S = CLOTH * BRIGHT_L[index] * threads_S * sides_S * wide_S * (WIDE * width / scale)
    rest_YS = across_YS(down_Y1, s_S) * (height / scale)
    return Veil(
        rest_YS.astype(np.float32), (down_Y1 + TILT * depth_YS(down_Y1, s_S)).astype(np.float32),
        light_S.astype(np.float32), down_shapes(np.clip(1.0 - down_Y1[:, 0], 0.0, 1.0)), across_shapes(s_S),
        width // scale,
    )  # fmt: skip


def _profile(height: int) -> Array:
    """Return the light of a veil by how far down it is: dim at the rail, bright above the hem, which is sewn double."""
    down = np.linspace(0.0, 1.25, PROFILE, dtype=np.float32)
    soft = 2.2 / height
    cloth = (0.10 + 0.90 * np.clip(down, 0.0, 1.0) ** 1.9) / (
        1.0 + np.exp(np.clip((down - 1.0) / (0.5 * soft), -60.0, 60.0))
    )
    hem = 1.5 * np.exp(-(((down - 1.0 + 2.5 * soft) / (1.1 * soft)) ** 2))
    stitched = 0.5 * np.exp(-(((down - 0.965) / soft) ** 2))
    return (cloth + hem + stitched).astype(np.float32)


def veil_stage(height: int, width: int) -> VeilStage:
    """Compute what is constant for a frame of that size."""
    y_H, x_W = (np.arange(height, dtype=np.float32) + 0.5) / height, (np.arange(width, dtype=np.float32) + 0.5) / width
    # From emerald at the foot to violet above, and darker towards the sides.
    foot_H = np.clip((y_H - 0.05) / 0.75, 0.0, 1.0)[:, None]
    foot = np.array([0.004, 0.26, 0.15], np.float32)
    middle = np.array([0.006, 0.10, 0.24], np.float32)
    above = np.array([0.09, 0.008, 0.24], np.float32)
    hue_HC = foot * foot_H**2 + middle * 2.0 * foot_H * (1.0 - foot_H) + above * (1.0 - foot_H) ** 2
    sides_W = 0.30 + 0.70 * np.exp(-(((x_W - 0.5) / 0.36) ** 4))
    ambient_HWC = hue_HC[:, None] * sides_W[None, :, None]
    small = (max(2, height // 4), max(2, width // 4))
    y, x = np.mgrid[0 : small[0], 0 : small[1]].astype(np.float32)
    y, x = (y + 0.5) / small[0], (x + 0.5) / small[1]
    lamps = [
        np.exp(-(((x - 0.5 - (band.place - 0.5) * WIDE) / (0.10 + 0.95 * band.width)) ** 2))
        * np.exp(-np.maximum(HEM - y, 0.0) / (0.18 + 0.42 * band.height))
        for band in BANDS
    ]
    lamps_BHWC = np.stack([lamp[..., None] * colour for lamp, colour in zip(lamps, LAMPS, strict=True)])
    return VeilStage(
        height, width, tuple(_veil(index, height, width) for index in range(VEILS)), _profile(height),
        ambient_HWC.astype(np.float32), lamps_BHWC.astype(np.float32), static_dither(height, width),
    )  # fmt: skip


def _density(stage: VeilStage, veil: Veil, away_NM: Array) -> Array:
    """Lay the light of every sample where it hangs, `[H, W]`."""
    rows, _ = veil.rest_YS.shape
    width = veil.drawn_width
    away_YS = veil.down_YN @ (away_NM @ veil.across_MS)
    column_YS = veil.rest_YS + away_YS * (stage.height * veil.drawn_width / stage.width)
    place_YS = (veil.fallen_YS + TILT * away_YS) * ((PROFILE - 1) / 1.25)
    light_YS = veil.thread_S * stage.profile[np.clip(place_YS, 0.0, PROFILE - 1.0).astype(np.int32)]
    # Two columns beside the frame take what hangs outside.
    column_YS = np.clip(column_YS + 0.5, 0.0, width + 1.0)
    left_YS = column_YS.astype(np.int64)
    part_YS = column_YS - left_YS
    at_YS = left_YS + np.arange(rows, dtype=np.int64)[:, None] * (width + 3)
    bins = rows * (width + 3)
    right = np.bincount((at_YS + 1).ravel(), (light_YS * part_YS).ravel(), bins)
    left = np.bincount(at_YS.ravel(), (light_YS * (1.0 - part_YS)).ravel(), bins)
    drawn = (left + right).reshape(rows, width + 3)[:, 1 : width + 1].astype(np.float32)
    return cv2.resize(drawn, (stage.width, stage.height), interpolation=cv2.INTER_LINEAR)


def light_veils(stage: VeilStage, away_LNM: Array, glow_B: Array) -> NDArray[np.uint8]:
    """Light one moment, uint8 RGB [H, W, 3]."""
    cloth_HW = np.zeros((stage.height, stage.width), np.float32)
    for veil, away_NM, blur in zip(stage.veils, away_LNM, BLUR_L, strict=True):
        drawn = _density(stage, veil, away_NM)
        cloth_HW += cv2.GaussianBlur(drawn, (0, 0), blur * stage.height / 720.0) if blur else drawn
    small = np.tensordot(glow_B**1.3, stage.lamps_BHWC, axes=1).astype(np.float32)
    lamps_HWC = stage.ambient_HWC + cv2.resize(small, (stage.width, stage.height), interpolation=cv2.INTER_LINEAR)
    return expose(_mirrored(cloth_HW[..., None] * lamps_HWC, stage), stage.dither_HW1)


def _mirrored(light_HWC: Array, stage: VeilStage) -> Array:
    """Add what a dark, brushed floor mirrors."""
    floor = round(FLOOR * stage.height)
    rows = stage.height - floor
    # The floor is seen at a flat angle, so its image is shorter than what it mirrors.
    image = cv2.resize(light_HWC[floor - 2 * rows : floor][::-1], (stage.width, rows), interpolation=cv2.INTER_AREA)
    image = cv2.GaussianBlur(image, (0, 0), sigmaX=stage.height / 260.0, sigmaY=stage.height / 70.0)
    below_H = np.arange(rows, dtype=np.float32) / stage.height
    fade_H = 0.42 * np.exp(-below_H / 0.075) * (1.0 - 0.8 * np.exp(-below_H / 0.010))
    whole = light_HWC.copy()
    whole[floor:] += image * fade_H[:, None, None]
    return whole


def render_veils(motion: VeilMotion, stage: VeilStage) -> Iterator[NDArray[np.uint8]]:
    """Yield one RGB frame [H, W, 3] for every frame of the motion."""
    for away_LNM, glow_B in zip(motion.away_KLNM, motion.glow_KB, strict=True):
        yield light_veils(stage, away_LNM, glow_B)
