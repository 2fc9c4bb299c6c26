"""PortAudio's sound devices. sounddevice is imported on first use: a machine without PortAudio can play files."""

# sounddevice ships no types.
# pyright: basic

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from engine.core.errors import SourceError

PREFERRED_RATE_HZ = 48000
PULSE = "pulse"
"""The sound server's device on Linux: it shares the hardware, converts rates and follows the user's choice."""
_MOST_CHANNELS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundDevice:
    """One input or output."""

    index: int
    name: str
    channels: int
    rate_hz: int
    is_default: bool


def load_sounddevice() -> Any:
    """Import sounddevice. Raises SourceError, naming the package that is missing."""
    try:
        import sounddevice
    except OSError as error:
        raise SourceError(
            "The PortAudio library is missing, so no microphone can be opened; install it (Debian, Ubuntu: "
            "apt install libportaudio2 libasound2-plugins), or play a file or 'demo' instead."
        ) from error
    except ImportError as error:
        raise SourceError(
            "The package sounddevice is missing, so no microphone can be opened; install it with: pip install sounddevice"
        ) from error
    return sounddevice


def restart_portaudio() -> None:
    """Refresh the device list: PortAudio reads it once, when it starts."""
    sounddevice = load_sounddevice()
    sounddevice._terminate()
    sounddevice._initialize()


def list_inputs() -> list[SoundDevice]:
    """Return the inputs, the default first. Raises SourceError without PortAudio."""
    return _list_devices("max_input_channels", 0)


def list_outputs() -> list[SoundDevice]:
    """Return the outputs, the default first. Raises SourceError without PortAudio."""
    return _list_devices("max_output_channels", 1)


def _list_devices(channels: str, side: int) -> list[SoundDevice]:
    sounddevice = load_sounddevice()
    default_index = int(sounddevice.default.device[side])
    devices = [
        SoundDevice(
            index=int(device["index"]),
            name=str(device["name"]),
            channels=min(_MOST_CHANNELS, int(device[channels])),
            rate_hz=int(device["default_samplerate"]),
            is_default=int(device["index"]) == default_index,
        )
        for device in sounddevice.query_devices()
        if device[channels] > 0
    ]
    return sorted(devices, key=_rank)


def _rank(device: SoundDevice) -> tuple[bool, bool, int]:
    prefer_pulse = sys.platform == "linux" and device.name == PULSE
    return (not prefer_pulse, not device.is_default, device.index)


def has_microphone() -> bool:
    """Return whether there is any input."""
    try:
        return bool(list_inputs())
    except SourceError:
        return False


def find_input(name: str | None) -> SoundDevice:
    """Return the input whose name is or contains `name`, ignoring case; the default one for None.

    Raises SourceError with the list of inputs.
    """
    devices = list_inputs()
    if not devices:
        restart_portaudio()
        devices = list_inputs()
    if not devices:
        raise SourceError(
            "No microphone or other sound input was found; connect one, start the sound server, or play a file or 'demo'."
        )
    return _find(devices, name, "input")


def find_output(name: str | None) -> SoundDevice:
    """Return the output whose name is or contains `name`, ignoring case; the default one for None. Raises SourceError."""
    devices = list_outputs()
    if not devices:
        raise SourceError("No loudspeaker or other sound output was found; connect one or start the sound server.")
    return _find(devices, name, "output")


def _find(devices: list[SoundDevice], name: str | None, kind: str) -> SoundDevice:
    if name is None:
        return devices[0]
    wanted = name.casefold()
    matches = [device for device in devices if wanted in device.name.casefold()]
    if not matches:
        known = ", ".join(f"'{device.name}'" for device in devices)
        raise SourceError(f"No sound {kind} is called '{name}'; available: {known}.")
    return min(matches, key=lambda device: device.name.casefold() != wanted)


def choose_rate_hz(device: SoundDevice, preferred_hz: int = PREFERRED_RATE_HZ) -> int:
    """Return `preferred_hz` if the device accepts it, else the device's own rate."""
    sounddevice = load_sounddevice()
    try:
        sounddevice.check_input_settings(
            device=device.index, channels=device.channels, dtype="float32", samplerate=preferred_hz
        )
    except (sounddevice.PortAudioError, ValueError):
        return device.rate_hz
    return preferred_hz
