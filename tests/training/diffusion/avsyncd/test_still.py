"""The still: its middle, in the shape of the model."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.core.errors import MediaError
from tests.training.clips import write_wav
from training.diffusion.avsyncd.still import fitted, read_still


def columns(*values: int) -> np.ndarray:
    """A row of pixels in these brightnesses, four rows high."""
    return np.repeat(np.repeat(np.array(values, np.uint8)[None, :, None], 4, axis=0), 3, axis=2)


def test_a_wide_still_loses_its_sides() -> None:
    assert fitted(columns(1, 2, 3, 4, 5, 6, 7, 8), 4, 4)[0, :, 0].tolist() == [3, 4, 5, 6]


def test_a_high_still_loses_top_and_bottom() -> None:
    high = columns(1, 2, 3, 4, 5, 6, 7, 8).transpose(1, 0, 2)
    assert fitted(high, 4, 4)[:, 0, 0].tolist() == [3, 4, 5, 6]


def test_a_wide_shape_is_cut_of_a_square() -> None:
    square = np.arange(64, dtype=np.uint8).reshape(8, 8, 1).repeat(3, axis=2)
    assert np.array_equal(fitted(square, 8, 4), square[2:6])


def test_a_smaller_still_is_the_mean_of_its_pixels() -> None:
    """Antialiased: a checkerboard becomes grey, except beside the edges."""
    board = (255 * (np.indices((64, 64)).sum(axis=0) % 2)).astype(np.uint8)[:, :, None].repeat(3, axis=2)
    small = fitted(board, 8, 8)
    assert np.abs(small[1:-1, 1:-1].astype(int) - 128).max() <= 3


def test_one_pixel_becomes_a_frame() -> None:
    assert (fitted(np.full((1, 1, 3), 7, np.uint8), 16, 8) == 7).all()


def test_a_file_is_read_in_rgb(tmp_path: Path) -> None:
    file = tmp_path / "red.png"
    cv2.imwrite(str(file), np.full((8, 8, 3), (0, 0, 255), np.uint8))
    assert read_still(file, 4, 4)[2, 2].tolist() == [255, 0, 0]


def test_what_is_no_image_is_refused_and_an_image_asked_for(tmp_path: Path) -> None:
    words = tmp_path / "words.jpg"
    words.write_text("no frame")
    sound = write_wav(tmp_path / "song.wav", np.zeros(1600, np.float32))
    for file in (words, sound):
        with pytest.raises(MediaError, match=rf"{file.name} is no image that can be read; give --image a photograph"):
            read_still(file, 4, 4)
    with pytest.raises(MediaError, match=r"There is no file .*gone\.png; give --image a photograph"):
        read_still(tmp_path / "gone.png", 4, 4)
