"""What a rendering tells on its way: a bar with the time left, and a strip of frames as they are so far."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.core.atomic_files import write_bytes
from engine.core.errors import SinkError

# N frames, H W rows and columns of a frame, 3 colours

STRIP_FRAMES = 8
STRIP_HEIGHT = 160
EVERY_S = 60.0
LARGEST_SHARE = 0.1
"""Of the time of a rendering, for the strips: where a strip takes long, the next one waits longer."""


class RenderProgress:
    """The bar is on stderr and silent where that is no terminal. The strip is an image file; without a place there is none."""

    def __init__(self, strip: Path | None = None, now_s: Callable[[], float] = time.monotonic) -> None:
        self._strip = strip
        self._now_s = now_s
        self._due_s = now_s() + EVERY_S
        self._bar: Any = None

    def begin(self, title: str, count: int) -> None:
        """Begin a stretch of `count` equal pieces of work."""
        from tqdm import tqdm

        self.end()
        self._bar = tqdm(total=count, desc=title, disable=None, leave=False, file=sys.stderr)

    def advance(self) -> None:
        """Count one piece."""
        if self._bar is not None:
            self._bar.update()

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def renew_strip(self, frames_NHWC: Callable[[], NDArray[np.uint8]], last: bool = False) -> None:
        """Write the strip where it is due, or the last one. Frames are made only then. Raises SinkError."""
        begun_s = self._now_s()
        if self._strip is None or not (last or begun_s >= self._due_s):
            return
        image_HWC = strip(frames_NHWC())
        encoded, content = cv2.imencode(".png", image_HWC[:, :, ::-1])
        assert encoded
        try:
            write_bytes(self._strip, content.tobytes())
        except OSError as error:
            raise SinkError(
                f"Cannot write the preview {self._strip}: {error.strerror}; leave it out with --no-preview."
            ) from error
        now_s = self._now_s()
        self._due_s = now_s + max(EVERY_S, (now_s - begun_s) / LARGEST_SHARE)


def strip_places(frames: int) -> list[int]:
    """Return which frames of a clip stand in its strip."""
    shown = min(frames, STRIP_FRAMES)
    return [round(i * (frames - 1) / max(shown - 1, 1)) for i in range(shown)]


def strip(frames_NHWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return frames side by side, in the height of a strip where they are higher."""
    row_HWC = np.concatenate(list(frames_NHWC), axis=1)
    height, width = row_HWC.shape[:2]
    if height <= STRIP_HEIGHT:
        return row_HWC
    size = (round(width * STRIP_HEIGHT / height), STRIP_HEIGHT)
    return np.asarray(cv2.resize(row_HWC, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
