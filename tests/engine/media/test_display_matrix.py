"""Photos as phones write them: EXIF beside the frame, and the frame laid down as EXIF says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from engine.media.frame_reader import FrameReader

MAKE, ORIENTATION = 271, 274
INSIDE = slice(12, None, 24)
"""Rows or columns in the middle of a colour: a codec mixes colours where they meet."""


def photo(path: Path, orientation: int) -> Path:
    """Write four colours, none of which can be taken for another after a turn or in a mirror."""
    pixels_HWC = np.zeros((48, 96, 3), np.uint8)
    pixels_HWC[:24, :48], pixels_HWC[:24, 48:] = (250, 10, 10), (10, 250, 10)
    pixels_HWC[24:, :48], pixels_HWC[24:, 48:] = (10, 10, 250), (250, 250, 250)
    exif = Image.Exif()
    exif[MAKE], exif[ORIENTATION] = "Camera", orientation
    Image.fromarray(pixels_HWC).save(path, exif=exif, quality=95)
    return path


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_laid_down_as_its_exif_says(orientation: int, ending: str, tmp_path: Path) -> None:
    path = photo(tmp_path / f"photo.{ending}", orientation)
    reader = FrameReader(path)
    (frame,) = reader.frames()
    expected_HWC = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    shown_HWC = frame.shown.pixels_HWC()
    assert shown_HWC.shape == expected_HWC.shape
    np.testing.assert_allclose(shown_HWC[INSIDE, INSIDE], expected_HWC[INSIDE, INSIDE], atol=12)
    assert reader.notices() == []
