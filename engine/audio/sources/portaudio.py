"""PortAudio's sound devices, by way of sounddevice, which is imported on first use: a machine without PortAudio can
play files."""

# sounddevice ships no types.
# pyright: basic

from __future__ import annotations

import atexit
import sys
import threading
from contextlib import AbstractContextManager
from typing import Any

from engine.audio.sources.sound_device import SoundDevice, pick
from engine.audio.sources.spec import MOST_CHANNELS
from engine.core.errors import SourceError

PREFERRED_RATE_HZ = 48000
PULSE = "pulse"
"""The sound server's device on Linux: it shares the hardware, converts rates and follows the user's choice."""
SERVER_DEVICES = (PULSE, "default", "pipewire")
"""Devices of PortAudio that lead to the sound server, which mixes channels on this way by what it takes them for."""
JACK = "JACK Audio Connection Kit"
_OUTPUT_CHANNELS = 2
"""Outputs are played in stereo at most."""


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


_LISTED = threading.Lock()
"""PortAudio must not end while another thread reads its list or opens a stream."""


class OpenStreams:
    """Counts the streams that are open or being opened in this process: a restart of PortAudio would end them all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def __bool__(self) -> bool:
        return self._count > 0

    def opened(self) -> None:
        """Count one that is about to be opened, once PortAudio is not being restarted."""
        with _LISTED, self._lock:
            self._count += 1

    def restarting(self) -> AbstractContextManager[object]:
        """Return the lock under which PortAudio may be restarted while nothing is counted."""
        return _LISTED

    def closed(self) -> None:
        with self._lock:
            self._count -= 1


OPEN_STREAMS = OpenStreams()


def restart_portaudio() -> None:
    """Refresh the device list, which PortAudio reads once, when it starts; not while a stream is open.

    Nor where PortAudio is a client of JACK: after the end of that server, PortAudio's own end takes the process with it.
    """
    sounddevice = load_sounddevice()
    with _LISTED:
        if OPEN_STREAMS or _has_jack(sounddevice):
            return
        sounddevice._terminate()
        sounddevice._initialize()


def _has_jack(sounddevice: Any) -> bool:
    return any(api["name"] == JACK and api["devices"] for api in sounddevice.query_hostapis())


def list_inputs(host_api: str | None = None) -> list[SoundDevice]:
    """Return the inputs, of all of PortAudio's host APIs or one, the default first. Raises SourceError without PortAudio."""
    return _list_devices("max_input_channels", 0, MOST_CHANNELS, host_api)


def list_outputs() -> list[SoundDevice]:
    """Return the outputs, the default first. Raises SourceError without PortAudio."""
    return _list_devices("max_output_channels", 1, _OUTPUT_CHANNELS)


def _list_devices(channels: str, side: int, most_channels: int, host_api: str | None = None) -> list[SoundDevice]:
    sounddevice = load_sounddevice()
    with _LISTED:
        if _has_jack(sounddevice):
            # At the process' exit PortAudio would abort, too, if JACK had ended before.
            atexit.unregister(sounddevice._exit_handler)
        default_index = int(sounddevice.default.device[side])
        devices = [
            SoundDevice(
                index=int(device["index"]),
                name=str(device["name"]),
                channels=min(most_channels, int(device[channels])),
                rate_hz=int(device["default_samplerate"]),
                is_default=int(device["index"]) == default_index,
            )
            for device in sounddevice.query_devices()
            if device[channels] > 0
            and (host_api is None or sounddevice.query_hostapis(device["hostapi"])["name"] == host_api)
        ]
    return sorted(devices, key=rank)


def rank(device: SoundDevice) -> tuple[bool, bool, int]:
    """Return the key that sorts devices: the sound server, the default, the others."""
    prefer_pulse = sys.platform == "linux" and device.name == PULSE
    return (not prefer_pulse, not device.is_default, device.index)


def has_microphone() -> bool:
    """Return whether there is any input."""
    try:
        return bool(list_inputs())
    except SourceError:
        return False


def find_output(name: str | None) -> SoundDevice:
    """Return the output whose name is or contains `name`, ignoring case; the default one for None. Raises SourceError."""
    devices = list_outputs()
    if not devices:
        raise SourceError("No loudspeaker or other sound output was found; connect one or start the sound server.")
    return pick(devices, name, "sound output")
