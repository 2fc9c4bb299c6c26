"""A decoded frame, converted when its pixels are asked for: frames that nobody looks at cost their decoding alone."""

# PyAV's types are incomplete.
# pyright: basic

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

from engine.media.colour import ColourConverter, Colours
from engine.media.geometry import Box, Geometry

# H W rows and columns, C colours


class Painter:
    """Cuts, resizes and converts frames; keeps what FFmpeg prepared for the last kind of frame."""

    def __init__(self) -> None:
        self._converter = ColourConverter()
        self._crop: Graph | None = None
        self._cropped: tuple[object, ...] = ()

    def paint(self, shown: ShownFrame, box: Box, width: int, height: int) -> NDArray[np.uint8]:
        """Return `box` of the displayed frame, resized, [height, width, 3]."""
        geometry = shown.geometry
        stored = geometry.stored_box(box)
        frame = shown.frame
        if (stored.width, stored.height) != (frame.width, frame.height):
            frame = self._cut(frame, stored)
        turned = geometry.orientation.transposed
        size = (height, width) if turned else (width, height)
        pixels_HWC = self._converter.to_rgb(frame, shown.colours, *size)
        return np.ascontiguousarray(geometry.orientation.upright(pixels_HWC))

    def _cut(self, frame: av.VideoFrame, box: Box) -> av.VideoFrame:
        """Return the pixels of a box, without a copy."""
        wanted = (frame.width, frame.height, frame.format.name, box)
        if self._crop is None or wanted != self._cropped:
            self._crop, self._cropped = _crop_graph(frame, box), wanted
        self._crop.vpush(frame)
        return self._crop.vpull()


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """One decoded shown."""

    frame: av.VideoFrame
    geometry: Geometry
    colours: Colours
    painter: Painter

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as displayed."""
        return self.geometry.shown_size()

    def pixels_HWC(self) -> NDArray[np.uint8]:
        """Return the whole frame as displayed, 8-bit RGB."""
        return self.squeezed_HWC(*self.size)

    def squeezed_HWC(self, width: int, height: int) -> NDArray[np.uint8]:
        """Return the whole frame as displayed, resized to `width` and `height`, whatever its shape."""
        return self.resized_HWC(Box(0, 0, *self.size), width, height)

    def resized_HWC(self, box: Box, width: int, height: int) -> NDArray[np.uint8]:
        """Return a box of displayed pixels, within the frame, resized to `width` and `height`."""
        assert box.inside(*self.size), (box, self.size)
        return self.painter.paint(self, box, width, height)


def _crop_graph(frame: av.VideoFrame, box: Box) -> Graph:
    graph = Graph()
    base = frame.time_base
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=base)
    crop = graph.add("crop", f"{box.width}:{box.height}:{box.x}:{box.y}:exact=1")
    graph.link_nodes(source, crop, graph.add("buffersink"))
    graph.configure()
    return graph
