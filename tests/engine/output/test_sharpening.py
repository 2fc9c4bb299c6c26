"""Sharpening of enlarged frames."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.fit import fit_inside, resize
from engine.output.sharpening import fit_sharpened, reach_px, sharpened
from engine.render.effects.flash_guard import GENERAL_CHANGE
from engine.render.effects.luminance import measure_light


def edge(width: int = 24, dark: int = 60, bright: int = 190) -> np.ndarray:
    pixels_HWC = np.full((16, width, 3), dark, np.uint8)
    pixels_HWC[:, width // 2 :] = bright
    return pixels_HWC


def test_neighbours_are_most_of_an_old_pixel_away() -> None:
    assert [reach_px(256, width) for width in (100, 256, 512, 1080, 2048)] == [0, 1, 2, 3, 6]


def test_without_strength_or_enlarging_the_same_array_comes_back() -> None:
    pixels_HWC = edge()
    assert sharpened(pixels_HWC, 0.0, 2) is pixels_HWC
    assert sharpened(pixels_HWC, 1.0, 0) is pixels_HWC


def test_edges_become_steeper_and_have_no_rims() -> None:
    enlarged = resize(edge(), 24 * 8, 16 * 8)
    sharp = sharpened(enlarged, 1.0, reach_px(24, 24 * 8))
    steepest = [np.abs(np.diff(pixels[64, :, 0].astype(int))).max() for pixels in (enlarged, sharp)]
    assert steepest[1] > 1.4 * steepest[0]
    assert (sharp.min(), sharp.max()) == (enlarged.min(), enlarged.max())
    assert np.array_equal(sharp[:, :60], enlarged[:, :60]), "flat parts stay as they are"


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_the_flash_guard_measures_the_same_with_and_without(strength: float) -> None:
    noise_HWC = np.random.default_rng(1).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    enlarged = resize(noise_HWC, 768, 768)
    before, after = measure_light(enlarged), measure_light(sharpened(enlarged, strength, reach_px(256, 768)))
    # Noise of full contrast is the worst that a frame can have, and even there it is no change that counts.
    assert np.abs(before.luminance_GG - after.luminance_GG).max() < GENERAL_CHANGE


def test_only_the_frame_is_sharpened_and_not_what_is_around_it() -> None:
    pixels_HWC = edge()
    fitted = fit_sharpened(pixels_HWC, 320, 160, 1.0, finely=True)
    assert np.array_equal(
        fit_sharpened(pixels_HWC, 320, 160, 0.0, finely=True), fit_inside(pixels_HWC, 320, 160, finely=True)
    )
    assert fitted.shape == (160, 320, 3)
    assert not fitted[:, :40].any()
    assert not fitted[:, 280:].any()
    assert fitted[80, 45, 0] >= 55
