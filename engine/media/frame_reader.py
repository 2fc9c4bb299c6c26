"""Reads the frames of a film as a good player shows them, each at its time.

Time stamps are those of the file, on the clock that joins recordings (`engine/media/joined_clock.py`); they never go back. A frame
stays on screen until the next one, however long that takes.
"""

# PyAV's types are incomplete.
# pyright: basic

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.error import FFmpegError

from engine.core.errors import MediaError
from engine.media.colour import colours_of
from engine.media.deinterlacing import Deinterlacer
from engine.media.display_matrix import display_matrix
from engine.media.geometry import Geometry, Orientation, orientation_of, pixel_aspect
from engine.media.jpeg_end import is_cut_off
from engine.media.opening import open_media
from engine.media.packets import Packets
from engine.media.shown_frame import Painter, ShownFrame
from engine.media.tracks import sound_track, video_track

LARGEST_WIDTH, LARGEST_HEIGHT = 8192, 8192
"""As many pixels: a photo of a telephone has up to 64 million, 192 MiB."""
MOST_THREADS = 16
THREADS_BYTES = 96 << 20
"""Every thread of a decoder holds a frame of its own."""
BYTES_A_PIXEL = 3
USUAL_FPS = 25
MOST_TOLD_CHANGES = 3
ENCRYPTED = "encryption_info"


@dataclass(frozen=True, slots=True, eq=False)
class TimedFrame:
    """A frame with the time in seconds at which it comes on screen, and how long it is meant to stay."""

    time_s: float
    duration_s: float
    shown: ShownFrame


class FrameReader:
    """Reads the video track of a file. It skips what cannot be decoded and says so."""

    def __init__(self, path: Path | str) -> None:
        self.path = path
        self._damaged = self._marred = 0
        self._changes: list[str] = []
        self._change_count = 0
        self._start_s = 0.0

    def frames(self) -> Iterator[TimedFrame]:
        """Decode all frames, from the start of the file.

        Raises MediaError for a file that is missing, no video, protected, larger than memory allows, or in which nothing can be decoded.
        """
        self._damaged, self._marred, self._changes, self._change_count = 0, 0, [], 0
        with open_media(self.path) as container:
            stream = video_track(container, self.path)
            self._check_size(stream.codec_context.width or 0, stream.codec_context.height or 0)
            stream.thread_type, stream.thread_count = "AUTO", _threads(stream.codec_context)
            self._start_s = (container.start_time or 0) / av.time_base
            sound: AudioStream | None = None
            with contextlib.suppress(MediaError):
                sound = sound_track(container, self.path)
            packets = Packets(container, stream, sound)
            yield from self._timed(self._progressive(packets, stream), stream)

    def notices(self) -> list[str]:
        """Return one sentence for each thing that was mended so far. Joined recordings are told by the sound."""
        said = list(self._changes)
        if self._change_count > MOST_TOLD_CHANGES:
            said.append(f"The frame size of {Path(self.path).name} changes {self._change_count} times in all.")
        if self._damaged:
            places = "one place" if self._damaged == 1 else f"{self._damaged} places"
            said.append(f"{Path(self.path).name} is damaged in {places} of its video, which were skipped.")
        if self._marred:
            which = "a frame of it is" if self._marred == 1 else f"{self._marred} frames of it are"
            said.append(
                f"{Path(self.path).name} is damaged: {which} incomplete, so parts are grey, coarse or smeared. Give another copy."
            )
        return said

    def _progressive(self, packets: Packets, stream: Any) -> Iterator[av.VideoFrame]:
        """Decode the packets and deinterlace the frames."""
        deinterlacer = Deinterlacer()
        for packet in packets:
            if packet.stream_index != stream.index:
                continue
            for frame in self._decoded(packet):
                self._check_size(frame.width, frame.height)
                # FFmpeg guessed a part of it.
                self._marred += frame.is_corrupt
                yield from deinterlacer.feed(frame)
        yield from deinterlacer.finish()

    def _decoded(self, packet: Any) -> list[Any]:
        # Asked before, since some of what is encrypted decodes to noise.
        if packet.has_sidedata(ENCRYPTED):
            codec = packet.stream.codec_context.name
            raise MediaError(
                f"The video of {self.path} ({codec}) is protected against copying; give a film without protection."
            )
        if packet.stream.codec_context.name == "mjpeg" and is_cut_off(bytes(packet)):
            self._marred += 1
        try:
            return packet.decode()
        except FFmpegError:
            self._damaged += 1
            return []

    def _timed(self, frames: Iterator[av.VideoFrame], stream: Any) -> Iterator[TimedFrame]:
        shapes, painter, codec = _Shapes(stream), Painter(), stream.codec_context.name
        usual_s = 1.0 / float(stream.average_rate or USUAL_FPS)
        time_s = end_s = None
        size: tuple[int, int] | None = None
        for frame in frames:
            given_s = frame.time if frame.time is not None else end_s or 0.0
            time_s = given_s if time_s is None else max(given_s, time_s)
            duration_s = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else usual_s
            end_s = time_s + duration_s
            shown = ShownFrame(frame, shapes.geometry_of(frame), colours_of(frame, codec), painter)
            if size is not None and shown.size != size:
                self._say_change(size, shown.size, time_s)
            size = shown.size
            yield TimedFrame(time_s, duration_s, shown)
        if size is None:
            raise MediaError(self._nothing_decoded(codec))

    def _say_change(self, before: tuple[int, int], after: tuple[int, int], time_s: float) -> None:
        self._change_count += 1
        if self._change_count > MOST_TOLD_CHANGES:
            return
        old, new = (f"{width}x{height}" for width, height in (before, after))
        self._changes.append(
            f"The frame size of {Path(self.path).name} changes from {old} to {new} at {time_s - self._start_s:.2f} s."
        )

    def _nothing_decoded(self, codec: str) -> str:
        if self._damaged:
            return (
                f"{self.path} cannot be read: nothing of its video ({codec}) can be decoded, so it is damaged, or of a kind or size that "
                "FFmpeg does not know; give another copy, or convert it."
            )
        return f"{self.path} has no video frame; a video with sound was expected."

    def _check_size(self, width: int, height: int) -> None:
        if width * height > LARGEST_WIDTH * LARGEST_HEIGHT:
            raise MediaError(
                f"{self.path} has frames of {width}x{height}, more than the {LARGEST_WIDTH}x{LARGEST_HEIGHT} that are kept in "
                "memory; make it smaller with: ffmpeg -i FILE -vf scale=1920:-2 smaller.mp4"
            )


class _Shapes:
    """The geometry of a track's frames."""

    def __init__(self, stream: Any) -> None:
        self._codec = stream.codec_context
        self._of_file = stream.sample_aspect_ratio
        self._of_codec_at_start = self._codec.sample_aspect_ratio
        self._laid: tuple[int, int, int] | None = None
        self._orientation = Orientation()

    def geometry_of(self, frame: av.VideoFrame) -> Geometry:
        # The file's tag holds for all of it, unless the codec's own tag changes on the way.
        of_codec = self._codec.sample_aspect_ratio
        aspect = self._of_file if of_codec == self._of_codec_at_start else of_codec
        laid = (frame.rotation, frame.width, frame.height)
        if laid != self._laid:
            # Only then: a frame whose side data was looked at stays in memory until the garbage collector comes.
            self._laid, self._orientation = laid, orientation_of(display_matrix(frame))
        return Geometry(frame.width, frame.height, self._orientation, pixel_aspect(aspect))


def _threads(codec: Any) -> int:
    frame_bytes = max((codec.width or 0) * (codec.height or 0) * BYTES_A_PIXEL, 1)
    return max(1, min(MOST_THREADS, (os.cpu_count() or 1) + 1, THREADS_BYTES // frame_bytes))
