"""Sound devices as PortAudio lists them. Nothing is imported before it is needed: a machine without PortAudio plays files."""

# sounddevice ships no types.
# pyright: basic

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from engine.core.errors import SourceError

PREFERRED_RATE_HZ = 48000
PULSE = "pulse"
"""On Linux the sound server's device: it shares the hardware, converts any rate and follows what the user has chosen."""
_MOST_CHANNELS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundDevice:
    """One device that sound can be taken from or given to."""

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
    """Let PortAudio look again: it knows only the devices that were there when it was started."""
    sounddevice = load_sounddevice()
    sounddevice._terminate()
    sounddevice._initialize()


def list_inputs() -> list[SoundDevice]:
    """List the devices that sound can be taken from, the default first. Raises SourceError without PortAudio."""
    return _list_devices("max_input_channels", 0)


def list_outputs() -> list[SoundDevice]:
    """List the devices that sound can be given to, the default first. Raises SourceError without PortAudio."""
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
    """Tell whether there is anything to listen to."""
    try:
        return bool(list_inputs())
    except SourceError:
        return False


def find_input(name: str | None) -> SoundDevice:
    """Return the device called `name`, or whose name contains it, whatever the case; the default one for None.

    Raises SourceError, listing what there is.
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
    """Return the output called `name`, or whose name contains it; the default one for None. Raises SourceError."""
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
        raise SourceError(f"No sound {kind} is called '{name}'; these are here: {known}.")
    return min(matches, key=lambda device: device.name.casefold() != wanted)


def choose_rate_hz(device: SoundDevice, preferred_hz: int = PREFERRED_RATE_HZ) -> int:
    """Return `preferred_hz` when the device accepts it, its own rate otherwise."""
    sounddevice = load_sounddevice()
    try:
        sounddevice.check_input_settings(
            device=device.index, channels=device.channels, dtype="float32", samplerate=preferred_hz
        )
    except (sounddevice.PortAudioError, ValueError):
        return device.rate_hz
    return preferred_hz
