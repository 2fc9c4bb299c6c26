"""Reads the sound of an address: one connection, from its opening to the moment where it breaks or ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from numpy.typing import NDArray

from engine.core.errors import MediaError
from engine.media.address import shown_address
from engine.media.connection import failure, has_end, open_address
from engine.media.tracks import sound_track

# T samples, C channels

NEAR_END_S = 0.5
"""A recording that breaks off this close to its end has ended."""


class AddressReader:
    """The sound of one connection, at its own rate, in mono or stereo."""

    def __init__(self, address: str, track: str | int | None = None) -> None:
        """Connect. Raises MediaError for an address that refuses, is silent, or sends no sound."""
        self._address = address
        self.shown = shown_address(address)
        self._container = open_address(address)
        try:
            self._stream = sound_track(self._container, self.shown, track)
            self.rate_hz = int(self._stream.rate or 0)
            if self.rate_hz <= 0:
                raise MediaError(f"{self.shown} does not say the sample rate of its sound; send it in another format.")
        except MediaError:
            self._container.close()
            raise
        self.channels = 1 if self._stream.channels == 1 else 2
        self.has_end = has_end(self._container, address)
        """Whether it is a recording, which ends, and not a live feed, which does not."""
        duration = self._container.duration
        self.duration_s = duration / 1e6 if self.has_end and duration else None
        """Length of a recording, where it is known."""
        self.damaged_packets = 0
        """Packets that could not be decoded and were left out."""

    def jump(self, position_s: float) -> bool:
        """Go to `position_s` of a recording; return whether its server can do that."""
        try:
            self._container.seek(round(1e6 * position_s))
        except (FFmpegError, OSError, ValueError):
            return False
        return True

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Yield the sound [T, channels] as it comes, until the sender ends it. Raises MediaError where the connection breaks."""
        converter = _Converter(self.rate_hz, self.channels)
        try:
            for packet in self._container.demux(self._stream):
                try:
                    frames = packet.decode()
                except (FFmpegError, ValueError):
                    self.damaged_packets += 1
                    continue
                for frame in frames:
                    yield from converter.convert(frame)
            yield from converter.finish()
        except (FFmpegError, OSError, ValueError) as error:
            raise MediaError(f"{self.shown} broke off ({failure(error, self._address)}).") from None

    def close(self) -> None:
        """Disconnect; safe to call twice."""
        with suppress(FFmpegError, OSError):
            self._container.close()


class _Converter:
    """Frames of any format to arrays of one rate and number of channels. A stream may change its format on the way."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._rate_hz = rate_hz
        self._channels = channels
        self._resampler: AudioResampler | None = None
        self._format: tuple[int, str, str] | None = None

    def convert(self, frame: AudioFrame) -> Iterator[NDArray[np.float32]]:
        if not frame.samples:
            return
        came = (frame.sample_rate, frame.format.name, frame.layout.name)
        if came != self._format:
            yield from self.finish()
            self._format = came
            # Interleaved: separate planes of eight and more channels crash PyAV 18.
            layout = "mono" if self._channels == 1 else "stereo"
            self._resampler = AudioResampler(format="flt", layout=layout, rate=self._rate_hz)
        assert self._resampler
        # Time stamps of feeds jump; the resampler would fill or cut.
        frame.pts = None
        yield from self._arrays(self._resampler.resample(frame))

    def finish(self) -> Iterator[NDArray[np.float32]]:
        if self._resampler:
            yield from self._arrays(self._resampler.resample(None))
        self._resampler = self._format = None

    def _arrays(self, frames: list[AudioFrame]) -> Iterator[NDArray[np.float32]]:
        for frame in frames:
            if frame.samples:
                yield frame.to_ndarray().reshape(frame.samples, self._channels).astype(np.float32, copy=False)
