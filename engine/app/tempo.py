"""Opens the clocks outside that the configuration asks for, and lets the beat clock follow them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from engine.app.config import LiveConfig
from engine.audio.capture import AudioCapture
from engine.control.parameter_store import ControlSource
from engine.control.parameter_table import ShowValues
from engine.control.remotes.midi.clock import MidiClock
from engine.control.remotes.osc_senders import is_loopback
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.tempo.beat_follower import BeatFollower, FollowedSound
from engine.control.tempo.tempo_input import TempoInput
from engine.core.advertised_service import Bound, Service
from engine.core.clock import Clock
from engine.core.errors import ConfigError
from engine.core.this_machine import address_of, addresses, advertised_name

if TYPE_CHECKING:
    from engine.control.tempo.link_session import LinkSession
    from engine.control.tempo.os2l_server import Os2lServer

LOOPBACK = "127.0.0.1"
OS2L = "_os2l._tcp"
"""Where OS2L's senders look for a show."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenTempo:
    """The clocks outside that a show may follow; none of them may be there."""

    follower: BeatFollower | None = None
    midi: MidiClock | None = None
    link: LinkSession | None = None
    os2l: Os2lServer | None = None

    @property
    def followed_clock(self) -> str:
        """The clock that the beat follows; empty where it is the show's own."""
        return self.follower.following if self.follower else ""

    @property
    def link_peers(self) -> int:
        """Number of the other peers of Ableton Link."""
        return self.link.peers if self.link else 0

    @property
    def lines(self) -> list[str]:
        """What the start report says of them."""
        lines = ["link     joins the session of the network"] if self.link else []
        return [*lines, f"os2l     {self.os2l.host} port {self.os2l.port}"] if self.os2l else lines


def open_tempo(
    config: LiveConfig,
    access: RemoteAccess,
    store: ControlSource,
    capture: AudioCapture,
    clock: Clock,
    releasing: ExitStack,
) -> OpenTempo:
    """Open what the configuration asks for; `releasing` closes it. Raises ConfigError where that is impossible."""
    inputs: list[TempoInput] = []
    midi = link = os2l = None
    if config.link:
        from engine.control.tempo.link_session import LinkSession

        link = LinkSession(access, lambda now_s: capture.features_now(now_s, 0.0), clock)
        releasing.callback(link.close)
        inputs.append(link)
    if config.midi:
        from engine.control.tempo.midi_tempo import MidiTempo

        midi = MidiTempo(lambda runs: _set_transport(access, runs))
        inputs.append(midi)
    if config.os2l is not None:
        os2l = _open_os2l(config.os2l, access, inputs, clock, releasing)
        advertise_os2l(config.web_name or config.title, parse_os2l(config.os2l)[0], os2l.port, access.notify, releasing)
    if not inputs:
        return OpenTempo()
    sound = FollowedSound(capture.rate_hz, capture.newest_sample, store.values, store.follow)
    follower = BeatFollower(sound, tuple(inputs), clock)
    releasing.callback(follower.close)
    for part in (link, os2l, follower):
        if part:
            part.start()
    return OpenTempo(follower=follower, midi=midi, link=link, os2l=os2l)


def _open_os2l(
    given: str, access: RemoteAccess, inputs: list[TempoInput], clock: Clock, releasing: ExitStack
) -> Os2lServer:
    from engine.control.tempo.beat_messages_tempo import BeatMessagesTempo
    from engine.control.tempo.os2l_server import Os2lServer

    host, port = parse_os2l(given)
    tempo = BeatMessagesTempo()
    server = Os2lServer(access, tempo, host, port, clock)
    releasing.callback(server.close)
    inputs.append(tempo)
    return server


def advertise_os2l(name: str, host: str, port: int, notify: Callable[[str], None], releasing: ExitStack) -> None:
    """Tell the network where OS2L's senders find the show, until `releasing` is closed."""
    if find_spec("zeroconf") is None:
        notify(
            f"OS2L is not advertised, since zeroconf is missing; give the sender the address {host}:{port}, or: pip install zeroconf"
        )
        return
    from engine.core.advertising import Advertisement

    bound = Bound(address_of(host), port)
    # Senders on this machine find it by name too.
    here = (lambda: [bound.host]) if is_loopback(bound.host) else addresses
    advertisement = Advertisement(name, [Service(OS2L, bound)], advertised_name(port), here, notify)
    releasing.callback(advertisement.close)
    advertisement.start()


def parse_os2l(given: str) -> tuple[str, int]:
    """Return host and port of `[HOST:]PORT`. Raises ConfigError."""
    host, _, port = given.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port[:6]) <= 65535):
        raise ConfigError(f"os2l is {given!r}; a port or HOST:PORT was expected, e.g. 9996 or 0.0.0.0:9996.")
    return host or LOOPBACK, int(port)


def _set_transport(access: RemoteAccess, runs: bool) -> None:
    try:
        access.set(ShowValues.transport.name, runs, origin="midi clock")
    except ConfigError:
        # It is locked: the terminal was told.
        return
