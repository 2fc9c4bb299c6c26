"""Ableton Link: joins the session of the network, and gives it the show's beat where the show follows another one.

The library (aalink, GPL-3.0-or-later) wants an event loop, so it has a thread with one of its own. Nothing else talks to it: the
others read the newest position, which is a value.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import threading
from collections.abc import Callable, Mapping
from typing import Any

from engine.audio.features.audio_features import AudioFeatures
from engine.audio.features.beat_clock import BEATS_A_BAR
from engine.control.parameter import Value
from engine.control.parameter_table import TEMPO_SOURCES, ShowValues
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.tempo.link_steering import LinkSteering
from engine.control.tempo.tempo_input import TempoPosition
from engine.core.clock import Clock
from engine.core.errors import ConfigError

LIBRARY = "aalink"
START_BPM = 120.0
ASKED_EVERY_S = 0.02
JOINS_WITHIN_S = 0.5
"""So long the session may take to find the show; what the show gave it sooner could overwrite the session's tempo."""
STALE_S = 1.0
"""A position that old means that the library hangs."""
CLOSE_WITHIN_S = 1.0


class LinkSession:
    """The show as a peer of a Link session, from `start` to `close`. A Remote and a TempoInput."""

    name = "link"

    def __init__(self, access: RemoteAccess, beat_now: Callable[[float], AudioFeatures], clock: Clock) -> None:
        """`beat_now` returns the features at a time, the beat of the show among them. Raises ConfigError without the library."""
        if importlib.util.find_spec(LIBRARY) is None:
            raise ConfigError(f'Ableton Link needs {LIBRARY}; install it with: pip install -e ".[link]"')
        self._access = access
        self._beat_now = beat_now
        self._clock = clock
        self._position: tuple[TempoPosition, int] | None = None
        """The position of the session, and the number of the other peers."""
        self._transport = _Transport(access, self.name)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)

    @property
    def peers(self) -> int:
        """Number of the other peers in the session."""
        return self._position[1] if self._position else 0

    def position(self, now_s: float) -> TempoPosition | None:
        """Return where the session is; None without other peers."""
        if self._position is None or now_s - self._position[0].at_s > STALE_S or not self._position[1]:
            return None
        return self._position[0]

    def start(self) -> None:
        """Join the session."""
        self._thread.start()

    def close(self) -> None:
        """Leave the session; safe to call twice, and without `start`."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_WITHIN_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._join())
        except (OSError, RuntimeError) as error:
            self._access.notify(f"Ableton Link has ended ({error}). The show goes on without it.")

    async def _join(self) -> None:
        aalink: Any = importlib.import_module(LIBRARY)
        link: Any = aalink.Link(START_BPM)
        link.quantum = float(BEATS_A_BAR)
        link.start_stop_sync_enabled = True
        # A peer that joins as soon as it is made may bring its own tempo into the session.
        await self._pause(JOINS_WITHIN_S)
        link.enabled = True
        steering, joined_s = LinkSteering(), self._clock.now_s()
        while not self._closing.is_set():
            position = self._read(link)
            if position.at_s - joined_s >= JOINS_WITHIN_S:
                if leads(self._access.values(), self.peers):
                    steering.attend(link, position, self._beat_now(position.at_s))
                self._transport.attend(link)
            await asyncio.sleep(ASKED_EVERY_S)
        link.enabled = False

    async def _pause(self, seconds: float) -> None:
        """Let time pass, or less where the show ends."""
        end_s = self._clock.now_s() + seconds
        while self._clock.now_s() < end_s and not self._closing.is_set():
            await asyncio.sleep(ASKED_EVERY_S)

    def _read(self, link: Any) -> TempoPosition:
        before_s = self._clock.now_s()
        beats = float(link.beat)
        at_s = 0.5 * (before_s + self._clock.now_s())
        position = TempoPosition(at_s, beats, float(link.tempo), True)
        self._position = position, int(link.num_peers)
        return position


def leads(values: Mapping[str, Value], peers: int) -> bool:
    """Return whether the show gives the session its beat: it does not while it follows the session."""
    follows = TEMPO_SOURCES[ShowValues(values).tempo_source] in ("auto", "link")
    return not (follows and peers)


class _Transport:
    """Keeps the parameter `transport` and the session's start and stop the same."""

    def __init__(self, access: RemoteAccess, origin: str) -> None:
        self._access = access
        self._origin = origin
        self._plays: bool = False
        self._wanted: bool = False

    def attend(self, link: Any) -> None:
        """Pass on whichever of the two has changed; the session's first."""
        plays, wanted = bool(link.playing), ShowValues(self._access.values()).transport
        if plays != self._plays:
            wanted = self._told(plays)
        elif wanted != self._wanted:
            link.playing = plays = wanted
        self._plays, self._wanted = plays, wanted

    def _told(self, plays: bool) -> bool:
        """Set the parameter and return its value. Where it is locked, it stays."""
        try:
            return bool(self._access.set(ShowValues.transport.name, plays, origin=self._origin).value)
        except ConfigError:
            return ShowValues(self._access.values()).transport
