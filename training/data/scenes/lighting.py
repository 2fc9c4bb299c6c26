"""Render the dish from above: wave shapes -> slopes and curvature -> floor light, reflected ring lamps, rim -> uint8 RGB.

Three lights make a frame, all in linear RGB until the last line:
  - floor: a lamp under the water. Water that curves up gathers light, by the paraxial lens law 1 / (1 + depth * curvature),
    and the gathered pattern is seen through the same sloping surface, so it is shifted by the slope;
  - lamps: reflections, read by slope from a drawn environment of ring lamps (a "lit sphere": Sloan, Martin, Gooch, Gooch,
    2001), so that every ring lamp becomes a contour line of equal slope, as in photographs of cymatics;
  - bloom: the brightest light, spread softly, as a lens does.

Axes: H W frame at the supersampled size, C red green blue, K frames, M wave shapes, B bands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import jv, jvp

from training.data.scenes.dish import DishMotion, WaveShapes
from training.data.scenes.exposure import smoothstep
from training.data.scenes.sound_force import Array

SUPERSAMPLE = 1.5
CHUNK_FRAMES = 16  # frames whose surfaces are summed in one matrix product
DISH_RADIUS = 0.89  # of half the frame
SURROUND_PX, SURROUND_REACH = 768, 1.9  # the drawn environment, and the slope at its edge
PERSPECTIVE = 0.30  # how much of the environment the calm water reflects
LENS_DEPTH = 0.055
SHIFT = 0.075  # how far slope 1 moves the floor seen through it, in dish radii
EXPOSURE = 1.5
CONTRAST = 1.75  # less than the 2.2 of a screen: deeper shadows and purer colours

INDIGO = np.array([0.007, 0.007, 0.046], np.float32)
TEAL = np.array([0.001, 0.052, 0.076], np.float32)
WARM = np.array([0.80, 0.012, 0.16], np.float32)  # glow of low sound: ruby
MIDDLE = np.array([0.20, 0.03, 0.85], np.float32)  # of all sound: violet
COLD = np.array([0.003, 0.45, 0.62], np.float32)  # of high sound: turquoise


@dataclass(frozen=True)
class StaticMaps:
    """Maps of the frame that stay constant while the water moves."""

    size_px: int
    slope_x_MP: Array
    slope_y_MP: Array
    curvature_MP: Array
    x_HW: Array
    y_HW: Array
    water_HW1: Array
    body_HWC: Array
    floor_HW1: Array
    rim_HWC: Array
    rim_glow_HW1: Array
    surround_HWC: Array
    vignette_HW1: Array


def _surface_bases(shapes: WaveShapes, radius: Array, angle: Array) -> tuple[Array, Array, Array]:
    """Return d/dx, d/dy and the Laplacian of every wave shape at every pixel, each `[M, P]`, zero outside the water."""
    inside = radius.ravel() <= 1.02
    r, a = np.clip(radius.ravel()[inside], 1e-4, 1.0).astype(np.float64), angle.ravel()[inside].astype(np.float64)
    table_R = np.linspace(0.0, 1.0, 2049)
    bases = np.zeros((3, len(shapes.lobes_M), radius.size), np.float32)
    for index, (m, k, offset) in enumerate(zip(shapes.lobes_M, shapes.wave_number_M, shapes.phase_M, strict=True)):
        bessel, phase = np.interp(r, table_R, jv(m, k * table_R)), m * (a + np.pi / 2) + offset
        along = k * np.interp(r, table_R, jvp(m, k * table_R)) * np.cos(phase)
        around = -m * bessel / r * np.sin(phase)
        bases[0, index, inside] = along * np.cos(a) - around * np.sin(a)
        bases[1, index, inside] = along * np.sin(a) + around * np.cos(a)
        bases[2, index, inside] = -(k**2) * bessel * np.cos(phase)  # the Helmholtz equation
    return bases[0], bases[1], bases[2]


def _surround() -> Array:
    """Draw the environment that the water reflects, by slope: three ring lamps from gold to magenta to teal, and a window."""
    u = np.linspace(-SURROUND_REACH, SURROUND_REACH, SURROUND_PX, dtype=np.float32)
    x, y = np.meshgrid(u, u)
    r, a = np.hypot(x, y), np.arctan2(y, x)
    gold, magenta = np.array([1.45, 0.60, 0.09], np.float32), np.array([1.15, 0.03, 0.42], np.float32)
    teal = np.array([0.005, 0.50, 0.75], np.float32)
    to_gold, to_magenta, to_teal = (np.exp(2.2 * np.cos(a - at)) for at in (-2.2, 0.35, 2.45))  # gold: upper left
    whole = to_gold + to_magenta + to_teal
    hue = sum((part / whole)[..., None] * c for part, c in ((to_gold, gold), (to_magenta, magenta), (to_teal, teal)))
    near = np.exp(-(((r - 0.52) / 0.120) ** 2))
    far = np.exp(-(((r - 1.12) / 0.22) ** 2))
    halo = np.exp(-(((r - 0.215) / 0.085) ** 2))  # calm water mirrors it as a ring, which the quietest sound bends
    sky = smoothstep(0.15, 1.5, r) * 0.05
    light = hue * (1.10 * near + 0.42 * far + 0.16 * halo + sky)[..., None]
    window = np.exp(-(((x + y + 0.42) / 0.085) ** 2) - (((x - y) / 0.16) ** 2))
    spark = np.exp(-(((x + 0.36) ** 2 + (y + 0.38) ** 2) / 0.08**2))
    light += window[..., None] * np.array([0.06, 0.11, 0.16], np.float32)
    light += spark[..., None] * np.array([1.5, 1.2, 0.85], np.float32)
    return light.astype(np.float32)


def _rim(radius: Array, angle: Array) -> Array:
    """Draw the dish's edge: a thin dark metal ring that catches the lamps, and the faint table around it."""
    lip = np.exp(-(((radius - 1.025) / 0.013) ** 2))
    catch = 0.05 + 0.9 * np.exp(-(((np.angle(np.exp(1j * (angle + 2.25)))) / 0.55) ** 2))
    answer = 0.45 * np.exp(-(((np.angle(np.exp(1j * (angle - 0.75)))) / 0.6) ** 2))
    gold, rose = np.array([0.62, 0.46, 0.26], np.float32), np.array([0.42, 0.08, 0.26], np.float32)
    table = np.exp(-np.maximum(radius - 1.03, 0.0) / 0.12)[..., None] * np.array([0.004, 0.006, 0.016], np.float32)
    return (lip[..., None] * (catch[..., None] * gold + answer[..., None] * rose) + table).astype(np.float32)


def static_maps(shapes: WaveShapes, size_px: int) -> StaticMaps:
    """Compute the constant maps for a frame of `size_px` x `size_px`."""
    fine_px = round(size_px * SUPERSAMPLE)
    u = ((np.arange(fine_px, dtype=np.float32) + 0.5) / fine_px * 2.0 - 1.0) / DISH_RADIUS
    x, y = np.meshgrid(u, u)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    slope_x, slope_y, curvature = _surface_bases(shapes, radius, angle)
    water = 1.0 - smoothstep(0.995, 1.012, radius)
    deep = smoothstep(0.0, 1.0, np.hypot(x + 0.25, y + 0.3) / 1.35)[..., None]
    body = (TEAL * (1.0 - deep) + INDIGO * deep) * (1.0 - 0.55 * radius[..., None] ** 4).clip(0.12, 1.0)
    edge = np.exp(-(((radius - 0.97) / 0.10) ** 2)) * np.exp(1.6 * (np.cos(angle - 0.8) - 1.0))
    body = body + edge[..., None] * np.array([0.050, 0.004, 0.034], np.float32)
    floor = np.exp(-((radius / 0.72) ** 2)) + 0.10
    rim_glow = (
        np.exp(-(((radius - 1.022) / 0.02) ** 2)) * 0.3 + np.exp(-np.abs(radius - 1.0) / 0.10) * (radius > 1.0) * 0.02
    )
    vignette = 1.0 - 0.35 * smoothstep(0.75, 1.45, radius)
    return StaticMaps(
        size_px, slope_x, slope_y, curvature, x, y, water[..., None], body.astype(np.float32),
        floor[..., None].astype(np.float32), _rim(radius, angle), rim_glow[..., None].astype(np.float32),
        _surround(), vignette[..., None],
    )  # fmt: skip


def _glow_colour(glow_B: Array) -> tuple[float, Array]:
    """Return the loudness in 0 .. 1 and the colour of the floor lamp, leaning warm for low sound and cold for high."""
    loudness = float(np.clip(0.55 * glow_B.max() + 0.45 * glow_B.mean() * 1.6, 0.0, 1.2))
    place = np.linspace(0.0, 1.0, len(glow_B), dtype=np.float32)
    lean = float((glow_B @ place + 0.6 * 0.08) / (glow_B.sum() + 0.08))
    lean = float(np.clip(0.5 + 1.7 * (lean - 0.5), 0.0, 1.0))
    return loudness, (WARM * (1.0 - lean) ** 2 + MIDDLE * 2.0 * lean * (1.0 - lean) + COLD * lean**2).astype(np.float32)


def _expose(light_HWC: Array, size_px: int) -> NDArray[np.uint8]:
    """Add bloom, roll highlights off (1 - exp(-x) keeps hues and never clips), encode for the eye, reduce to size."""
    small = cv2.resize(np.maximum(light_HWC - 0.35, 0.0), (size_px // 4, size_px // 4), interpolation=cv2.INTER_AREA)
    bloom = cv2.GaussianBlur(small, (0, 0), size_px / 80.0)
    light_HWC = light_HWC + 0.5 * cv2.resize(bloom, light_HWC.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    exposed = 1.0 - np.exp(-EXPOSURE * cv2.resize(light_HWC, (size_px, size_px), interpolation=cv2.INTER_AREA))
    return (np.clip(exposed, 0.0, 1.0) ** (1.0 / CONTRAST) * 255.0 + 0.5).astype(np.uint8)


def _light(maps: StaticMaps, slope_x: Array, slope_y: Array, curvature: Array, glow_B: Array) -> NDArray[np.uint8]:
    """Light one surface; slopes and curvature are `[H, W]` at the supersampled size."""
    fine_px = len(slope_x)
    loudness, colour = _glow_colour(glow_B)
    gathered = 1.0 / np.maximum(1.0 + LENS_DEPTH * curvature, 0.22)
    to_px = DISH_RADIUS * fine_px / 2.0
    seen_x = (maps.x_HW - SHIFT * slope_x) * to_px + (fine_px - 1) / 2.0
    seen_y = (maps.y_HW - SHIFT * slope_y) * to_px + (fine_px - 1) / 2.0
    floor = cv2.remap(gathered, seen_x, seen_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[..., None]
    per_slope = SURROUND_PX / 2.0 / SURROUND_REACH
    mirrored_x = (slope_x + PERSPECTIVE * maps.x_HW) * per_slope + SURROUND_PX / 2.0
    mirrored_y = (slope_y + PERSPECTIVE * maps.y_HW) * per_slope + SURROUND_PX / 2.0
    lamps = cv2.remap(maps.surround_HWC, mirrored_x, mirrored_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    lamp_colour = maps.floor_HW1 * (colour * (0.01 + 0.21 * loudness))
    water = floor * maps.body_HWC + floor**2 * lamp_colour + lamps * (0.55 + 0.45 * loudness)
    light = maps.water_HW1 * water + maps.rim_HWC + maps.rim_glow_HW1 * (colour * loudness)
    return _expose((light * maps.vignette_HW1).astype(np.float32), maps.size_px)


def render(motion: DishMotion, maps: StaticMaps) -> Iterator[NDArray[np.uint8]]:
    """Yield one RGB frame [size, size, 3] for every frame of the motion."""
    square = maps.x_HW.shape
    for start in range(0, len(motion.height_KM), CHUNK_FRAMES):
        height_KM = motion.height_KM[start : start + CHUNK_FRAMES]
        slopes_x, slopes_y = height_KM @ maps.slope_x_MP, height_KM @ maps.slope_y_MP
        curvatures = height_KM @ maps.curvature_MP
        for index in range(len(height_KM)):
            yield _light(
                maps,
                slopes_x[index].reshape(square),
                slopes_y[index].reshape(square),
                curvatures[index].reshape(square),
                motion.glow_KB[start + index],
            )
