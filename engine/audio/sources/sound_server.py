"""The sound server of Linux, PulseAudio or PipeWire: its sources by name, its monitors, and what it plays now.

On the way through PortAudio the server mixes channels by the places that it takes them for: of an interface with 18 channels
only the first few arrive, added up. Asked by name it gives every channel as it is.
"""

# pulsectl ships no types.
# pyright: basic

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from engine.audio.sources.capture_backend import CaptureStream, Receive, StreamFormat
from engine.audio.sources.portaudio import PREFERRED_RATE_HZ
from engine.audio.sources.server_stream import ServerStream
from engine.audio.sources.sound_device import SoundDevice, match, pick
from engine.core.errors import SourceError

_CLIENT = "fluid"
_LOOK_EVERY_S = 1.0
_STEREO = (1, 2)
"""The server's numbers of front left and front right."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerSource(SoundDevice):
    """One source of the server: an input, or the monitor of an output."""

    channel_map: tuple[int, ...]
    """The server's number of each channel's place."""
    is_monitor: bool


@contextlib.contextmanager
def connect() -> Iterator[Any]:
    """Yield a connection to the server. Raises SourceError where there is none."""
    try:
        import pulsectl
    except ImportError as error:
        raise SourceError(
            "The package pulsectl is missing, so the sound server cannot be asked; install it with: pip install pulsectl"
        ) from error
    except OSError as error:
        raise SourceError(
            "The library of PulseAudio is missing, so the sound server cannot be asked; install it (Debian, Ubuntu: "
            "apt install libpulse0)."
        ) from error
    try:
        with pulsectl.Pulse(_CLIENT, connect=False) as server:
            server.connect(autospawn=False)
            yield server
    except (pulsectl.PulseError, pulsectl.PulseDisconnected) as error:
        raise SourceError(
            "No sound server answers (PulseAudio or PipeWire); start it, or choose an input of --devices."
        ) from error


def list_sources(server: Any, monitors_only: bool) -> list[ServerSource]:
    """Return the monitors, that of the default output first; or all sources, the default first, monitors last."""
    facts, infos = server.server_info(), server.source_list()
    default = facts.default_sink_name if monitors_only else facts.default_source_name
    names = Counter(str(info.description) for info in infos)
    sources = [
        ServerSource(
            index=int(info.index),
            # A description that two sources share says nothing.
            name=str(info.description if names[str(info.description)] == 1 else info.name),
            key=str(info.name),
            channels=int(info.channel_count),
            # The server converts to every rate.
            rate_hz=PREFERRED_RATE_HZ,
            is_default=default == (info.monitor_of_sink_name if monitors_only else info.name),
            channel_map=tuple(int(place) for place in info.channel_list_raw),
            is_monitor=bool(info.monitor_of_sink_name),
        )
        for info in infos
        if info.monitor_of_sink_name or not monitors_only
    ]
    return sorted(sources, key=lambda source: (not source.is_default, source.is_monitor, source.index))


class SoundServerCapture:
    """The server's sources; with `monitors_only` what the machine plays; `in_stereo` as the server mixes them down."""

    opens_again = True
    has_own_threads = True

    def __init__(self, *, monitors_only: bool = False, in_stereo: bool = False, follows_default: bool = False) -> None:
        self.follows_default = follows_default
        self._monitors_only = monitors_only
        self._in_stereo = in_stereo
        self._wanted: str | None = None

    def inputs(self) -> list[ServerSource]:
        with connect() as server:
            return list_sources(server, self._monitors_only)

    def find(self, name: str | None) -> SoundDevice:
        self._wanted = name
        return self._as_opened(
            pick(self.inputs(), name, "output to listen to" if self._monitors_only else "sound input")
        )

    def refresh(self) -> None:
        """Do nothing: the server's list is always new."""

    def choose_rate_hz(self, device: SoundDevice, channels: int, preferred_hz: int) -> int:
        return preferred_hz

    def open(self, device: SoundDevice, asked: StreamFormat, receive: Receive) -> CaptureStream:
        assert isinstance(device, ServerSource)
        stream = ServerStream(device.key, device.channel_map, asked, receive)
        wanted = self._wanted
        threading.Thread(
            target=self._watch, args=[stream, device.key, wanted], name="sound server", daemon=True
        ).start()
        return stream

    def _as_opened(self, source: ServerSource) -> ServerSource:
        if not self._in_stereo:
            return source
        # The server mixes surround sound down as its user set it up.
        return replace(source, channels=len(_STEREO), channel_map=_STEREO)

    def _watch(self, stream: ServerStream, key: str, wanted: str | None) -> None:
        """End the stream when its source is gone, or when another one is the default that is followed.

        The server itself moves a stream to another source then, and a show must not go on with another microphone.
        """
        with contextlib.suppress(SourceError), connect() as server:
            server.event_mask_set("server", "sink", "source")
            server.event_callback_set(lambda event: server.event_listen_stop())
            while stream.active:
                server.event_listen(timeout=_LOOK_EVERY_S)
                now = match(list_sources(server, self._monitors_only), wanted)
                if now is None or now.key != key:
                    stream.end()
