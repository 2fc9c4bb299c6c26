"""Frames as JPEGs for the preview, in few sizes, so that viewers who ask for nearly the same share one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.core.fit import resize

# H W C rows, columns, channels of pixels

WIDTHS = (128, 192, 256, 320, 384, 512, 640, 768, 960, 1280, 1600, 1920)
"""The widths that there are; a frame is never enlarged, since every browser does that as well."""
QUALITIES = ((320, 85), (640, 80), (1920, 70))
"""JPEG quality up to each width. The larger a frame is, the less its blocks are seen, and the more it weighs."""


def preview_width(asked: int) -> int:
    """Return the width for a viewer who asked for `asked` columns: the next larger one that there is."""
    return next((width for width in WIDTHS if width >= asked), WIDTHS[-1])


def encode_jpeg(pixels_HWC: NDArray[np.uint8], width: int) -> bytes:
    """Return RGB pixels as a JPEG of at most `width` columns."""
    import cv2

    rows, columns, _ = pixels_HWC.shape
    if columns > width:
        pixels_HWC = resize(pixels_HWC, width, max(1, round(rows * width / columns)))
    shown_width = min(columns, width)
    quality = next((quality for most, quality in QUALITIES if shown_width <= most), QUALITIES[-1][1])
    bgr_HWC = cv2.cvtColor(pixels_HWC, cv2.COLOR_RGB2BGR)
    encoded, jpeg = cv2.imencode(".jpg", bgr_HWC, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert encoded, "pixels of any size can be a JPEG"
    return jpeg.tobytes()
