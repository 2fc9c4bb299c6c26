"""JPEGs that break off, by their own segments: not by those of a thumbnail, nor by what lies behind the end."""

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from engine.media.frame_reader import FrameReader
from engine.media.jpeg_end import is_cut_off

PIXELS = np.random.default_rng(1).integers(0, 256, (64, 96, 3)).astype(np.uint8)


def jpeg(*, is_progressive: bool = False, has_thumbnail: bool = False) -> bytes:
    stored = BytesIO()
    Image.fromarray(PIXELS).save(stored, "JPEG", progressive=is_progressive)
    content = stored.getvalue()
    if not has_thumbnail:
        return content
    _, small = cv2.imencode(".jpg", PIXELS[:16, :16])
    segment = b"Exif\0\0" + small.tobytes()
    return content[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + content[2:]


@pytest.mark.parametrize("is_progressive", [False, True])
@pytest.mark.parametrize("has_thumbnail", [False, True])
def test_a_photo_that_breaks_off(is_progressive: bool, has_thumbnail: bool) -> None:
    whole = jpeg(is_progressive=is_progressive, has_thumbnail=has_thumbnail)
    assert not is_cut_off(whole)
    assert is_cut_off(whole[: len(whole) * 3 // 4])
    # Telephones put a film behind the photo.
    assert not is_cut_off(whole + b"\xff\xda" + PIXELS.tobytes())


@pytest.mark.parametrize(
    "stored", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\x00", b"\xff\xd8\xff\xe0\xff\xff", b"text"]
)
def test_what_has_no_scan_is_left_to_the_decoder(stored: bytes) -> None:
    assert not is_cut_off(stored)


def test_a_photo_and_a_film_that_break_off_are_told(tmp_path: Path) -> None:
    content = jpeg()
    for name, stored in (("whole.jpg", content), ("cut.jpg", content[: len(content) // 2])):
        (tmp_path / name).write_bytes(stored)
    whole, cut = FrameReader(tmp_path / "whole.jpg"), FrameReader(tmp_path / "cut.jpg")
    assert [len(list(reader.frames())) for reader in (whole, cut)] == [1, 1]
    assert whole.notices() == []
    assert cut.notices() == [
        "cut.jpg is damaged: a frame of it is incomplete, so parts are grey, coarse or smeared. Give another copy."
    ]
