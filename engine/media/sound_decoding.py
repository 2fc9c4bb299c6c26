"""Decodes the packets of a sound track into spans of samples; what cannot be decoded is left out and counted."""

# PyAV's types are incomplete.
# pyright: basic

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.format import Flags
from av.packet import Packet
from numpy.typing import NDArray

from engine.media.packets import Packets
from engine.media.samples import channel_names, samples_of
from engine.media.timeline import Span

# T samples, C channels

RATES_HZ = range(1000, 1_000_001)
"""Others stand in damaged files."""
MOST_UNDECODABLE = 2000
"""A track that begins with so many undecodable packets is given up."""


class Decoded(NamedTuple):
    """A span with its samples [T, C] and FFmpeg's names of their channels, if the file names them."""

    span: Span
    sound_TC: NDArray[np.float32]
    names: tuple[str, ...]


class SoundDecoding:
    """Iterates over the decoded spans of one track."""

    def __init__(self, packets: Packets, track: AudioStream) -> None:
        self._packets = packets
        self._track = track
        flags = Flags(track.container.format.flags)
        # FFmpeg makes up time stamps of formats that have none; gaps do not show in them.
        self._has_clock = Flags.generic_index not in flags or Flags.ts_discont in flags
        self.undecodable = 0
        """Packets that could not be decoded."""

    def __iter__(self) -> Iterator[Decoded]:
        last: Decoded | None = None
        lost_s = 0.0
        for packet in self._packets:
            if packet.stream_index != self._track.index:
                continue
            spans = self._decode(packet)
            if spans is None:
                self.undecodable += 1
                lost_s += min(float((packet.duration or 0) * packet.time_base), 1.0)
                if last is None and self.undecodable >= MOST_UNDECODABLE:
                    return
                continue
            if spans and last and lost_s and not self._has_clock:
                yield from _silence_like(last, lost_s)
            for span in spans:
                # The first time stamp counts also where the others do not: it is the file's start, or the place after a jump.
                last = span if last is None or self._has_clock else span._replace(span=span.span._replace(time_s=None))
                lost_s = 0.0
                yield last

    def _decode(self, packet: Packet) -> list[Decoded] | None:
        """Return the spans of a packet; None where it is damaged."""
        try:
            return [self._span(frame) for frame in packet.decode() if frame.samples]
        except (FFmpegError, ValueError, KeyError):
            return None if packet.size else []

    def _span(self, frame: AudioFrame) -> Decoded:
        names = channel_names(frame)
        context = self._track.codec_context
        # FFmpeg's MP3 decoder says one frame too late that the rate has changed; its context knows.
        rate_hz = context.sample_rate if context.name.startswith("mp3") else frame.sample_rate
        if rate_hz not in RATES_HZ or not frame.layout.nb_channels:
            raise ValueError("a frame without rate or channels")
        return Decoded(Span(frame.time, frame.samples, rate_hz), samples_of(frame), names)


def _silence_like(before: Decoded, seconds: float) -> Iterator[Decoded]:
    """Yield silence in blocks: a damaged file can lack hours."""
    rate_hz, channels = before.span.rate_hz, before.sound_TC.shape[1]
    missing = round(seconds * rate_hz)
    for start in range(0, missing, rate_hz):
        silence_TC = np.zeros((min(missing - start, rate_hz), channels), np.float32)
        yield Decoded(Span(None, len(silence_TC), rate_hz), silence_TC, before.names)
