"""Contact sheets and sweeps of the gallery, as pixels [H, W, C] of rows, columns and colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]

WIDTH_PX, GAP_PX, LABEL_PX, CAPTION_PX = 1500, 6, 132, 24
TALLEST_PX = 300
"""Of a frame in a sheet: portraits get narrower ones."""
GROUND, INK, FAINT = (12, 12, 14), (225, 225, 225), (140, 140, 145)
JPEG_QUALITY = 88


@dataclass(frozen=True, slots=True)
class SweptControl:
    """A control and what its values show."""

    name: str
    default: float
    values: Sequence[float]
    frames: Sequence[Pixels]


def moments_sheet(rows: Sequence[tuple[str, Sequence[Pixels]]], times_s: Sequence[float]) -> Pixels:
    """Return rows of frames with their names on the left and times below."""
    captions = [[""] * len(times_s)] * (len(rows) - 1) + [[f"{time_s:.1f} s" for time_s in times_s]]
    # One size for all, so that a clip of another size is compared at the model's.
    shape = rows[-1][1][0].shape
    return _grid([((name, ""), frames, below) for (name, frames), below in zip(rows, captions, strict=True)], shape)


def controls_sheet(swept: Sequence[SweptControl]) -> Pixels:
    """Return a row for each control, with its values below."""
    rows = [
        ((one.name, f"default {one.default:.3g}"), one.frames, [f"{value:.3g}" for value in one.values])
        for one in swept
    ]
    return _grid(rows, swept[0].frames[0].shape)


def write_sheet(path: Path, sheet: Pixels) -> None:
    """Write a sheet as a JPEG."""
    Image.fromarray(sheet).save(path, quality=JPEG_QUALITY, subsampling=0, optimize=True)


def _grid(rows: Sequence[tuple[tuple[str, str], Sequence[Pixels], Sequence[str]]], shape: tuple[int, ...]) -> Pixels:
    columns = max(len(frames) for _, frames, _ in rows)
    width = (WIDTH_PX - LABEL_PX - (columns + 1) * GAP_PX) // columns
    scale = min(width / shape[1], TALLEST_PX / shape[0])
    width, height = round(shape[1] * scale), round(shape[0] * scale)
    heights = [height + (CAPTION_PX if any(captions) else GAP_PX) for _, _, captions in rows]
    size = (LABEL_PX + columns * (width + GAP_PX), GAP_PX + sum(heights))
    sheet = Image.new("RGB", size, GROUND)
    draw, font, small = ImageDraw.Draw(sheet), ImageFont.load_default(18), ImageFont.load_default(14)
    top = GAP_PX
    for ((name, below), frames, captions), row_height in zip(rows, heights, strict=True):
        middle = top + height // 2
        draw.text((12, middle - (11 if below else 0)), name, INK, font, anchor="lm")
        draw.text((12, middle + 12), below, FAINT, small, anchor="lm")
        for column, (pixels_HWC, caption) in enumerate(zip(frames, captions, strict=True)):
            left = LABEL_PX + column * (width + GAP_PX)
            sheet.paste(Image.fromarray(pixels_HWC).resize((width, height), Image.Resampling.LANCZOS), (left, top))
            draw.text((left + width // 2, top + height + CAPTION_PX // 2), caption, FAINT, small, anchor="mm")
        top += row_height
    return np.asarray(sheet)
