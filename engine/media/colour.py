"""The colours of decoded frames: from what a codec stores to 8-bit RGB in BT.709, as a good player shows it."""

from __future__ import annotations

from typing import Any, NamedTuple

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from engine.core.errors import MediaError
from engine.media.tone_mapping import ToneMapping, mapping_for

# H W rows and columns, C colours

MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
"""By the tag of a frame (ISO/IEC 23091-2)."""
FOREIGN_MATRICES = {8: "YCgCo", 14: "ICtCp", 15: "IPT", 16: "YCgCo", 17: "YCgCo"}
HD_WIDTH, SD_HEIGHT = 1280, 576
LIMITED_GREY_CODECS = {"h264", "hevc", "vvc", "av1", "vp9", "mpeg2video"}
"""Where grey without a tag is limited, as their colours are; elsewhere it is full, as in images."""
ACCURATE = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""Without these, rounding and doubled chroma columns cost up to three levels."""


class Colours(NamedTuple):
    """How the numbers of a frame become RGB."""

    matrix: int
    """Of `Colorspace`."""
    full_range: bool
    mapping: ToneMapping | None


def colours_of(frame: av.VideoFrame, codec: str) -> Colours:
    """Return a frame's colours by its tags; what is not tagged is as players assume it.

    Raises MediaError for colours that the conversion does not know.
    """
    if frame.colorspace in FOREIGN_MATRICES and not frame.format.is_rgb:
        raise MediaError(
            f"The video is stored as {FOREIGN_MATRICES[frame.colorspace]}, which is not converted here; convert the film "
            "with: ffmpeg -i FILE -vf format=gbrp,format=yuv420p converted.mp4"
        )
    mapping = mapping_for(frame.color_primaries, frame.color_trc)
    matrix, full_range = _matrix(frame, mapping), _full_range(frame, codec)
    if mapping is not None:
        # FFmpeg widens to 16 bits by zeros: white is 255 * 256 in limited range, and the highest number of the stored bits in full range.
        bits = max(component.bits for component in frame.format.components) if full_range else 8
        mapping = mapping._replace(white_code=(1 << 16) - (1 << 16 - min(bits, 16)))
    return Colours(int(matrix), full_range, mapping)


def _matrix(frame: av.VideoFrame, mapping: ToneMapping | None) -> Colorspace:
    tagged = MATRICES.get(frame.colorspace)
    if tagged is not None:
        return tagged
    if mapping is not None and mapping.is_hdr:
        return Colorspace.BT2020
    # HD without a tag is BT.709, SD is BT.601; films for cinemas have HD's width and fewer lines.
    return Colorspace.ITU709 if frame.width >= HD_WIDTH or frame.height > SD_HEIGHT else Colorspace.ITU601


def _full_range(frame: av.VideoFrame, codec: str) -> bool:
    name = frame.format.name
    if name.startswith("yuvj"):
        return True
    if frame.color_range != ColorRange.UNSPECIFIED:
        return frame.color_range == ColorRange.JPEG
    if name.startswith(("gray", "ya")):
        return codec not in LIMITED_GREY_CODECS
    return frame.format.is_rgb or frame.format.has_palette


class ColourConverter:
    """Converts frames; keeps what FFmpeg prepared for the last kind of frame."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def to_rgb(self, frame: av.VideoFrame, colours: Colours, width: int, height: int) -> NDArray[np.uint8]:
        """Return the frame [height, width, 3], resized by area, or by cubic splines where it grows; black shows through alpha."""
        if _has_alpha(frame):
            # Colours hidden by alpha must not leak into their neighbours, so alpha comes before the resizing.
            rgba_HW4 = self._converted(frame, colours, frame.width, frame.height, "rgba")
            return _resized(_on_black(rgba_HW4), width, height)
        if colours.mapping is None:
            return self._converted(frame, colours, width, height, "rgb24")
        return colours.mapping.apply(self._converted(frame, colours, width, height, "gbrp16le"))

    def _converted(self, frame: av.VideoFrame, colours: Colours, width: int, height: int, name: str) -> NDArray[Any]:
        shrinks = width <= frame.width and height <= frame.height
        rgb = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format=name,
            src_colorspace=colours.matrix,
            dst_colorspace=colours.matrix,
            interpolation=(Interpolation.AREA if shrinks else Interpolation.BICUBIC) | ACCURATE,
            src_color_range=ColorRange.JPEG if colours.full_range else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        return rgb.to_ndarray()


def _has_alpha(frame: av.VideoFrame) -> bool:
    return frame.format.has_palette or any(component.is_alpha for component in frame.format.components)


def _on_black(rgba_HW4: NDArray[np.uint8]) -> NDArray[np.uint8]:
    opaque_HW1 = rgba_HW4[..., 3:].astype(np.uint16)
    return ((rgba_HW4[..., :3] * opaque_HW1 + 127) // 255).astype(np.uint8)


def _resized(pixels_HWC: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    shrinks = width <= pixels_HWC.shape[1] and height <= pixels_HWC.shape[0]
    kernel = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels_HWC, (width, height), interpolation=kernel), np.uint8)
