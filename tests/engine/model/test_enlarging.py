"""Fields at the size of the frame: each strip is what OpenCV's enlarging gives there."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.model.enlarging import Enlarger


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 3), (24, 43), (72, 128)])
@pytest.mark.parametrize(("height", "width"), [(72, 128), (50, 1280), (720, 1280)])
def test_strips_together_are_the_enlarged_field(rows: int, columns: int, height: int, width: int) -> None:
    field_Chw = np.random.default_rng(1).uniform(-1.0, 1.0, (3, rows, columns)).astype(np.float32)
    enlarger = Enlarger(height, width)
    field, scratch = enlarger.enlarged(field_Chw, 3), np.empty((height, 3 * width), np.float32)
    enlarged_HWC = np.concatenate([field.strip(strip, scratch).copy() for strip in enlarger.strips])
    expected_HWC = cv2.resize(np.ascontiguousarray(field_Chw.transpose(1, 2, 0)), (width, height))
    np.testing.assert_allclose(enlarged_HWC.reshape(height, width, 3), expected_HWC, atol=1e-5)


def test_one_channel_becomes_as_many_as_are_asked_for() -> None:
    enlarger = Enlarger(8, 8)
    field = enlarger.enlarged(np.full((1, 2, 2), 0.25, np.float32), 3)
    assert (field.strip(enlarger.strips[0], np.empty((8, 24), np.float32)) == 0.25).all()


def test_without_flow_each_pixel_lies_at_its_own_place() -> None:
    enlarger, scratch = Enlarger(40, 30), np.empty((40, 60), np.float32)
    places = enlarger.places(np.zeros((2, 5, 4), np.float32), (80, 60, 3))
    places_HW2 = np.concatenate([places.strip(strip, scratch).copy() for strip in enlarger.strips]).reshape(40, 30, 2)
    down_H, right_W = (np.arange(40) + 0.5) * 2.0 - 0.5, (np.arange(30) + 0.5) * 2.0 - 0.5
    np.testing.assert_allclose(places_HW2[..., 0], np.broadcast_to(right_W, (40, 30)), atol=1e-4)
    np.testing.assert_allclose(places_HW2[..., 1], np.broadcast_to(down_H[:, None], (40, 30)), atol=1e-4)


def test_the_most_of_a_strip_is_never_less_than_what_is_in_it() -> None:
    field_Chw = np.random.default_rng(2).uniform(-1.0, 1.0, (1, 30, 4)).astype(np.float32)
    enlarger, scratch = Enlarger(600, 640), np.empty((600, 640), np.float32)
    field = enlarger.enlarged(field_Chw, 1)
    assert len(enlarger.strips) > 3
    for strip in enlarger.strips:
        found = np.abs(field.strip(strip, scratch)).max()
        assert found - 1e-6 <= field.most(strip) <= 1.0
