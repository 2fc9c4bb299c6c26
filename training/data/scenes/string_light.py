"""Light on vibrating strings: amplitudes and sway -> uint8 RGB of any shape.

A string vibrates far faster than a frame is exposed, so each place of it shows the share of time that it spends there: the arcsine
law of a sinusoid, averaged exactly over the height of a pixel. Two lamps light the strings from the sides, the strings' own colours go
from ember through rose to ice with their pitch, and the lacquered board behind mirrors the glow.

Axes: H W frame, C red green blue, K frames, R strings, N modes, P rows of the strip in which one string moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.scenes.exposure import smoothstep
from training.data.scenes.sound_force import Array
from training.data.scenes.strings import MODES, STRINGS, StringMotion

WIDEST = 0.82  # amplitude of a string in one mode at 1, in distances between strings
SWING = 0.8  # of the sway, in the same
COLOURS = np.array(
    [
        [1.0, 0.16, 0.03],
        [1.0, 0.36, 0.06],
        [1.0, 0.52, 0.22],
        [0.95, 0.30, 0.50],
        [0.55, 0.32, 1.0],
        [0.22, 0.55, 1.0],
        [0.25, 0.85, 0.95],
    ],
    np.float32,
)
SOFTEST_PX = 0.6  # a string at rest moves so far: its slanting line has no steps then
EXPOSURE, CONTRAST = 1.6, 1.7


@dataclass(frozen=True)
class StringStage:
    """What stays while the strings move."""

    height: int
    width: int
    rest_RW: Array
    """Row at which each string rests, in pixels."""
    shapes_RNW: Array
    """sin(n pi x) between its bridges, 0 outside."""
    lit_RWC: Array
    """Light that each place of a string throws back."""
    board_HWC: Array
    spacing_px: float
    radius_R: Array


def string_stage(height: int, width: int) -> StringStage:
    """Compute what is constant for a frame of that size: strings run along its long side at 4:3 and wider."""
    place_R = np.linspace(0.0, 1.0, STRINGS, dtype=np.float32)
    x_W = (np.arange(width, dtype=np.float32) + 0.5) / width
    # A harp lying on its side: low strings long and below, high ones short and above.
    left_R, right_R = 0.055 + 0.10 * place_R**1.3, 0.945 - 0.17 * place_R**1.6
    along_RW = (x_W[None] - left_R[:, None]) / (right_R - left_R)[:, None]
    inside_RW = (along_RW > 0.0) & (along_RW < 1.0)
    modes_N = np.arange(1, MODES + 1, dtype=np.float32)
    shapes_RNW = np.sin(np.pi * modes_N[None, :, None] * along_RW[:, None]) * inside_RW[:, None]
    top, bottom = 0.115, 0.875
    rest_R = (bottom - (bottom - top) * place_R) * height
    rest_RW = rest_R[:, None] + 0.012 * height * (x_W[None] - 0.5) * (1.0 - 2.0 * place_R[:, None])
    spacing_px = (bottom - top) * height / (STRINGS - 1)
    hue = place_R * (len(COLOURS) - 1)
    below = np.minimum(hue.astype(int), len(COLOURS) - 2)
    part = (hue - below)[:, None]
    colour_RC = COLOURS[below] * (1.0 - part) + COLOURS[below + 1] * part
    warm = 0.35 + 0.9 * np.exp(-(((x_W - 0.16) / 0.30) ** 2))
    cold = 0.20 + 0.8 * np.exp(-(((x_W - 0.88) / 0.22) ** 2))
    lamps_WC = warm[:, None] * np.array([1.0, 0.92, 0.80], np.float32) + cold[:, None] * np.array(
        [0.80, 0.92, 1.0], np.float32
    )
    fade_RW = smoothstep(0.0, 0.012, along_RW) * smoothstep(0.0, 0.012, 1.0 - along_RW)
    lit_RWC = colour_RC[:, None] * lamps_WC[None] * fade_RW[..., None]
    radius_R = np.maximum(0.55, (1.5 - 0.8 * place_R) * height / 720.0).astype(np.float32)
    return StringStage(
        height, width, rest_RW.astype(np.float32), shapes_RNW.astype(np.float32), lit_RWC.astype(np.float32),
        _board(height, width, left_R, right_R, rest_R), spacing_px, radius_R,
    )  # fmt: skip


def _board(height: int, width: int, left_R: Array, right_R: Array, rest_R: Array) -> Array:
    """Draw the lacquered board and the two brass bridges."""
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    shine = np.exp(-(((x - 0.2) / 0.5) ** 2) - (((y - 0.25) / 0.6) ** 2))
    cold = np.exp(-(((x - 0.95) / 0.35) ** 2) - (((y - 0.8) / 0.5) ** 2))
    board = shine[..., None] * np.array([0.0075, 0.0042, 0.0058]) + cold[..., None] * np.array([0.0018, 0.0034, 0.0068])
    rows = np.arange(height) + 0.5
    order = np.argsort(rest_R)
    for side_R, lamp in ((left_R, 1.0), (right_R, 0.55)):
        at = np.interp(rows, rest_R[order], side_R[order])
        within = smoothstep(0.075, 0.10, (rows / height).astype(np.float32)) * smoothstep(
            0.09, 0.12, (1.0 - rows / height).astype(np.float32)
        )
        away = (x - at[:, None]) * width / height  # in heights
        bar = np.exp(-((away / 0.0042) ** 2)) * 0.35 + np.exp(-(((away + 0.0022) / 0.0011) ** 2)) * 0.9
        gleam = 0.25 + 0.75 * np.exp(-(((rows / height - 0.3) / 0.22) ** 2))
        board += (bar * (within * gleam * lamp)[:, None])[..., None] * np.array([0.34, 0.22, 0.10])
    return board.astype(np.float32)


def _time_share(away_PW: Array, amplitude_W: Array, radius: float) -> Array:
    """Return the share of time that a sinusoid of that amplitude spends within `radius` of a place."""
    amplitude_W = np.hypot(amplitude_W, SOFTEST_PX)
    upper = np.arcsin(np.clip((away_PW + radius) / amplitude_W, -1.0, 1.0))
    lower = np.arcsin(np.clip((away_PW - radius) / amplitude_W, -1.0, 1.0))
    return (upper - lower) * np.float32(1.0 / np.pi)


def light_strings(stage: StringStage, amplitude_RN: Array, sway_R2: Array, glow_R: Array) -> NDArray[np.uint8]:
    """Light one moment, uint8 RGB [H, W, 3]."""
    light_HWC = np.zeros((stage.height, stage.width, 3), np.float32)
    spread_RW = np.sqrt(np.einsum("rn,rnw->rw", amplitude_RN**2, stage.shapes_RNW**2))
    spread_RW *= WIDEST * stage.spacing_px
    middle_RW = stage.rest_RW - SWING * stage.spacing_px * np.einsum("rn,rnw->rw", sway_R2, stage.shapes_RNW[:, :2])
    for string in range(STRINGS):
        reach = spread_RW[string] + stage.radius_R[string] + SOFTEST_PX + 1.0
        first = max(0, int((middle_RW[string] - reach).min()))
        last = min(stage.height, int((middle_RW[string] + reach).max()) + 2)
        away_PW = np.arange(first, last, dtype=np.float32)[:, None] + 0.5 - middle_RW[string][None]
        share_PW = _time_share(away_PW, spread_RW[string], float(stage.radius_R[string]))
        # A string that moves catches more of both lamps than one at rest; without it the wide ones would be too faint to see.
        gain_W = 0.22 + 0.8 * glow_R[string] + 0.20 * spread_RW[string] / stage.radius_R[string]
        light_HWC[first:last] += (share_PW * gain_W)[..., None] * stage.lit_RWC[string][None]
    return _expose(light_HWC, stage)


def _expose(light_HWC: Array, stage: StringStage) -> NDArray[np.uint8]:
    """Add the board's mirror image and bloom, roll highlights off without clipping, encode for the eye."""
    small = cv2.resize(light_HWC, (max(8, stage.width // 4), max(8, stage.height // 4)), interpolation=cv2.INTER_AREA)
    near = cv2.GaussianBlur(small, (0, 0), stage.height / 300.0)
    far = cv2.GaussianBlur(small, (0, 0), stage.height / 45.0)
    mirrored = cv2.GaussianBlur(small, (0, 0), sigmaX=stage.height / 160.0, sigmaY=stage.height / 40.0)
    down = max(1, stage.height // 60)
    mirrored = cv2.copyMakeBorder(mirrored[:-down], down, 0, 0, 0, cv2.BORDER_REPLICATE)
    soft = 0.30 * near + 0.14 * far + 0.05 * mirrored
    whole = light_HWC + cv2.resize(soft, (stage.width, stage.height), interpolation=cv2.INTER_LINEAR) + stage.board_HWC
    exposed = 1.0 - np.exp(-EXPOSURE * whole)
    return (np.clip(exposed, 0.0, 1.0) ** (1.0 / CONTRAST) * 255.0 + 0.5).astype(np.uint8)


def render_strings(motion: StringMotion, stage: StringStage) -> Iterator[NDArray[np.uint8]]:
    """Yield one RGB frame [H, W, 3] for every frame of the motion."""
    for amplitude_RN, sway_R2, glow_R in zip(motion.amplitude_KRN, motion.sway_KR2, motion.glow_KR, strict=True):
        yield light_strings(stage, amplitude_RN, sway_R2, glow_R)
