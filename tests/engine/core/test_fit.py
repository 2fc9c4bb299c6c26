"""Frames in other sizes: inside with black bars, or over all of it with the edges cropped."""

from __future__ import annotations

import numpy as np

from engine.core.fit import cover, crop_to_shape, fit_inside, place_inside


def test_the_middle_of_a_frame_has_another_shape() -> None:
    pixels_HWC = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    assert crop_to_shape(pixels_HWC, 640, 640) is pixels_HWC
    assert np.array_equal(crop_to_shape(pixels_HWC, 1280, 640), pixels_HWC[2:6])
    assert np.array_equal(crop_to_shape(pixels_HWC, 320, 640), pixels_HWC[:, 2:6])
    assert crop_to_shape(pixels_HWC, 10_000, 1).shape == (1, 8, 3)


def test_a_frame_lies_in_the_middle_of_a_field() -> None:
    assert place_inside(128, 128, 1280, 800) == (240, 0, 800, 800)
    assert place_inside(200, 100, 100, 100) == (0, 25, 100, 50)
    assert place_inside(4000, 1, 10, 10) == (0, 4, 10, 1)


def test_a_frame_of_another_shape_gets_black_bars() -> None:
    pixels_HWC = np.full((24, 32, 3), 200, np.uint8)
    assert fit_inside(pixels_HWC, 32, 24) is pixels_HWC
    for finely in (False, True):
        wide_HWC = fit_inside(pixels_HWC, 128, 48, finely=finely)
        assert wide_HWC.shape == (48, 128, 3)
        assert not wide_HWC[:, :32].any()
        assert not wide_HWC[:, 96:].any()
        assert (wide_HWC[:, 32:96] == 200).all()
        assert fit_inside(pixels_HWC, 16, 12, finely=finely).shape == (12, 16, 3)


def test_a_frame_covers_another_size_without_being_distorted() -> None:
    wide_HWC = np.zeros((10, 40, 3), np.uint8)
    wide_HWC[:, 15:25] = 200
    assert cover(wide_HWC, 10, 10).min() == 200
    assert cover(wide_HWC, 40, 10) is wide_HWC
    assert cover(wide_HWC, 64, 48).shape == (48, 64, 3)
    tall_HWC = np.zeros((40, 10, 3), np.uint8)
    tall_HWC[18:22] = 200
    assert cover(tall_HWC, 20, 8).min() == 200
    assert cover(np.full((1, 1, 3), 7, np.uint8), 5, 3).tolist() == np.full((3, 5, 3), 7).tolist()
