"""Resizes frames on their way to a sink."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from engine.core.errors import ConfigError
from engine.core.fit import fit_inside
from engine.output.frame import Frame, ShowFormat
from engine.output.sink import FrameRate, Sink

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


class ResizedSink:
    """A sink that gets every frame in another size, with black bars where the shape differs."""

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
        self._sink.show(frame.with_pixels(fit_inside(frame.pixels_HWC, *self._size, finely=True)))

    def close(self) -> None:
        """Finish and release everything. Raises SinkError, once, when something could not be saved."""
        self._sink.close()
