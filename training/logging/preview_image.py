"""The preview of a run: an image file that is renewed every minute, the clip's frames above the model's."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.logging.samples import contact_sheet, write_png
from training.loop.validation import Validation

# H W rows and columns, C colours

PREVIEW_FILE = "preview.png"
FIRST_AFTER_S, EVERY_S = 15.0, 60.0
DEAREST_SHARE = 0.05
"""Of the training time: where a preview takes long, the next one waits longer."""
SHOWN_S, COLUMNS = 2.0, 4
WIDTHS = (1280, 1600)
"""Least and most pixels: small frames are enlarged, so that one can look at them."""


class PreviewImage:
    """Says when a preview is due, and writes it."""

    seconds = SHOWN_S

    def __init__(self, run_folder: Path, now_s: Callable[[], float] = time.monotonic) -> None:
        self.path = run_folder / PREVIEW_FILE
        self._now_s = now_s
        self._due_s: float | None = None
        self._begun_s = 0.0

    def is_due(self) -> bool:
        """Tell whether it is time for the next one, which is begun with this call."""
        now_s = self._now_s()
        if self._due_s is None:
            self._due_s = now_s + FIRST_AFTER_S
        self._begun_s = now_s
        return now_s >= self._due_s

    def write(self, found: Validation) -> None:
        """Write the frames of the first seconds of the held-out part over the file before. Raises OSError."""
        self._due_s = max(self._begun_s + EVERY_S, self._now_s() + (self._now_s() - self._begun_s) / DEAREST_SHARE)
        write_png(self.path, sized(contact_sheet(found.real_NHWC(), found.generated_NHWC, COLUMNS)))


def sized(image_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image with a width within WIDTHS: enlarged bicubically, or reduced by the mean of its pixels."""
    height, width = image_HWC.shape[:2]
    wanted = min(max(width, WIDTHS[0]), WIDTHS[1])
    if wanted == width:
        return image_HWC
    way = cv2.INTER_CUBIC if wanted > width else cv2.INTER_AREA
    return np.asarray(
        cv2.resize(image_HWC, (wanted, round(height * wanted / width)), interpolation=way), dtype=np.uint8
    )
