"""Light of flames on a pipe before a rough wall: heights -> uint8 RGB of any shape.

A flame is a body of light: blue at its foot, where the gas burns clean, then a dark core, then glowing soot that reddens and thins
towards the tip. It is drawn once, and stretched to each height. The wall and the polished pipe show what light reaches them.

Axes: H W frame, C red green blue, K frames, F flames, V U rows and columns of the flame that is stretched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.scenes.exposure import expose, smoothstep, static_dither
from training.data.scenes.flames import FLAMES, FlameMotion, places
from training.data.scenes.sound_force import Array

ROWS, COLUMNS = 512, 96
FOOT = 0.80  # row of the pipe's top, in heights of the frame
HIGHEST = 0.84  # of a flame, likewise
LEFT, RIGHT = 0.045, 0.955
PIPE = 0.055  # its thickness
WALL_TINT = (0.62, 0.70, 0.86)
SPREAD = (0.020, 0.11)  # of the light on the wall: near the flames, and far, in heights of the frame


@dataclass(frozen=True)
class FlameStage:
    """What stays while the flames move."""

    height: int
    width: int
    flame_VUC: Array
    column_F: Array
    half_width_F: Array
    wall_HW: Array
    pipe_HWC: Array
    gloss_HW: Array
    dither_HW1: Array


def one_flame() -> Array:
    """Draw the flame that all are stretched from, its foot below."""
    up, across = np.meshgrid(
        1.0 - (np.arange(ROWS, dtype=np.float32) + 0.5) / ROWS,
        ((np.arange(COLUMNS, dtype=np.float32) + 0.5) / COLUMNS - 0.5) * 2.0,
        indexing="ij",
    )
    # A drop: wide in its lower third, drawn out to a tip.
    waist = 0.16 + 0.62 * np.sin(np.pi * np.clip(up, 0.0, 1.0) ** 0.62) ** 0.9 * (1.0 - up) ** 0.35
    inside = np.exp(-((np.abs(across) / np.maximum(waist, 1e-3)) ** 2.6) * 1.8)
    soot = (
        inside * smoothstep(0.05, 0.32, up) * (1.0 - smoothstep(0.55, 1.0, up) * 0.75) * smoothstep(0.0, 0.06, 1.0 - up)
    )
    core = np.exp(-((across / (0.55 * waist)) ** 2)) * smoothstep(0.02, 0.10, up) * (1.0 - smoothstep(0.10, 0.34, up))
    rim = inside * (1.0 - 0.6 * np.exp(-((across / (0.7 * waist)) ** 2)))
    foot = rim * smoothstep(0.0, 0.02, up) * (1.0 - smoothstep(0.03, 0.26, up))
    heat = smoothstep(0.15, 0.95, up)[..., None]
    white, red = np.array([1.0, 0.66, 0.22], np.float32), np.array([1.0, 0.30, 0.045], np.float32)
    glow = (white * (1.0 - heat) + red * heat) * (soot * (1.0 - 0.45 * core))[..., None]
    flame = 1.9 * glow + 0.75 * foot[..., None] * np.array([0.10, 0.30, 1.0], np.float32)
    return flame.astype(np.float32)


def flame_stage(height: int, width: int) -> FlameStage:
    """Compute what is constant for a frame of that size; the pipe lies along its width."""
    column_F = (LEFT + (RIGHT - LEFT) * places()) * width
    spacing = (RIGHT - LEFT) * width / FLAMES
    random = np.random.default_rng(5)
    coarse, fine = (cv2.resize(random.standard_normal((max(2, height // n), max(2, width // n))).astype(np.float32),
                               (width, height), interpolation=cv2.INTER_CUBIC) for n in (48, 5))  # fmt: skip
    grain = cv2.GaussianBlur(random.standard_normal((height, width)).astype(np.float32), (0, 0), height / 600.0)
    rows = (np.arange(height, dtype=np.float32) + 0.5) / height
    plaster = 1.0 + 0.26 * coarse + 0.12 * fine + 0.10 * grain
    wall = np.clip(plaster, 0.1, 2.2) * (1.0 - smoothstep(FOOT - 0.01, FOOT + 0.004, rows))[:, None]
    around = (rows - FOOT) / PIPE
    on_pipe = ((around > 0.0) & (around < 1.0)).astype(np.float32)
    brass = np.array([0.95, 0.70, 0.38], np.float32)
    shine = on_pipe * (0.016 + 0.050 * np.exp(-(((around - 0.30) / 0.10) ** 2)))
    pipe = shine[:, None, None] * np.ones((1, width, 1), np.float32) * brass
    ends = smoothstep(LEFT - 0.022, LEFT - 0.018, np.arange(width, dtype=np.float32) / width) * smoothstep(
        1.0 - RIGHT - 0.022, 1.0 - RIGHT - 0.018, 1.0 - np.arange(width, dtype=np.float32) / width
    )
    # The pipe mirrors what burns on it in a narrow line; the table below mirrors it softly.
    mirror = on_pipe * 0.85 * (1.0 - around * 0.7) + (around >= 1.0) * 0.32 * np.exp(
        -np.maximum(around - 1.0, 0.0) / 2.2
    )
    gloss = mirror[:, None] * np.where(on_pipe[:, None] > 0, ends[None], 1.0)
    return FlameStage(
        height, width, one_flame(), column_F.astype(np.float32), np.full(FLAMES, 0.58 * spacing, np.float32),
        wall.astype(np.float32), (pipe * ends[None, :, None]).astype(np.float32), gloss.astype(np.float32), static_dither(height, width),
    )  # fmt: skip


def _burning(stage: FlameStage, height_F: Array, lean_F: Array) -> Array:
    """Return the light of all flames, [H, W, C]."""
    light_HWC = np.zeros((stage.height, stage.width, 3), np.float32)
    foot = FOOT * stage.height
    for flame in range(FLAMES):
        tall = HIGHEST * stage.height * float(height_F[flame])
        # A higher flame is a little wider too.
        half = float(stage.half_width_F[flame]) * (0.75 + 0.35 * float(height_F[flame]))
        lean = HIGHEST * stage.height * float(lean_F[flame])
        left = max(0, int(stage.column_F[flame] - half - abs(lean) - 1.0))
        right = min(stage.width, int(stage.column_F[flame] + half + abs(lean)) + 2)
        top = max(0, int(foot - tall) - 1)
        bottom = min(stage.height, int(foot) + 2)
        along, down = 2.0 * half / COLUMNS, tall / ROWS
        to_frame = np.array(
            [
                [along, -lean / ROWS, stage.column_F[flame] - half + lean - left],
                [0.0, down, foot - tall - top],
            ],
            np.float32,
        )
        light_HWC[top:bottom, left:right] += cv2.warpAffine(
            stage.flame_VUC, to_frame, (right - left, bottom - top), flags=cv2.INTER_AREA
        )
    return light_HWC


def light_flames(stage: FlameStage, height_F: Array, lean_F: Array) -> NDArray[np.uint8]:
    """Light one moment, uint8 RGB [H, W, 3]."""
    flames_HWC = _burning(stage, height_F, lean_F)
    size = (max(8, stage.width // 8), max(8, stage.height // 8))
    small = cv2.resize(flames_HWC, size, interpolation=cv2.INTER_AREA)
    near, far = (cv2.GaussianBlur(small, (0, 0), share * size[1]) for share in SPREAD)
    reached = cv2.resize(0.12 * near + 0.40 * far, (stage.width, stage.height), interpolation=cv2.INTER_LINEAR)
    on_wall = reached * stage.wall_HW[..., None] * np.array(WALL_TINT, np.float32)
    # Mirrored at the pipe's top and compressed: the pipe is round, the table lies flat.
    foot = round(FOOT * stage.height)
    above = cv2.resize(flames_HWC[:foot], (stage.width, stage.height - foot), interpolation=cv2.INTER_AREA)[::-1]
    mirrored = np.zeros_like(flames_HWC)
    mirrored[foot:] = cv2.GaussianBlur(above, (0, 0), sigmaX=stage.height / 260.0, sigmaY=stage.height / 110.0)
    whole = flames_HWC + on_wall + stage.gloss_HW[..., None] * mirrored + stage.pipe_HWC
    return expose(whole, stage.dither_HW1, bloom=0.30)


def render_flames(motion: FlameMotion, stage: FlameStage) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames of a motion."""
    for height_F, lean_F in zip(motion.height_KF, motion.lean_KF, strict=True):
        yield light_flames(stage, height_F, lean_F)
