"""Listens to OS2L senders such as VirtualDJ: their beats lead the beat clock, their buttons set parameters and recall scenes.

A button whose name ends in a number recalls that scene ("scene 3", "3"); one that is named like a trigger gives it, and one that is
named like a parameter that is on or off switches it while it is pressed. A command recalls the scene of its number when its fader
goes up. All goes through RemoteAccess; what cannot be applied is counted and told once.
"""

from __future__ import annotations

import re
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from engine.control.parameter_table import ShowValues
from engine.control.remotes.remote_access import LockedError, RemoteAccess
from engine.control.tempo.beat_messages_tempo import BeatMessagesTempo
from engine.control.tempo.os2l_messages import BeatMessage, ButtonMessage, CommandMessage, Message, MessageReader
from engine.core.clock import Clock
from engine.core.errors import ConfigError
from engine.core.notices import ToldOnce
from engine.core.printable import printable_name
from engine.core.server_thread import bind_socket, in_words
from engine.core.token_bucket import Bucket

MOST_SENDERS = 4
MOST_FADERS = 128
READ_BYTES = 512
READS_A_SECOND, READS_AT_ONCE = 100.0, 200.0
"""A sender that sends more is dropped: VirtualDJ sends a few messages a second."""
WAITS_S = 0.1
CLOSE_WITHIN_S = 1.0
MOST_TOLD = 32
_SCENE_NAME = re.compile(r"(?:scene)?[ _:-]*(\d{1,3})", re.IGNORECASE)


@dataclass(slots=True)
class Os2lCounts:
    """What came so far."""

    beats: int = 0
    commands: int = 0
    """Buttons and commands that were applied."""
    refused: int = 0
    """Messages that were none, or could not be applied."""
    dropped_senders: int = 0


@dataclass(slots=True)
class _Sender:
    """One connection."""

    address: str
    reader: MessageReader = field(default_factory=MessageReader)
    bucket: Bucket = field(default_factory=lambda: Bucket(READS_A_SECOND, READS_AT_ONCE))
    faders_up: set[int] = field(default_factory=set[int])
    """Commands whose fader is up."""

    def is_news(self, message: Message) -> bool:
        """Return whether a message says something new: of a fader that goes up, the first one does."""
        if not isinstance(message, CommandMessage):
            return True
        if message.strength <= 0.0:
            self.faders_up.discard(message.number)
            return False
        was_up = message.number in self.faders_up
        if len(self.faders_up) < MOST_FADERS:
            self.faders_up.add(message.number)
        return not was_up


class Os2lServer:
    """Serves in a thread of its own, from `start` to `close`. A Remote."""

    def __init__(self, access: RemoteAccess, tempo: BeatMessagesTempo, host: str, port: int, clock: Clock) -> None:
        """Bind the port. Raises ConfigError where that is impossible."""
        self._access = access
        self._tempo = tempo
        self._clock = clock
        self.counts = Os2lCounts()
        self._told = ToldOnce(access.notify, MOST_TOLD)
        self._socket = bind_socket(
            socket.SOCK_STREAM, host, port, purpose="listen to OS2L", way_out="choose another with --os2l HOST:PORT"
        )
        self._socket.listen(MOST_SENDERS)
        self.host, self.port = in_words(host), int(self._socket.getsockname()[1])
        self._senders: dict[socket.socket, _Sender] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="os2l", daemon=True)

    @property
    def name(self) -> str:
        """Where it listens."""
        return f"os2l {self.host} port {self.port}"

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """End all connections and release the port; safe to call twice, and without `start`."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_WITHIN_S)
        self._socket.close()

    def take(self, message: Message, at_s: float, origin: str) -> None:
        """Apply a message that came at `at_s`."""
        match message:
            case BeatMessage():
                self.counts.beats += 1
                self._tempo.add(message, at_s)
            case ButtonMessage(name, is_pressed):
                self._apply(lambda: self._press(name, is_pressed, origin))
            case CommandMessage(number, strength):
                if strength > 0.0:
                    self._apply(lambda: self._set(ShowValues.scene.name, number, origin))

    def _apply(self, setting: Callable[[], None]) -> None:
        try:
            setting()
            self.counts.commands += 1
        except ConfigError as error:
            self.counts.refused += 1
            sentence = str(error).split(" Known are ")[0]
            if not isinstance(error, LockedError):
                self._told.tell(sentence, lambda: f"OS2L: {sentence}")

    def _press(self, name: str, is_pressed: bool, origin: str) -> None:
        scene = _SCENE_NAME.fullmatch(name.strip())
        if scene:
            if is_pressed:
                self._set(ShowValues.scene.name, int(scene[1]), origin)
            return
        parameter = self._access.find(name.strip().casefold().replace(" ", "_"))
        if parameter is None or parameter.kind not in ("trigger", "bool"):
            raise ConfigError(
                f"the button '{printable_name(name)}' is neither a scene, such as 'scene 3', nor a parameter that is a trigger or on "
                "or off; rename it in the sender."
            )
        if parameter.kind == "bool" or is_pressed:
            self._set(parameter.name, is_pressed, origin)

    def _set(self, name: str, value: int | bool, origin: str) -> None:
        self._access.set(name, value, origin=origin)

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            while not self._closing.is_set():
                for key, _ in selector.select(WAITS_S):
                    ready = key.fileobj
                    assert isinstance(ready, socket.socket)
                    if ready is self._socket:
                        self._accept(selector)
                    # One that made room in this turn has nothing to say.
                    elif ready in self._senders and not self._read(ready, self._senders[ready]):
                        self._drop(selector, ready)
            for connection in list(self._senders):
                self._drop(selector, connection)

    def _accept(self, selector: selectors.BaseSelector) -> None:
        with suppress(OSError):
            connection, address = self._socket.accept()
            if len(self._senders) >= MOST_SENDERS:
                # One that is gone without a word keeps nobody out.
                self.counts.dropped_senders += 1
                self._told.tell(
                    "many", lambda: f"OS2L: more than {MOST_SENDERS} senders; the one silent longest makes room."
                )
                self._drop(selector, next(iter(self._senders)))
            connection.setblocking(False)
            self._senders[connection] = _Sender(str(address[0]))
            selector.register(connection, selectors.EVENT_READ)
            self._told.tell(f"from {address[0]}", lambda: f"os2l     {address[0]} is connected")

    def _read(self, connection: socket.socket, sender: _Sender) -> bool:
        """Take what came, and return whether the connection stays."""
        now_s = self._clock.now_s()
        try:
            received = connection.recv(READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not received:
            return False
        # The last one is the one that spoke last.
        self._senders[connection] = self._senders.pop(connection)
        if not sender.bucket.take(now_s):
            self.counts.dropped_senders += 1
            self._told.tell(
                f"flood {sender.address}", lambda: f"OS2L: {sender.address} sends too much and is disconnected."
            )
            return False
        refused_before = sender.reader.refused
        for message in sender.reader.feed(received):
            if sender.is_news(message):
                self.take(message, now_s, f"os2l {sender.address}")
        self.counts.refused += sender.reader.refused - refused_before
        return not sender.reader.is_foreign

    def _drop(self, selector: selectors.BaseSelector, connection: socket.socket) -> None:
        selector.unregister(connection)
        del self._senders[connection]
        connection.close()
