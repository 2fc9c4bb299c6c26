"""PortAudio's inputs through PyAudio (`--capture pyaudio`), and on Windows what the machine plays.

PyAudioWPatch is PyAudio with Windows' loopback devices, so there it stands in for PyAudio.
"""

# PyAudio is an extra and ships no types.
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from engine.audio.sources.capture_backend import CaptureError, Receive, StreamFormat
from engine.audio.sources.portaudio import JACK, OPEN_STREAMS, rank, restart_portaudio
from engine.audio.sources.sound_device import SoundDevice, pick
from engine.audio.sources.spec import MOST_CHANNELS
from engine.core.errors import SourceError

# T samples, C channels

_STDERR = 2


def load_pyaudio() -> Any:
    """Import PyAudio, on Windows PyAudioWPatch. Raises SourceError, naming the package that is missing."""
    try:
        if sys.platform == "win32":
            import pyaudiowpatch as pyaudio
        else:
            import pyaudio
    except ImportError as error:
        raise SourceError(
            "The package PyAudio is missing or cannot be loaded; install it with: pip install -e '.[pyaudio]' (Debian, Ubuntu: "
            "first apt install portaudio19-dev gcc python3-dev), or leave --capture out."
        ) from error
    return pyaudio


@functools.cache
def _start() -> Any:
    """Return the one PyAudio of this process: PortAudio reads its devices again when the last one has ended."""
    with quiet_stderr():
        return load_pyaudio().PyAudio()


class PyAudioCapture:
    """The inputs that PyAudio lists; with `loopback` the loopback devices of Windows' outputs instead."""

    opens_again = True
    follows_default = has_own_threads = False

    def __init__(self, loopback: bool = False) -> None:
        self._pyaudio = load_pyaudio()
        self._loopback = loopback
        _start()

    def inputs(self) -> list[SoundDevice]:
        if not self._list():
            self.refresh()
        return self._list()

    def find(self, name: str | None) -> SoundDevice:
        return pick(self.inputs(), name)

    def refresh(self) -> None:
        audio = _start()
        apis = [audio.get_host_api_info_by_index(index) for index in range(audio.get_host_api_count())]
        # As restart_portaudio.
        with OPEN_STREAMS.restarting():
            if OPEN_STREAMS or any(api["name"] == JACK and api["deviceCount"] for api in apis):
                return
            audio.terminate()
            _start.cache_clear()
        # On Linux both packages share one PortAudio, which looks again when neither holds it.
        if "sounddevice" in sys.modules:
            restart_portaudio()

    def choose_rate_hz(self, device: SoundDevice, channels: int, preferred_hz: int) -> int:
        for count in (channels, device.channels):
            with contextlib.suppress(ValueError), quiet_stderr():
                _start().is_format_supported(
                    preferred_hz, input_device=device.index, input_channels=count, input_format=self._pyaudio.paFloat32
                )
                return preferred_hz
        return device.rate_hz

    def open(self, device: SoundDevice, asked: StreamFormat, receive: Receive) -> PyAudioStream:
        # PyAudio has no setting for the latency: PortAudio takes the device's "low" one, or two blocks if those are longer.
        def open_stream(take_block: Any) -> Any:
            return _start().open(
                rate=asked.rate_hz,
                channels=asked.channels,
                format=self._pyaudio.paFloat32,
                input=True,
                input_device_index=device.index,
                frames_per_buffer=asked.block_samples,
                start=False,
                stream_callback=take_block,
            )

        try:
            with quiet_stderr():
                return PyAudioStream(
                    open_stream, asked, receive, (self._pyaudio.paContinue, self._pyaudio.paInputOverflow)
                )
        except (OSError, ValueError) as error:
            raise CaptureError(str(error)) from error

    def _list(self) -> list[SoundDevice]:
        audio = _start()
        if self._loopback:
            default_index = -1
            with contextlib.suppress(OSError, LookupError):
                default_index = int(audio.get_default_wasapi_loopback()["index"])
            found = list(audio.get_loopback_device_info_generator())
        else:
            try:
                default_index = int(audio.get_default_input_device_info()["index"])
            except OSError:
                default_index = -1
            found = [audio.get_device_info_by_index(index) for index in range(audio.get_device_count())]
        devices = [
            SoundDevice(
                index=int(info["index"]),
                name=str(info["name"]),
                channels=min(MOST_CHANNELS, int(info["maxInputChannels"])),
                rate_hz=int(info["defaultSampleRate"]),
                is_default=int(info["index"]) == default_index,
            )
            for info in found
            if info["maxInputChannels"] > 0
        ]
        return sorted(devices, key=rank)


class PyAudioStream:
    """One open input."""

    def __init__(self, open_stream: Any, asked: StreamFormat, receive: Receive, flags: tuple[int, int]) -> None:
        self._channels = asked.channels
        self._rate_hz = asked.rate_hz
        self._receive = receive
        self._go_on, self._overflow = flags
        # PyAudio is not safe to ask and to close at the same time.
        self._lock = threading.Lock()
        OPEN_STREAMS.opened()
        try:
            self._stream: Any = open_stream(self._take_block)
        except BaseException:
            OPEN_STREAMS.closed()
            raise
        try:
            self._stream.start_stream()
        except BaseException:
            self.close()
            raise

    @property
    def active(self) -> bool:
        with self._lock:
            return self._stream is not None and bool(self._stream.is_active())

    @property
    def latency_s(self) -> float:
        with self._lock:
            return 0.0 if self._stream is None else float(self._stream.get_input_latency())

    def close(self) -> None:
        with self._lock:
            stream, self._stream = self._stream, None
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
            # Last: with a dead server `close` may never return, and a restart would close the stream again.
            OPEN_STREAMS.closed()

    def _take_block(self, sound: bytes, samples: int, times: Mapping[str, float], status: int) -> tuple[None, int]:
        # A view of PyAudio's own bytes.
        sound_TC = np.frombuffer(sound, np.float32).reshape(samples, self._channels)
        age_s = times["current_time"] - times["input_buffer_adc_time"] - samples / self._rate_hz
        self._receive(sound_TC, age_s, bool(status & self._overflow))
        return None, self._go_on


class _Stderr:
    """Silences stderr as long as anybody asks for it: two inputs may be opened at once, each in its own thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._quiet = 0
        self._kept = -1

    def silence(self) -> None:
        with self._lock:
            if not self._quiet:
                self._kept, nowhere = os.dup(_STDERR), os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, _STDERR)
                os.close(nowhere)
            self._quiet += 1

    def restore(self) -> None:
        with self._lock:
            self._quiet -= 1
            if not self._quiet:
                os.dup2(self._kept, _STDERR)
                os.close(self._kept)


_stderr = _Stderr()


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send what the C libraries of ALSA and JACK write on stderr nowhere: 80 lines about devices that do not exist."""
    if sys.platform != "linux":
        yield
        return
    _stderr.silence()
    try:
        yield
    finally:
        _stderr.restore()
