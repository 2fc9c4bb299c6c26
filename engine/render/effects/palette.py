"""Palettes: the colours that dark to light get in place of a frame's own (a gradient map)."""

from __future__ import annotations

import functools

import numpy as np

from engine.control.parameter_table import PALETTES
from engine.render.effects.frame_effects import Pixels

# H W rows and columns of pixels, C channels (RGB), L levels

_COLOURS = {
    "ember": "000000 2b0303 7d0f06 d8420b ff9a1f ffe08a fffdf0",
    "ice": "000000 04112e 0a3a78 1478b8 4fc3dc b8eef2 ffffff",
    "neon": "000000 1a0540 5a0fa8 d815b4 f23f98 38e1ff f2ffff",
    "gold": "000000 1c1006 523011 9c6520 dda83f f7dc8c fffbe8",
    "toxic": "000000 061a12 0a4a2c 22952f 86d830 dcf76a fdffe6",
    "rose": "000000 1b0714 571640 a3325f e66f7d fbb8a8 fff4ec",
    "grey": "000000 ffffff",
}
"""Colours at equal steps from dark to light, as RRGGBB; between them they change evenly."""
assert tuple(_COLOURS) == PALETTES


def coloured(pixels_HWC: Pixels, palette: int, share: float) -> Pixels:
    """Return the frame with `share` of the colours that its levels have in the palette of that index."""
    import cv2

    level_HW = cv2.cvtColor(pixels_HWC, cv2.COLOR_RGB2GRAY)
    mapped_HWC = cv2.LUT(cv2.merge([level_HW] * 3), colours_LC(palette)[None])
    if share < 1.0:
        mapped_HWC = cv2.addWeighted(pixels_HWC, 1.0 - share, mapped_HWC, share, 0.0)
    return np.asarray(mapped_HWC, np.uint8)


@functools.cache
def colours_LC(palette: int) -> Pixels:
    """Return red, green and blue of the 256 levels."""
    colours = [bytes.fromhex(text) for text in _COLOURS[PALETTES[palette]].split()]
    at = np.linspace(0.0, 255.0, len(colours))
    channels = [np.interp(np.arange(256), at, [colour[channel] for colour in colours]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)
