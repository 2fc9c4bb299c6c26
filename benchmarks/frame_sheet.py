"""A contact sheet: frames of the clip above those of each model, at the same moments."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.clip_part import at_size

# T frames, H W rows and columns, C colours

COLUMNS, CELL_WIDTH, GAP, LABEL_HEIGHT = 6, 400, 4, 28
Row = tuple[str, NDArray[np.uint8]]
"""Its label and the frames [T, H, W, C] that it shows; the frames of different rows may differ in size."""


def spread(frames_THWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return frames spread evenly over a part, as many as a row shows."""
    return frames_THWC[np.linspace(0, len(frames_THWC) - 1, COLUMNS).round().astype(int)]


def sheet(rows: Sequence[Row]) -> NDArray[np.uint8]:
    """Return an image with the frames of each row below its label, no larger than they are."""
    cell_width = min(CELL_WIDTH, *(frames_THWC.shape[2] for _, frames_THWC in rows))
    return np.concatenate([_strip(label, frames_THWC, cell_width) for label, frames_THWC in rows])


def _strip(label: str, frames_THWC: NDArray[np.uint8], cell_width: int) -> NDArray[np.uint8]:
    height, width = frames_THWC.shape[1:3]
    cell_height = max(1, round(cell_width * height / width))
    gap_HWC = np.zeros((cell_height, GAP, 3), np.uint8)
    cells: list[NDArray[np.uint8]] = []
    for frame_HWC in frames_THWC:
        cells += [at_size(frame_HWC, cell_height, cell_width), gap_HWC]
    strip_HWC = np.concatenate(cells[:-1], axis=1)
    label_HWC = np.zeros((LABEL_HEIGHT, strip_HWC.shape[1], 3), np.uint8)
    cv2.putText(label_HWC, label, (4, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (235, 235, 235), 1, cv2.LINE_AA)
    return np.concatenate([label_HWC, strip_HWC])
