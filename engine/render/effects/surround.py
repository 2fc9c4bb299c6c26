"""Frames in a surround: an output of another shape shows more than the frame, and effects reach into the rest of it.

The frame keeps its pixels and gets a field of the output's shape around it, so that one chain draws all that is seen and the flash
guard measures it; the output only enlarges the field. Without anything to draw there, the output pads the frame with black itself.
"""

from __future__ import annotations

import colorsys
import functools
import math

import numpy as np
from numpy.typing import NDArray

from engine.core.fit import crop_to_shape
from engine.render.effects.effect_parameters import EffectParameters
from engine.render.effects.frame_effects import SMALLEST_VISIBLE, Pixels

# H W rows and columns of pixels, C channels (RGB)

SOFT_EDGE = 0.15
"""Width of the edge that fades beside a surround without being asked to, as a share of half the shorter side."""
_LONGEST = 4.0
"""A field is at most so many times as long as the frame; in a screen that is longer still, the rest is black."""
_STEPS = 256
"""Widths of vignettes that are told apart."""


def field_of(height: int, width: int, parameters: EffectParameters) -> tuple[int, int]:
    """Return height and width of the field that a frame of this size gets: its own where nothing is drawn around it."""
    screen = parameters.screen
    if screen is None or parameters.fill or not draws_surround(parameters):
        return height, width
    shape = screen[0] / screen[1]
    if shape * height > width:
        return height, round(min(shape * height, _LONGEST * width))
    return round(min(width / shape, _LONGEST * height)), width


def in_surround(pixels_HWC: Pixels, field: tuple[int, int], parameters: EffectParameters) -> Pixels:
    """Return the frame in the middle of a field (height, width), its edges faded; the same array without either.

    Copies of the frame (`tiles`) reach the edges of the field, and so the fading begins there.
    """
    edge = parameters.vignette
    if parameters.screen and parameters.fill and draws_surround(parameters):
        # The vignette belongs to what is seen. The output crops what is left in the same way.
        pixels_HWC = crop_to_shape(pixels_HWC, *parameters.screen)
        field = pixels_HWC.shape[0], pixels_HWC.shape[1]
    height, width = pixels_HWC.shape[:2]
    if parameters.tiles >= 1.0:
        return _faded(_tiled(pixels_HWC, field, parameters.tiles), edge, parameters)
    if field == (height, width):
        return _faded(pixels_HWC, edge, parameters)
    field_HWC = _plain(field, parameters).copy()
    if parameters.tiles > SMALLEST_VISIBLE:
        field_HWC = _mixed(field_HWC, _tiled(pixels_HWC, field, 1.0), parameters.tiles)
    top, left = (field[0] - height) // 2, (field[1] - width) // 2
    edge = max(edge, soft_edge(height, width, field, parameters))
    inside_HWC = field_HWC[top : top + height, left : left + width]
    inside_HWC[:] = _over(pixels_HWC, inside_HWC, edge)
    return field_HWC


def soft_edge(height: int, width: int, field: tuple[int, int], parameters: EffectParameters) -> float:
    """Return how wide the edges of a frame in a field fade without any vignette, as a share of half its shorter side."""
    if not parameters.soft_edges:
        return 0.0
    # With little room they are narrow, so that a frame which grows to the size of the field loses them gradually.
    room = max((field[0] - height) // 2, (field[1] - width) // 2)
    return math.ceil(_STEPS * min(SOFT_EDGE, 2.0 * room / min(height, width))) / _STEPS


def draws_surround(parameters: EffectParameters) -> bool:
    """Tell whether anything is drawn beside the frame where its output has room."""
    return bool(
        (parameters.soft_edges and not parameters.fill)
        or parameters.kaleidoscope
        or max(parameters.tiles, parameters.vignette, parameters.background[0]) > SMALLEST_VISIBLE
    )


def background_colour(level: float, hue: float, saturation: float) -> tuple[int, int, int]:
    """Return red, green and blue of the surround in 8 bits."""
    red, green, blue = (round(255.0 * x) for x in colorsys.hsv_to_rgb(hue % 1.0, saturation, level))
    return red, green, blue


def _plain(field: tuple[int, int], parameters: EffectParameters) -> Pixels:
    return _plain_field(*field, background_colour(*parameters.background))


@functools.lru_cache(maxsize=4)
def _plain_field(rows: int, columns: int, colour: tuple[int, int, int]) -> Pixels:
    field_HWC = np.empty((rows, columns, 3), np.uint8)
    field_HWC[:] = colour
    return field_HWC


def _faded(pixels_HWC: Pixels, edge: float, parameters: EffectParameters) -> Pixels:
    """Return the frame with its edges faded to the colour of the surround."""
    return _over(pixels_HWC, _plain((pixels_HWC.shape[0], pixels_HWC.shape[1]), parameters), edge)


def _over(pixels_HWC: Pixels, around_HWC: Pixels, edge: float) -> Pixels:
    """Return the frame over what lies behind it, seen through its edges."""
    import cv2

    if edge <= SMALLEST_VISIBLE:
        return pixels_HWC
    opacity_HWC, clearness_HWC = _opacity(*pixels_HWC.shape[:2], math.ceil(edge * _STEPS))
    front = cv2.multiply(pixels_HWC, opacity_HWC, scale=1.0 / 255.0)
    if not around_HWC.any():
        return np.asarray(front, np.uint8)
    return np.asarray(cv2.add(front, cv2.multiply(around_HWC, clearness_HWC, scale=1.0 / 255.0)), np.uint8)


@functools.lru_cache(maxsize=8)
def _opacity(height: int, width: int, edge: int) -> tuple[Pixels, Pixels]:
    """Return the opacity of every pixel in 8 bits, for three channels, and what is missing to 255.

    It rises from the edge of a rectangle with round corners; at the full width it is a disc or, in a long frame, a bar with round ends.
    """
    fading = max(1.0, edge / _STEPS * min(height, width) / 2)
    y = np.abs(np.arange(height) - (height - 1) / 2) - (height / 2 - fading)
    x = np.abs(np.arange(width) - (width - 1) / 2) - (width / 2 - fading)
    way_HW = np.clip(1.0 - np.hypot(np.maximum(y, 0.0)[:, None], np.maximum(x, 0.0)[None]) / fading, 0.0, 1.0)
    opacity_HW = np.rint(255.0 * way_HW * way_HW * (3.0 - 2.0 * way_HW)).astype(np.uint8)
    opacity_HWC = np.repeat(opacity_HW[..., None], 3, axis=2)
    return opacity_HWC, 255 - opacity_HWC


def _tiled(pixels_HWC: Pixels, field: tuple[int, int], count: float) -> Pixels:
    """Return a field of copies, `count` of them above each other, each the mirror image of the next."""
    import cv2

    rows, columns = field
    # Fewer pixels than a copy has would flicker, so the frame is made smaller by the mean first.
    halvings = int(math.log2(max(count, 1.0)) + 1e-6)
    height, width = (max(1, side >> halvings) for side in pixels_HWC.shape[:2])
    if halvings:
        pixels_HWC = np.asarray(cv2.resize(pixels_HWC, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    step = count * height / rows
    if rows > columns * height / width:
        step = count * width / columns
    # From the field to the frame; both are measured from their centres.
    matrix = np.array(
        [
            [step, 0.0, (width - 1) / 2 - step * (columns - 1) / 2],
            [0.0, step, (height - 1) / 2 - step * (rows - 1) / 2],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    tiled = cv2.warpAffine(pixels_HWC, matrix, (columns, rows), flags=flags, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(tiled, np.uint8)


def _mixed(first_HWC: Pixels, second_HWC: Pixels, share: float) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.addWeighted(first_HWC, 1.0 - share, second_HWC, share, 0.0), np.uint8)
