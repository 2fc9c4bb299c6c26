"""Palettes: the colours that dark to light get."""

from __future__ import annotations

import numpy as np
import pytest

from engine.control.parameter_table import PALETTES
from engine.render.effects.frame_effects import LUMA
from engine.render.effects.palette import coloured, colours_LC


def blobs(height: int = 64, width: int = 64, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(height // 8, 0).repeat(width // 8, 1))


@pytest.mark.parametrize("palette", range(len(PALETTES)))
def test_palettes_go_from_black_to_light_and_never_darker(palette: int) -> None:
    colours = colours_LC(palette).astype(float)
    assert colours[0].max() == 0
    assert colours[-1].min() > 200
    light = (colours / 255.0) ** 2.2 @ np.array(LUMA)
    assert np.diff(light).min() > -3e-3


def test_a_palette_replaces_colours_by_its_share() -> None:
    pixels_HWC = blobs()
    grey = coloured(pixels_HWC, PALETTES.index("grey"), 1.0)
    assert np.array_equal(grey[..., 0], grey[..., 2])
    half = coloured(pixels_HWC, PALETTES.index("grey"), 0.5).astype(float)
    assert np.abs(half - (pixels_HWC.astype(float) + grey) / 2).max() <= 1
