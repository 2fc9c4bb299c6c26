"""Reads the sound of an address: one connection, from its opening to the moment where it breaks or ends."""

# PyAV's types are incomplete.
# pyright: basic

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress

import numpy as np
from av.audio.frame import AudioFrame
from av.error import FFmpegError
from av.packet import Packet
from numpy.typing import NDArray

from engine.core.errors import MediaError
from engine.media.address import shown_address
from engine.media.channels import check_channels, mixed, picked
from engine.media.connection import failure, has_end, open_address, read_within_s
from engine.media.rate import RateConverter
from engine.media.samples import channel_names, samples_of
from engine.media.tracks import sound_track

# T samples, C channels

MOST_STUMBLES = 1000
NEAR_END_S = 0.5
"""A recording that breaks off this close to its end has ended."""


class AddressReader:
    """The sound of one connection, at its own rate, in mono or stereo or in chosen channels."""

    def __init__(self, address: str, track: str | int | None = None, channels: Sequence[int] = ()) -> None:
        """Connect. `track` is a number from 1 or a language; `channels` are numbered from 1.

        Raises MediaError for an address that refuses, is silent, or sends no such sound.
        """
        self._address = address
        self.shown = shown_address(address)
        self._container = open_address(address)
        try:
            self._stream = sound_track(self._container, self.shown, track)
            self.rate_hz = int(self._stream.rate or 0)
            if self.rate_hz <= 0:
                raise MediaError(f"{self.shown} does not say the sample rate of its sound; send it in another format.")
            check_channels(channels, self._stream.channels, self.shown)
        except MediaError:
            self._container.close()
            raise
        self._chosen = tuple(channels)
        self.channels = len(channels) or min(2, self._stream.channels)
        self.has_end = has_end(self._container, address)
        """Whether it is a recording, which ends, and not a live feed, which does not."""
        duration = self._container.duration
        self.duration_s = duration / 1e6 if self.has_end and duration else None
        """Length of a recording, where it is known."""
        self._damaged_packets = 0
        self._converter: RateConverter | None = None
        self._other_rate_hz: int | None = None

    def jump(self, position_s: float) -> bool:
        """Go to `position_s` of a recording; return whether its server can do that."""
        try:
            self._container.seek(round(1e6 * position_s))
        except (FFmpegError, OSError, ValueError):
            return False
        return True

    def blocks(self) -> Generator[NDArray[np.float32]]:
        """Yield the sound [T, channels] as it comes, until the sender ends it. Close this before the reader.

        Raises MediaError where the connection breaks.
        """
        try:
            for packet in self._packets():
                for frame in self._decoded(packet):
                    yield from self._converted(frame)
            yield from self._rest()
        except (FFmpegError, OSError, ValueError) as error:
            raise MediaError(
                f"{self.shown} broke off ({failure(error, self._address, read_within_s(self._address))})."
            ) from None

    def _packets(self) -> Iterator[Packet]:
        """Yield the packets of the track. PyAV 18 stumbles over packets of tracks that appear on the way; they are not ours."""
        stumbles = 0
        while stumbles < MOST_STUMBLES:
            try:
                for packet in self._container.demux(self._stream):
                    stumbles = 0
                    yield packet
                return
            except IndexError:
                stumbles += 1

    def notices(self) -> list[str]:
        """Return what there is to tell at the end of the connection."""
        if not self._damaged_packets:
            return []
        packets = "a damaged packet" if self._damaged_packets == 1 else f"{self._damaged_packets} damaged packets"
        return [f"{self.shown} sent {packets}, left out of its sound."]

    def close(self) -> None:
        """Disconnect; safe to call twice."""
        with suppress(FFmpegError, OSError):
            self._container.close()

    def _decoded(self, packet: Packet) -> list[AudioFrame]:
        try:
            return [frame for frame in packet.decode() if isinstance(frame, AudioFrame) and frame.samples]
        except (FFmpegError, ValueError):
            self._damaged_packets += 1
            return []

    def _converted(self, frame: AudioFrame) -> Iterator[NDArray[np.float32]]:
        """Yield a frame's sound in the format of the first one: a feed may change its own on the way."""
        rate_hz, came_TC, names = frame.sample_rate, samples_of(frame), channel_names(frame)
        sound_TC = picked(came_TC, self._chosen) if self._chosen else mixed(came_TC, self.channels, names)
        if rate_hz == self.rate_hz:
            yield from self._rest()
            yield sound_TC
            return
        if rate_hz != self._other_rate_hz:
            yield from self._rest()
            self._other_rate_hz, self._converter = rate_hz, RateConverter(rate_hz, self.rate_hz, self.channels)
        if self._converter:
            yield self._converter.feed(sound_TC)

    def _rest(self) -> Iterator[NDArray[np.float32]]:
        """Yield what is still to come at another rate."""
        converter, self._converter, self._other_rate_hz = self._converter, None, None
        if converter:
            yield converter.finish()
