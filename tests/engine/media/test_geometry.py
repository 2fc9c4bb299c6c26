"""The shape of frames: the eight orientations, pixels that are not square, and crops in displayed pixels."""

import struct
from fractions import Fraction

import numpy as np
import pytest

from engine.media.geometry import Box, Geometry, Orientation, centred_box, orientation_of, pixel_aspect

ONE = 1 << 16
STORED_HWC = np.arange(3 * 5 * 3, dtype=np.uint8).reshape(3, 5, 3)


def matrix(a: int, b: int, c: int, d: int) -> bytes:
    return struct.pack("=9i", a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30)


@pytest.mark.parametrize(
    ("numbers", "displayed"),
    [
        ((1, 0, 0, 1), STORED_HWC),
        ((-1, 0, 0, 1), STORED_HWC[:, ::-1]),
        ((1, 0, 0, -1), STORED_HWC[::-1]),
        ((-1, 0, 0, -1), np.rot90(STORED_HWC, 2)),
        # x' = c y: the first row becomes the last column of a film turned to the right.
        ((0, 1, -1, 0), np.rot90(STORED_HWC, -1)),
        ((0, -1, 1, 0), np.rot90(STORED_HWC, 1)),
        ((0, 1, 1, 0), STORED_HWC.swapaxes(0, 1)),
        ((0, -1, -1, 0), np.rot90(STORED_HWC, 2).swapaxes(0, 1)),
    ],
)
def test_a_display_matrix_turns_and_mirrors(numbers: tuple[int, int, int, int], displayed: np.ndarray) -> None:
    assert np.array_equal(orientation_of(matrix(*numbers)).upright(STORED_HWC), displayed)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("mirrored_x", [False, True])
@pytest.mark.parametrize("mirrored_y", [False, True])
def test_a_crop_is_given_in_displayed_pixels(transposed: bool, mirrored_x: bool, mirrored_y: bool) -> None:
    geometry = Geometry(5, 3, Orientation(transposed, mirrored_x, mirrored_y))
    shown_HWC = geometry.orientation.upright(STORED_HWC)
    assert geometry.shown_size() == shown_HWC.shape[1::-1]
    box = Box(1, 0, 2, 2)
    stored = geometry.stored_box(box)
    cut_HWC = STORED_HWC[stored.y : stored.y + stored.height, stored.x : stored.x + stored.width]
    assert np.array_equal(geometry.orientation.upright(cut_HWC), shown_HWC[:2, 1:3])


def test_pixels_that_are_not_square_are_stretched() -> None:
    film = Geometry(720, 576, pixel_aspect=Fraction(64, 45))
    assert film.shown_size() == (1024, 576)
    assert film.stored_box(Box(0, 0, 1024, 576)) == Box(0, 0, 720, 576)
    assert film.stored_box(centred_box(1024, 576)) in (Box(158, 0, 405, 576), Box(158, 0, 404, 576))
    turned = Geometry(720, 576, Orientation(transposed=True), Fraction(64, 45))
    assert turned.shown_size() == (576, 1024)
    assert turned.stored_box(Box(0, 1000, 576, 24)) == Box(703, 0, 17, 576)


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        (Fraction(1), Box(280, 0, 720, 720)),
        (Fraction(16, 9), Box(0, 0, 1280, 720)),
        (Fraction(9, 16), Box(437, 0, 405, 720)),
        (Fraction(8), Box(0, 280, 1280, 160)),
    ],
)
def test_the_largest_centred_box_of_a_shape(shape: Fraction, box: Box) -> None:
    assert centred_box(1280, 720, shape) == box


def test_a_tag_that_cannot_be_true_is_ignored() -> None:
    assert [pixel_aspect(tag) for tag in (None, Fraction(0), Fraction(1, 1000), Fraction(4, 3))] == [
        1,
        1,
        1,
        Fraction(4, 3),
    ]
    assert orientation_of(None) == orientation_of(b"short") == Orientation()


def test_a_box_knows_whether_it_lies_in_a_frame() -> None:
    assert Box(0, 0, 4, 3).inside(4, 3)
    for outside in (Box(-1, 0, 2, 2), Box(3, 0, 2, 2), Box(0, 2, 1, 2), Box(0, 0, 0, 1)):
        assert not outside.inside(4, 3)
