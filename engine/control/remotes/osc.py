"""Open Sound Control: any fader box or desk sets the show's parameters over UDP.

Every parameter is an address, `/fluid/NAME value`. What cannot be understood is counted and answered with `/fluid/error`;
nothing that arrives can stop the show.
"""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from typing import Any

from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.osc_packet import OscPacket, ParseError
from pythonosc.parsing.osc_types import ParseError as TypeParseError
from pythonosc.parsing.osc_types import get_string

from engine.control.parameter_store import ParameterStore
from engine.core.errors import ConfigError, nearest_name

PREFIX = "/fluid/"
ERROR, PONG = PREFIX + "error", PREFIX + "pong"
PING, STATS = PREFIX + "ping", PREFIX + "stats"
RECEIVE_BUFFER_BYTES = 4 << 20
"""A burst of thousands of messages fits; what the system grants may be less."""
_TYPE_TAGS = frozenset("ihfdsbrmtTFN[]")
_LONGEST_ANSWER = 500
_POLL_S = 0.1

Answer = tuple[str, tuple[float | int | bool | str, ...]]


def address(name: str) -> str:
    """Return the OSC address of a parameter."""
    return PREFIX + name


class OscServer:
    """Listens in a thread of its own from `start` to `close`."""

    def __init__(
        self,
        store: ParameterStore,
        host: str,
        port: int,
        describe_stats: Callable[[], Mapping[str, float]] = dict[str, float],
    ) -> None:
        """Take the port (0: any free one). Raises ConfigError when that is impossible."""
        self._store = store
        self._describe_stats = describe_stats
        self.received = 0
        """Messages so far, with those that were refused."""
        self.refused = 0
        self.clipped = 0
        _silence_python_osc()
        try:
            self._server = _Server((host, port), self)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(
                f"Cannot listen to OSC on {host} port {port}: {reason}; choose another with --osc-port or --osc-host, "
                "or leave it out with --no-osc."
            ) from error
        self.host, self.port = host, int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), name="osc", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop and release the port; safe to call twice."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def answer(self, datagram: bytes) -> list[Answer]:
        """Do what a datagram says and return what its sender is told."""
        try:
            messages = _parse(datagram)
        except ConfigError as error:
            self.received += 1
            return [self._refusal(error)]
        answers = [self._answer_message(message) for message in messages]
        return [answer for answer in answers if answer]

    def _answer_message(self, message: OscMessage) -> Answer | None:
        self.received += 1
        if message.address in (ERROR, PONG):
            # Two shows that mistake each other for remotes must not answer each other for ever.
            return None
        try:
            return self._obey(message.address, _values(message))
        except ConfigError as error:
            return self._refusal(error)

    def _obey(self, to: str, values: list[Any]) -> Answer | None:
        if to == PING:
            return PONG, ()
        if to == STATS:
            return STATS, tuple(item for pair in self._describe_stats().items() for item in pair)
        name = to.removeprefix(PREFIX)
        # Looked up once: another model's parameters may take the place of these at any moment.
        parameter = self._store.parameters.get(name) if to.startswith(PREFIX) else None
        if parameter is None:
            known = [PING, STATS, *map(address, self._store.parameters)]
            nearest = nearest_name(to if to.startswith(PREFIX) else PREFIX + to.lstrip("/"), known)
            raise ConfigError(f"There is no address {to[:100]}.{nearest}")
        if len(values) > 1:
            raise ConfigError(f"{to} takes one value, not {len(values)}.")
        if not values and not parameter.happens:
            return to, (self._store.values().get(name, parameter.default),)
        applied = self._store.set(name, values[0] if values else None)
        if applied.clipped:
            self.clipped += 1
            return ERROR, (f"{name} takes {parameter.expected()}; it is now {applied.value:g}.",)
        return None

    def _refusal(self, error: ConfigError) -> Answer:
        self.refused += 1
        return ERROR, (str(error)[:_LONGEST_ANSWER],)


class _Server(socketserver.UDPServer):
    """One datagram at a time, in order."""

    max_packet_size = 65536
    allow_reuse_address = False

    def __init__(self, where: tuple[str, int], osc: OscServer) -> None:
        self.osc = osc
        super().__init__(where, _Handler)

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        super().server_bind()


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        datagram, own_socket = self.request
        server = self.server
        assert isinstance(server, _Server)
        for to, values in server.osc.answer(datagram):
            try:
                own_socket.sendto(_build(to, values), self.client_address)
            except OSError:
                # Nobody is there to be told.
                return


def _parse(datagram: bytes) -> list[OscMessage]:
    """Return the messages of a datagram, those of bundles in order of their times, which are not waited for."""
    sentence = "This datagram is not OSC; send messages like /fluid/gain_db with one number."
    if len(datagram) % 4:
        # python-osc would fill up what is missing.
        raise ConfigError(sentence)
    try:
        messages = [timed.message for timed in OscPacket(datagram).messages]
    except (ParseError, TypeParseError, UnicodeError, RecursionError, ValueError, IndexError) as error:
        raise ConfigError(sentence) from error
    if not messages:
        # So it reads bundles whose lengths are nonsense.
        raise ConfigError(sentence)
    return messages


def _values(message: OscMessage) -> list[Any]:
    """Return a message's values. Raises ConfigError for kinds that python-osc passes over in silence."""
    _, after_address = get_string(message.dgram, 0)
    tags = get_string(message.dgram, after_address)[0] if message.dgram[after_address:] else ""
    for tag in tags.removeprefix(","):
        if tag not in _TYPE_TAGS:
            raise ConfigError(f"{message.address[:100]} came with a value of unknown OSC type '{tag}'; send a number.")
    return list(message.params)


def _build(to: str, values: tuple[float | int | bool | str, ...]) -> bytes:
    builder = OscMessageBuilder(address=to)
    for value in values:
        builder.add_arg(value)
    return builder.build().dgram


def _silence_python_osc() -> None:
    """python-osc warns of odd datagrams on the root logger, which prints them unless somebody else takes them."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())
