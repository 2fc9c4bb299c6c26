"""The kaleidoscope on frames and on screens of other shapes."""

from __future__ import annotations

import numpy as np
import pytest

from engine.render.effects.chain import EffectChain
from engine.render.effects.effect_parameters import EffectParameters
from engine.render.effects.kaleidoscope import folded

WIDE = (1920, 1080)


def blobs(height: int = 64, width: int = 64, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(height // 8, 0).repeat(width // 8, 1))


def shown(pixels_HWC: np.ndarray, **effects) -> np.ndarray:
    return EffectChain().apply(pixels_HWC, EffectParameters(**{"guarded": False, **effects}), 0.0)


@pytest.mark.parametrize("sectors", [1, 2, 3, 4, 5, 6, 16])
def test_a_kaleidoscope_is_symmetrical_left_to_right(sectors: int) -> None:
    field_HWC = folded(blobs(), sectors, 0.1, (90, 160)).astype(int)
    assert np.quantile(np.abs(field_HWC - field_HWC[:, ::-1]), 0.99) <= 2


@pytest.mark.parametrize("sectors", [2, 4, 8])
def test_even_kaleidoscopes_are_the_same_after_half_a_turn(sectors: int) -> None:
    field_HWC = folded(blobs(), sectors, 0.3, (90, 160)).astype(int)
    assert np.quantile(np.abs(field_HWC - field_HWC[::-1, ::-1]), 0.99) <= 2


def test_a_kaleidoscope_fills_the_screen_and_moves_with_its_turn() -> None:
    field_HWC = shown(blobs() // 2 + 100, screen=WIDE, kaleidoscope=6)
    assert field_HWC.shape == (64, 114, 3)
    assert field_HWC.min() >= 99, "no corner is left black"
    turned = shown(blobs() // 2 + 100, screen=WIDE, kaleidoscope=6, kaleidoscope_turn=0.25)
    assert np.abs(field_HWC.astype(int) - turned).mean() > 5
    whole = shown(blobs() // 2 + 100, screen=WIDE, kaleidoscope=6, kaleidoscope_turn=1.0)
    assert np.abs(field_HWC.astype(int) - whole).max() <= 1


def test_tiles_are_copies_of_the_kaleidoscope() -> None:
    one = shown(blobs(), kaleidoscope=5)
    tiled = shown(blobs(), screen=WIDE, kaleidoscope=5, tiles=1.0)
    left = (114 - 64) // 2
    assert np.array_equal(tiled[:, left : left + 64], one)
