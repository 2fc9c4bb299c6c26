"""Small films of colour patches as cameras and editors store them, made from the formulas of the standards and real encoders."""

# PyAV's types are incomplete.
# pyright: basic

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

# P patches, N values, H W rows and columns, 3 colours

PATCHES_P3 = np.array(
    [
        (255, 255, 255),
        (128, 128, 128),
        (200, 30, 30),
        (30, 180, 40),
        (20, 30, 220),
        (250, 240, 10),
        (90, 60, 120),
        (0, 0, 0),
    ]
)
PATCH_WIDTH, HEIGHT, FRAMES, FPS = 160, 64, 6, 25
LUMA = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114), "bt2020": (0.2627, 0.0593)}
"""Weights of red and blue."""
TAGS = {"bt709": 1, "bt601": 6, "bt2020": 9, "p3": 12, "": 2}
"""Of matrices and primaries; the empty one says that it is not told."""
CURVE_TAGS = {"bt709": 1, "bt2020": 14, "srgb": 13, "pq": 16, "hlg": 18, "": 2}
BT709_TO_33 = {
    "bt2020": np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]),
    "p3": np.array([[0.8225, 0.1775, 0.0], [0.0332, 0.9668, 0.0], [0.0171, 0.0724, 0.9105]]),
}
"""From linear BT.709, by the chromaticities of the standards, to four digits."""
WHITE_NITS = 203.0


@dataclass(frozen=True, kw_only=True)
class Film:
    """How a film stores its colours; one that is not `tagged` does not say so."""

    name: str
    matrix: str = "bt709"
    full_range: bool = False
    primaries: str = ""
    curve: str = ""
    pixel_format: str = "yuv420p"
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=dict)
    tagged: bool = True
    suffix: str = ".mkv"


def write_patches(path: Path, film: Film, patch_width: int = PATCH_WIDTH) -> Path:
    """Write the patches, side by side, as a film of a few frames without sound."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(film.codec, rate=FPS, options=film.options)
        stream.width, stream.height, stream.pix_fmt = patch_width * len(PATCHES_P3), HEIGHT, film.pixel_format
        frame = _frame(film, patch_width)
        if film.tagged:
            codec = stream.codec_context
            codec.colorspace, codec.color_primaries = TAGS[film.matrix], TAGS[film.primaries]
            codec.color_trc, codec.color_range = CURVE_TAGS[film.curve], 2 if film.full_range else 1
            frame.colorspace, frame.color_range = TAGS[film.matrix], 2 if film.full_range else 1
            frame.color_primaries, frame.color_trc = TAGS[film.primaries], CURVE_TAGS[film.curve]
        for index in range(FRAMES):
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def errors_P(pixels_HW3: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the largest error, in levels, in the inside of each patch [P]; their borders are blurred by subsampled chroma."""
    height, patch = pixels_HW3.shape[0], pixels_HW3.shape[1] / len(PATCHES_P3)
    found = []
    for number, expected_3 in enumerate(PATCHES_P3):
        left, right = (round((number + at) * patch) for at in (0.2, 0.8))
        inside = pixels_HW3[height // 4 : -height // 4, left:right].astype(int)
        found.append(np.abs(inside - expected_3).max())
    return np.array(found)


def _frame(film: Film, patch_width: int) -> av.VideoFrame:
    frame = av.VideoFrame(patch_width * len(PATCHES_P3), HEIGHT, film.pixel_format)
    bits = frame.format.components[0].bits
    values_P3 = _signal(film)
    if frame.format.is_rgb:
        _fill(frame, np.rint(values_P3 * 255)[:, [1, 2, 0]])  # planes are green, blue, red
        return frame
    kr, kb = LUMA[film.matrix]
    red_P, green_P, blue_P = values_P3.T
    luma_P = kr * red_P + (1.0 - kr - kb) * green_P + kb * blue_P
    chroma_P2 = np.stack([(blue_P - luma_P) / (2 - 2 * kb), (red_P - luma_P) / (2 - 2 * kr)], axis=1)
    top, step = (1 << bits) - 1, 1 << (bits - 8)
    if film.full_range:
        codes = np.column_stack([luma_P * top, chroma_P2 * top + (top + 1) / 2])
    else:
        codes = np.column_stack([(219 * luma_P + 16) * step, (224 * chroma_P2 + 128) * step])
    _fill(frame, np.clip(np.rint(codes), 0, top))
    return frame


def _fill(frame: av.VideoFrame, codes_P3: NDArray[np.float64]) -> None:
    wide = frame.format.components[0].bits > 8
    for plane, codes_P in zip(frame.planes, codes_P3.T, strict=True):
        kind = np.dtype("<u2") if wide else np.dtype("u1")
        rows = np.zeros((plane.height, plane.line_size // kind.itemsize), kind)
        rows[:, : plane.width] = np.repeat(codes_P, plane.width // len(codes_P)).astype(kind)
        plane.update(rows.tobytes())


def _signal(film: Film) -> NDArray[np.float64]:
    """Return the patches as this film codes them, [P, 3] from 0 to 1."""
    coded_P3 = PATCHES_P3 / 255.0
    if film.primaries not in BT709_TO_33:
        return coded_P3
    to_light, from_light = _curves(film.curve)
    return from_light(to_light(coded_P3) @ BT709_TO_33[film.primaries].T)


def _curves(curve: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Return the curve of the wanted levels, to light, and that of the film, from light."""

    def srgb_to_light(code: Any) -> Any:
        return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)

    def srgb_from_light(light: Any) -> Any:
        return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)

    def camera_to_light(code: Any) -> Any:
        return np.where(code < 0.081, code / 4.5, ((code + 0.099) / 1.099) ** (1 / 0.45))

    def camera_from_light(light: Any) -> Any:
        return np.where(light < 0.018, 4.5 * light, 1.099 * np.maximum(light, 0) ** 0.45 - 0.099)

    def pq_from_light(light: Any) -> Any:
        power = (light * WHITE_NITS / 10000) ** (2610 / 16384)
        return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)

    def hlg_from_light(light: Any) -> Any:
        shown = light * WHITE_NITS / 1000
        luminance = np.maximum(shown @ [0.2627, 0.678, 0.0593], 1e-6)[:, None]
        scene = shown * luminance ** (1 / 1.2 - 1)
        high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        return np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)

    return {
        "srgb": (srgb_to_light, srgb_from_light),
        "pq": (srgb_to_light, pq_from_light),
        "hlg": (srgb_to_light, hlg_from_light),
    }.get(curve, (camera_to_light, camera_from_light))
