"""PortAudio's inputs through sounddevice: the capture backend that is used unless another one is asked for."""

# sounddevice ships no types.
# pyright: basic

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.audio.sources.capture_backend import CaptureError, Receive, StreamFormat
from engine.audio.sources.portaudio import JACK, OPEN_STREAMS, list_inputs, load_sounddevice, restart_portaudio
from engine.audio.sources.sound_device import SoundDevice, pick

# T samples, C channels


class SounddeviceCapture:
    """The inputs of all of PortAudio's host APIs, or of one alone."""

    follows_default = has_own_threads = False

    def __init__(self, host_api: str | None = None) -> None:
        self._host_api = host_api
        # PortAudio cannot join a second JACK server.
        self.opens_again = host_api != JACK

    def inputs(self) -> list[SoundDevice]:
        if not list_inputs(self._host_api):
            restart_portaudio()
        return list_inputs(self._host_api)

    def find(self, name: str | None) -> SoundDevice:
        return pick(self.inputs(), name)

    def refresh(self) -> None:
        restart_portaudio()

    def choose_rate_hz(self, device: SoundDevice, channels: int, preferred_hz: int) -> int:
        sounddevice = load_sounddevice()
        for count in (channels, device.channels):
            try:
                sounddevice.check_input_settings(
                    device=device.index, channels=count, dtype="float32", samplerate=preferred_hz
                )
            except (sounddevice.PortAudioError, ValueError):
                continue
            return preferred_hz
        return device.rate_hz

    def open(self, device: SoundDevice, asked: StreamFormat, receive: Receive) -> SounddeviceStream:
        sounddevice = load_sounddevice()
        try:
            return SounddeviceStream(device, asked, receive)
        except (sounddevice.PortAudioError, ValueError) as error:
            raise CaptureError(str(error)) from error


class SounddeviceStream:
    """One open input."""

    def __init__(self, device: SoundDevice, asked: StreamFormat, receive: Receive) -> None:
        self._rate_hz = asked.rate_hz
        self._receive = receive
        OPEN_STREAMS.opened()
        try:
            self._stream: Any = load_sounddevice().InputStream(
                device=device.index,
                samplerate=asked.rate_hz,
                channels=asked.channels,
                blocksize=asked.block_samples,
                dtype="float32",
                latency=asked.latency_s,
                callback=self._take_block,
            )
        except BaseException:
            OPEN_STREAMS.closed()
            raise
        try:
            self._stream.start()
        except BaseException:
            self.close()
            raise

    @property
    def active(self) -> bool:
        return bool(self._stream.active)

    @property
    def latency_s(self) -> float:
        return float(self._stream.latency)

    def close(self) -> None:
        stream, self._stream = self._stream, _CLOSED
        if stream is not _CLOSED:
            stream.close(ignore_errors=True)
            # Last: with a dead server `close` may never return, and PortAudio must not be restarted under it.
            OPEN_STREAMS.closed()

    def _take_block(self, sound_TC: NDArray[np.float32], samples: int, times: Any, status: Any) -> None:
        # PortAudio stamps the first sample, with a clock of its own.
        age_s = times.currentTime - times.inputBufferAdcTime - samples / self._rate_hz
        self._receive(sound_TC, age_s, bool(status) and bool(status.input_overflow))


class _Closed:
    active = False
    latency = 0.0


_CLOSED = _Closed()
