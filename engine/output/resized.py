"""Another size for what is written: the finished picture is enlarged, once, on its way to the sink."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ConfigError
from engine.output.frame import Frame, ShowFormat
from engine.output.sink import FrameRate, Sink
from engine.output.window.letterbox import fitted

# H W C picture rows, columns, channels

SMALLEST, LARGEST = 16, 8192
_SIZE = re.compile(r"(\d{1,5})[x×](\d{1,5})")


def parse_size(text: str) -> tuple[int, int]:
    """Return width and height of a size such as 1280x720. Raises ConfigError."""
    found = _SIZE.fullmatch(text.strip().lower())
    sides = [int(side) for side in found.groups()] if found else []
    if not sides or not all(SMALLEST <= side <= LARGEST for side in sides):
        raise ConfigError(
            f"'{text}' is no size; width and height from {SMALLEST} to {LARGEST} were expected, e.g. --size 1280x720."
        )
    return sides[0], sides[1]


def enlarge(pixels_HWC: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return the picture as large as it fits into `width` and `height`, the rest black, as finely as files deserve."""
    return fitted(pixels_HWC, width, height, finely=True)


class ResizedSink:
    """A sink that is given every picture in another size."""

    def __init__(self, sink: Sink, width: int, height: int) -> None:
        self._sink = sink
        self._size = width, height

    @property
    def name(self) -> str:
        return self._sink.name

    @property
    def rate(self) -> FrameRate:
        return self._sink.rate

    @property
    def with_effects(self) -> bool:
        return self._sink.with_effects

    @property
    def standby(self) -> bool:
        return self._sink.standby

    @property
    def lost_frames(self) -> int:
        return self._sink.lost_frames

    def open(self, show: ShowFormat) -> None:
        """Get ready. Raises SinkError."""
        self._sink.open(replace(show, width=self._size[0], height=self._size[1]))

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        return self._sink.wants(values)

    def show(self, frame: Frame) -> None:
        """Take one frame. Raises SinkError when the output has failed for good."""
        self._sink.show(replace(frame, pixels_HWC=enlarge(frame.pixels_HWC, *self._size)))

    def close(self) -> None:
        """Finish and release everything. Raises SinkError, once, when something could not be saved."""
        self._sink.close()
