"""Interlaced film as progressive frames, as many as before, by FFmpeg's bwdif. Other frames pass as they are."""

# PyAV's types are incomplete.
# pyright: basic

from __future__ import annotations

from collections.abc import Iterator

import av
from av.error import BlockingIOError, EOFError
from av.filter import Graph

FILTER, OPTIONS = "bwdif", "mode=send_frame:parity=auto:deint=interlaced"


class Deinterlacer:
    """Takes the frames of a film in their order. From the first interlaced one on, frames come out one frame later."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._shape: tuple[object, ...] = ()

    def feed(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Take the next frame and yield those that are ready."""
        shape = (frame.width, frame.height, frame.format.name, frame.time_base)
        if self._graph is not None and shape != self._shape:
            yield from self.finish()
        if self._graph is None and not frame.interlaced_frame:
            yield frame
            return
        if self._graph is None:
            self._graph, self._shape = _graph(frame), shape
        self._graph.vpush(frame)
        yield from self._ready()

    def finish(self) -> Iterator[av.VideoFrame]:
        """Yield the last frames."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._ready()
        self._graph = None

    def _ready(self) -> Iterator[av.VideoFrame]:
        assert self._graph is not None
        while True:
            try:
                yield self._graph.vpull()
            except (BlockingIOError, EOFError):
                return


def _graph(frame: av.VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    graph.link_nodes(source, graph.add(FILTER, OPTIONS), graph.add("buffersink"))
    graph.configure()
    return graph
