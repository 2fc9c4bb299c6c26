"""What a model looks at beside the sound: a still, a clip that goes round, or a camera. The protocol, and the frames of a file."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import StoppedError
from engine.core.fit import cover
from engine.core.stop_signals import IsStopped, never_stopped
from engine.media.frame_reader import FrameReader

# H W C rows, columns, channels of pixels

MOST_BYTES = 1 << 28
"""Of a clip's frames, which are kept in memory; what comes later is left out."""


class ContextFrames(Protocol):
    """Frames by time. Looking at one takes no time, and frames of one moment are the same object."""

    @property
    def description(self) -> str:
        """What it is, in words, for the lines at the start of a show."""
        ...

    def frame(self, time_s: float) -> NDArray[np.uint8]:
        """Return the frame [H, W, C] at a time of the show, RGB in 8 bits, of any size."""
        ...

    def close(self) -> None:
        """Give back what was opened; frames stay as they are."""
        ...


class FileContext:
    """The frames of a file at one size: a still, or a clip that begins again at its end."""

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        tell: Callable[[str], None] = print,
        is_stopped: IsStopped = never_stopped,
    ) -> None:
        """Decode the file and cut its frames to the shape; tell of a clip, which may take a while, and of what is wrong with it.

        Raises MediaError for a file without a frame, StoppedError where `is_stopped` says so before its end.
        """
        reader, most = FrameReader(path), max(1, MOST_BYTES // (3 * width * height))
        self._frames: list[NDArray[np.uint8]] = []
        self._times_s: list[float] = []
        self._is_cut_short, own_size, end_s = False, (width, height), 0.0
        for timed in reader.frames():
            if is_stopped():
                raise StoppedError(f"The context {path.name} was not read to its end when the show was stopped.")
            if len(self._frames) == 1:
                tell(f"context  reading {path.name}")
            if len(self._frames) == most:
                self._is_cut_short = True
                break
            own_size = timed.shown.size
            self._frames.append(cover(timed.shown.pixels_HWC(), width, height))
            self._times_s.append(timed.time_s)
            end_s = timed.time_s + timed.duration_s
        for notice in reader.notices():
            tell(notice)
        if not any(frame_HWC.any() for frame_HWC in self._frames):
            tell(f"context  {path.name} is black throughout (or transparent), which counts as none.")
        first_s = self._times_s[0]
        self._times_s = [time_s - first_s for time_s in self._times_s]
        self._length_s = max(end_s - first_s, 1e-3)
        self._description = self._described(path.name, own_size, (width, height))

    @property
    def description(self) -> str:
        return self._description

    def frame(self, time_s: float) -> NDArray[np.uint8]:
        """Return the frame that the file shows at this time, counted on from its beginning after its end."""
        place = bisect_right(self._times_s, max(time_s, 0.0) % self._length_s) - 1
        return self._frames[max(place, 0)]

    def close(self) -> None:
        """Nothing is open."""

    def _described(self, name: str, own: tuple[int, int], size: tuple[int, int]) -> str:
        lasting = "" if len(self._frames) == 1 else f", {self._length_s:.1f} s that go round"
        short = ", the beginning of it" if self._is_cut_short else ""
        fitted = "" if own == size else f", its middle as {size[0]}x{size[1]}"
        return f"{name}, {own[0]}x{own[1]}{lasting}{short}{fitted}"
