"""The inputs of this machine, as `--devices` prints them."""

from __future__ import annotations

import sys

from engine.audio.sources.portaudio import JACK, list_inputs
from engine.audio.sources.sound_device import SoundDevice
from engine.audio.sources.sound_server import connect, list_sources
from engine.core.errors import SourceError


def device_table() -> list[str]:
    """Return a line for each input, as --source takes it: PortAudio's, JACK's clients, the sound server's, what it plays."""
    lines: list[str] = []
    clients: list[SoundDevice] = []
    try:
        clients = list_inputs(JACK)
        inputs = [device for device in list_inputs() if device not in clients]
        lines += [_line("mic", device) for device in inputs] + [_line("jack", client) for client in clients]
    except SourceError as error:
        lines.append(str(error))
    if sys.platform == "linux":
        lines += _server_lines()
    return lines or ["No microphone or other sound input was found."]


def _server_lines() -> list[str]:
    """Return the sources of the sound server; none without a server, which many machines do not have."""
    try:
        with connect() as server:
            sources = list_sources(server, monitors_only=False)
            outputs = list_sources(server, monitors_only=True)
    except SourceError:
        return []
    return [
        *(_line("mic", source) for source in sources if not source.is_monitor),
        *(_line("system", output) + (", played now: system" if output.is_default else "") for output in outputs),
    ]


def _line(kind: str, device: SoundDevice) -> str:
    return f"{kind}:{device.name}  ({device.channels} channels, {device.rate_hz} Hz)"
