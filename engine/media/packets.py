"""The packets of a file's tracks in their order, on one clock, past places that cannot be read."""

# PyAV's types are incomplete.
# pyright: basic

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from engine.media.joined_clock import Join, JoinedClock, Stamp

MOST_ERRORS = 64
"""Reading goes on after so many errors in a row, and ends after more."""


class Packets:
    """Packets whose time stamps are those of the joined clock; at the end an empty one for each track, which flushes its decoder."""

    def __init__(self, container: InputContainer, video: VideoStream | None, sound: AudioStream | None) -> None:
        """Read `video` and `sound` together, also where only one of them is decoded: joins are judged by both."""
        self._container = container
        # The first one leads: frames are joined without a gap, and sound follows.
        self._tracks: list[Any] = [track for track in (video, sound) if track is not None]
        self._clock = JoinedClock(len(self._tracks))
        self.unreadable = 0
        """Places in the file where packets could not be read."""

    @property
    def joins(self) -> Sequence[Join]:
        """Jumps of the clock so far; times on the joined clock."""
        return self._clock.joins

    def __iter__(self) -> Iterator[Packet]:
        numbers = {track.index: number for number, track in enumerate(self._tracks)}
        waiting: deque[Packet] = deque()
        flushing: list[Packet] = []
        for packet in self._read():
            if _flushes(packet):
                # PyAV gives such packets no stream index; setting their stream does.
                packet.stream = packet.stream
                flushing.append(packet)
                continue
            waiting.append(packet)
            for shift_s in self._clock.put(_stamp(packet, numbers[packet.stream_index])):
                yield _shifted(waiting.popleft(), shift_s)
        for shift_s in self._clock.finish():
            yield _shifted(waiting.popleft(), shift_s)
        yield from flushing

    def _read(self) -> Iterator[Packet]:
        errors, at_end = 0, False
        while errors <= MOST_ERRORS and not at_end:
            try:
                for packet in self._container.demux(self._tracks):
                    at_end = at_end or _flushes(packet)
                    errors = 0
                    yield packet
                return
            except IndexError:
                # PyAV stumbles over packets of tracks that appear on the way, and over flushing them: nothing is damaged.
                errors += 1
            except (FFmpegError, ValueError):
                # FFmpeg continues behind the place, unless the file is at its end.
                self.unreadable += 1
                errors += 1


def _flushes(packet: Packet) -> bool:
    """Tell whether a packet is one of the empty ones after a file's end."""
    return not packet.size and packet.dts is None


def _stamp(packet: Packet, number: int) -> Stamp:
    base = packet.time_base
    time = packet.dts if packet.dts is not None else packet.pts
    duration_s = float((packet.duration or 0) * base)
    return Stamp(number, None if time is None else float(time * base), duration_s)


def _shifted(packet: Packet, shift_s: float | None) -> Packet:
    if shift_s is None:
        packet.pts = packet.dts = None
    elif shift_s:
        ticks = round(Fraction(shift_s) / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
    return packet
