"""Colours of decoded frames: matrices, ranges, depths, HDR, primaries, alpha, and what no tag tells."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from benchmarks.colour_patches import Film, errors_P, write_patches
from benchmarks.colours import FILMS
from engine.core.errors import MediaError
from engine.media.frame_reader import FrameReader
from engine.media.geometry import Box


@pytest.mark.parametrize("film", FILMS, ids=[film.name for film in FILMS])
def test_patches_keep_their_colours(tmp_path: Path, film: Film) -> None:
    shown = next(FrameReader(write_patches(tmp_path / f"film{film.suffix}", film)).frames()).shown
    for pixels_HW3 in (shown.pixels_HWC(), shown.resized_HWC(Box(0, 0, *shown.size), 320, 16)):
        found_P = errors_P(pixels_HW3)
        assert found_P[0] <= (6 if film.curve in ("hlg", "pq") else 3)
        assert found_P[1:].max() <= 3


def solid(path: Path, codec: str, pixel_format: str, rgba: tuple[int, int, int, int], size: tuple[int, int]) -> Path:
    """Write a few frames of one colour with alpha."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        pixels_HW4 = np.full((size[1], size[0], 4), rgba, np.uint8)
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels_HW4, format="rgba")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("codec", "pixel_format", "suffix"),
    [
        ("png", "rgba", "mov"),
        ("qtrle", "argb", "mov"),
        ("prores_ks", "yuva444p10le", "mov"),
        ("ffv1", "yuva420p", "mkv"),
    ],
)
def test_black_shows_through_alpha(tmp_path: Path, codec: str, pixel_format: str, suffix: str) -> None:
    path = solid(tmp_path / f"half.{suffix}", codec, pixel_format, (200, 100, 40, 128), (64, 48))
    pixels_HWC = next(FrameReader(path).frames()).shown.pixels_HWC()
    assert np.abs(pixels_HWC.astype(int) - (100, 50, 20)).max() <= 3


def test_sd_without_a_tag_is_bt601(tmp_path: Path) -> None:
    narrow = write_patches(
        tmp_path / "sd.mkv", Film(name="", matrix="bt601", tagged=False, codec="ffv1"), patch_width=80
    )
    wide = write_patches(tmp_path / "hd.mkv", Film(name="", matrix="bt601", tagged=False, codec="ffv1"))
    errors = [errors_P(next(FrameReader(path).frames()).shown.pixels_HWC()).max() for path in (narrow, wide)]
    assert errors[0] <= 3
    assert errors[1] > 10


def test_bright_light_keeps_its_hue_and_its_order() -> None:
    from engine.media.tone_mapping import mapping_for

    mapping = mapping_for(9, 16)
    assert mapping is not None
    ramp_1N3 = np.zeros((1, 64, 3), np.uint16)
    ramp_1N3[..., 0] = np.linspace(0, 65535, 64)
    grey_1N3 = np.repeat(ramp_1N3[..., :1], 3, axis=2)
    red_N, grey_N3 = mapping.apply(ramp_1N3)[0, :, 0].astype(int), mapping.apply(grey_1N3)[0].astype(int)
    assert (np.diff(red_N) >= 0).all()
    assert (np.diff(grey_N3[:, 0]) >= 0).all()
    assert np.ptp(grey_N3, axis=1).max() <= 1


def test_unknown_matrices_are_named(tmp_path: Path) -> None:
    path = tmp_path / "ycgco.mkv"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv444p"
        stream.codec_context.colorspace = 8
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode())
    with pytest.raises(MediaError, match=r"stored as YCgCo.*convert the film with"):
        next(FrameReader(path).frames())
