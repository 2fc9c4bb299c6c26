"""Reads the frames of a film as a good player shows them, each at its time.

Time stamps are those of the file, on the clock that joins recordings (`engine/media/joined_clock.py`); they never go back. A frame
stays on screen until the next one, however long that takes.
"""

# PyAV's types are incomplete.
# pyright: basic

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from engine.core.errors import MediaError
from engine.media.colour import colours_of
from engine.media.deinterlacing import Deinterlacer
from engine.media.geometry import Geometry, orientation_of, pixel_aspect
from engine.media.opening import open_media
from engine.media.packets import Packets
from engine.media.shown_frame import Painter, ShownFrame
from engine.media.tracks import video_track

LARGEST_WIDTH, LARGEST_HEIGHT = 8192, 4608
MOST_THREADS = 16
THREADS_BYTES = 96 << 20
"""Every thread of a decoder holds a frame of its own."""
BYTES_A_PIXEL = 3
USUAL_FPS = 25
PROTECTED_TAGS = ("encv", "drmi", "drmv")


@dataclass(frozen=True, slots=True)
class TimedFrame:
    """A frame with the time in seconds at which it comes on screen, and how long it is meant to stay."""

    time_s: float
    duration_s: float
    shown: ShownFrame


class FrameReader:
    """Reads the video track of a file. It skips what cannot be decoded and says so."""

    def __init__(self, path: Path | str) -> None:
        self.path = path
        self._damaged = 0
        self._changes: list[str] = []
        self._joins: tuple[float, ...] = ()
        self._start_s = 0.0

    def frames(self) -> Iterator[TimedFrame]:
        """Decode all frames, from the start of the file.

        Raises MediaError for a file that is missing, no video, larger than memory allows, or in which nothing can be decoded.
        """
        self._damaged, self._changes = 0, []
        with open_media(self.path) as container:
            stream = video_track(container, self.path)
            self._check_size(stream.codec_context.width or 0, stream.codec_context.height or 0)
            stream.thread_type, stream.thread_count = "AUTO", _threads(stream.codec_context)
            self._start_s = (container.start_time or 0) / av.time_base
            packets = Packets(container, stream, next(iter(container.streams.audio), None))
            yield from self._timed(self._progressive(packets, stream), stream)
            self._damaged += packets.unreadable
            self._joins = tuple(join.time_s - self._start_s for join in packets.joins)

    def notices(self) -> list[str]:
        """Return one sentence for each thing that was mended, once the frames are read."""
        said = list(self._changes)
        if self._damaged:
            places = "one place" if self._damaged == 1 else f"{self._damaged} places"
            said.append(f"{self.path} is damaged in {places} of its video, which were skipped.")
        if self._joins:
            times = ", ".join(f"{time_s:.2f} s" for time_s in self._joins)
            said.append(f"The clock of {self.path} jumps at {times}: recordings were joined there, and play on as one.")
        return said

    def _progressive(self, packets: Packets, stream: Any) -> Iterator[av.VideoFrame]:
        """Decode the packets and deinterlace the frames."""
        deinterlacer = Deinterlacer()
        for packet in packets:
            if packet.stream_index != stream.index:
                continue
            for frame in self._decoded(packet):
                self._check_size(frame.width, frame.height)
                yield from deinterlacer.feed(frame)
        yield from deinterlacer.finish()

    def _decoded(self, packet: Any) -> list[Any]:
        try:
            return packet.decode()
        except FFmpegError:
            self._damaged += 1
            return []

    def _timed(self, frames: Iterator[av.VideoFrame], stream: Any) -> Iterator[TimedFrame]:
        container_aspect = stream.sample_aspect_ratio
        codec_aspect = stream.codec_context.sample_aspect_ratio
        painter, codec, usual_s = Painter(), stream.codec_context.name, 1.0 / float(stream.average_rate or USUAL_FPS)
        time_s = end_s = None
        size: tuple[int, int] | None = None
        for frame in frames:
            given_s = end_s if frame.time is None else float(frame.time)
            time_s = max(given_s or 0.0, time_s or given_s or 0.0)
            duration_s = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else usual_s
            end_s = time_s + duration_s
            # The container's tag holds for the whole file, unless the codec's own changes on the way.
            now_aspect = stream.codec_context.sample_aspect_ratio
            aspect = container_aspect if now_aspect == codec_aspect else now_aspect
            matrix = frame.side_data.get("DISPLAYMATRIX")
            orientation = orientation_of(bytes(matrix) if matrix is not None else None)
            geometry = Geometry(frame.width, frame.height, orientation, pixel_aspect(aspect))
            if size is not None and geometry.shown_size() != size:
                self._say_change(size, geometry.shown_size(), time_s)
            size = geometry.shown_size()
            yield TimedFrame(time_s, duration_s, ShownFrame(frame, geometry, colours_of(frame, codec), painter))
        if size is None:
            raise MediaError(_nothing_decoded(self.path, stream, self._damaged))

    def _say_change(self, before: tuple[int, int], after: tuple[int, int], time_s: float) -> None:
        old, new = (f"{width}x{height}" for width, height in (before, after))
        self._changes.append(f"The frame size of {self.path} changes from {old} to {new} at {time_s - self._start_s:.2f} s.")

    def _check_size(self, width: int, height: int) -> None:
        if width * height > LARGEST_WIDTH * LARGEST_HEIGHT:
            raise MediaError(
                f"{self.path} has frames of {width}x{height}, more than the {LARGEST_WIDTH}x{LARGEST_HEIGHT} that are kept in "
                "memory; make it smaller with: ffmpeg -i FILE -vf scale=1920:-2 smaller.mp4"
            )


def _threads(codec: Any) -> int:
    frame_bytes = max((codec.width or 0) * (codec.height or 0) * BYTES_A_PIXEL, 1)
    return max(1, min(MOST_THREADS, (os.cpu_count() or 1) + 1, THREADS_BYTES // frame_bytes))


def _nothing_decoded(path: Path | str, stream: Any, damaged: int) -> str:
    codec, tag = stream.codec_context.name, str(stream.codec_context.codec_tag or "")
    if tag in PROTECTED_TAGS:
        return f"The video of {path} is protected against copying ({codec}, {tag}); give a film without protection."
    if damaged:
        return f"{path} is damaged: nothing of its video ({codec}) can be decoded; give another copy of the film."
    return f"{path} has no video frame; a video with sound was expected."
