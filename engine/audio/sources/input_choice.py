"""Which input a source spec means, and by which capture backend it is opened."""

from __future__ import annotations

import contextlib
import sys

from engine.audio.sources.capture_backend import CaptureBackend
from engine.audio.sources.microphone import Microphone
from engine.audio.sources.portaudio import JACK, SERVER_DEVICES
from engine.audio.sources.server_stream import can_read_server
from engine.audio.sources.sound_device import SoundDevice, pick
from engine.audio.sources.sound_server import SoundServerCapture
from engine.audio.sources.sounddevice_capture import SounddeviceCapture
from engine.audio.sources.spec import SourceSpec
from engine.core.clock import Clock
from engine.core.errors import ConfigError, SourceError, nearest_name

AUTO, SOUNDDEVICE, PYAUDIO = "auto", "sounddevice", "pyaudio"
CAPTURE_NAMES = (AUTO, SOUNDDEVICE, PYAUDIO)
"""The packages that open PortAudio's devices, and what takes the sound server directly where there is one."""
_BLACKHOLE = "BlackHole"


def open_input(spec: SourceSpec, clock: Clock, capture: str = AUTO) -> Microphone:
    """Find the device that a spec of the kinds mic, system or jack means; `capture` is one of CAPTURE_NAMES.

    Raises SourceError, and ConfigError for an unknown `capture`.
    """
    if spec.kind == "system":
        backend, wanted = _system(spec)
    elif spec.kind == "jack":
        backend, wanted = _jack(spec)
    else:
        backend, wanted = _microphone(spec, capture)
    return Microphone(backend, wanted, clock, kind=spec.kind, channels=spec.channels)


def _microphone(spec: SourceSpec, capture: str) -> tuple[CaptureBackend, str | None]:
    name = spec.detail or None
    portaudio = _portaudio(capture)
    if capture == AUTO and sys.platform == "linux" and (name is None or name.casefold() in SERVER_DEVICES):
        # The shortest way: PortAudio goes to the same server by a detour through ALSA.
        server = SoundServerCapture(in_stereo=not spec.channels, follows_default=not spec.channels)
        with contextlib.suppress(SourceError):
            if can_read_server():
                server.find(None)
                return server, None
    try:
        device = portaudio.find(name)
    except SourceError:
        if not name or sys.platform != "linux":
            raise
        # A source of the sound server, which PortAudio does not list one by one.
        return _server_source(name, portaudio)
    if sys.platform == "linux" and spec.channels and device.name in SERVER_DEVICES:
        return SoundServerCapture(), None
    return portaudio, name


def _server_source(name: str, portaudio: CaptureBackend) -> tuple[CaptureBackend, str]:
    """Return the way to a source of the sound server. Raises SourceError with all names there are."""
    server = SoundServerCapture()
    known: list[SoundDevice] = []
    for backend in (portaudio, server):
        with contextlib.suppress(SourceError):
            known += backend.inputs()
    pick(known, name)
    return server, name


def _portaudio(capture: str) -> CaptureBackend:
    if capture not in CAPTURE_NAMES:
        raise ConfigError(
            f"There is no capture backend '{capture}'.{nearest_name(capture, CAPTURE_NAMES)} One of {', '.join(CAPTURE_NAMES)} was expected."
        )
    if capture == PYAUDIO:
        # Imported where it is asked for: the package is an extra.
        from engine.audio.sources.pyaudio_capture import PyAudioCapture

        return PyAudioCapture()
    return SounddeviceCapture()


def _system(spec: SourceSpec) -> tuple[CaptureBackend, str | None]:
    name = spec.detail or None
    if sys.platform == "linux":
        return SoundServerCapture(monitors_only=True, in_stereo=not spec.channels), name
    if sys.platform == "win32":
        from engine.audio.sources.pyaudio_capture import PyAudioCapture

        return PyAudioCapture(loopback=True), name
    backend = SounddeviceCapture()
    try:
        backend.find(name or _BLACKHOLE)
    except SourceError as error:
        raise SourceError(
            f"'{spec.text}' cannot be opened: {sys.platform} gives no program what the machine plays; install the free driver "
            "BlackHole (existential.audio), choose it as output, and start again."
        ) from error
    return backend, name or _BLACKHOLE


def _jack(spec: SourceSpec) -> tuple[CaptureBackend, str]:
    if not spec.detail:
        raise SourceError("'jack' names no client; its name was expected, e.g. jack:system or jack:Ardour.")
    backend = SounddeviceCapture(host_api=JACK)
    if not backend.inputs():
        raise SourceError(
            f"'{spec.text}' needs a JACK server and none runs, or PortAudio was built without JACK; start jackd, or PipeWire "
            "with pw-jack in front of the command."
        )
    return backend, spec.detail
