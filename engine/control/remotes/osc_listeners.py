"""Machines that a show tells of itself by OSC without being asked: `--osc-out HOST:PORT`."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
import threading
from collections.abc import Callable
from typing import NamedTuple

from engine.control.remotes.osc import OscServer
from engine.control.remotes.osc_feedback import Follower
from engine.control.remotes.osc_senders import is_loopback, machine_origin, origin_of
from engine.core.errors import ConfigError
from engine.core.server_thread import in_words, parse_host
from engine.core.structured import shown

RESOLVES_AGAIN_S = 10.0
_FULL = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS)
"""The system has no room for a datagram at this moment."""


class ListenerAddress(NamedTuple):
    """Where a listener is."""

    host: str
    """A name, or an address without brackets."""
    port: int

    def __str__(self) -> str:
        return f"{in_words(self.host)} port {self.port}"


def parse_listener(given: str) -> ListenerAddress:
    """Return the host and port of a text such as "10.0.0.7:9001" or "[::1]:9001". Raises ConfigError."""
    parts = re.fullmatch(r"(\[[^\[\]]+\]|[^:\[\]\s]+):(\d{1,5})", given.strip())
    if not parts or not 0 < int(parts[2]) < 1 << 16:
        raise ConfigError(
            f"osc_out names {shown(given)}; a host and a port were expected, e.g. 10.0.0.7:9001, or [fd00::7]:9001 with IPv6."
        )
    return ListenerAddress(parse_host(parts[1])[1], int(parts[2]))


class Listener:
    """One listener. Any thread sends; sending never waits and never raises."""

    def __init__(
        self, address: ListenerAddress, notify: Callable[[str], None], server: OscServer | None = None
    ) -> None:
        """Look for the host in the background, where it is a name. `server` is where this show listens: values are sent from its port,
        so that another show knows whom they come from. Raises ConfigError for the address of `server` itself."""
        self.address = address
        self.follower: Follower | None = None
        """It as a follower of changes; None while its host is not found."""
        self._notify = notify
        self._server = server
        self._socket: socket.socket | None = None
        self._has_failed = False
        self._closing = threading.Event()
        if _is_address(address.host):
            if server and server.is_own((address.host, address.port)):
                raise ConfigError(f"osc_out names {address}, where this show itself listens to OSC; name another port.")
            try:
                self._open()
                return
            except OSError as error:
                self._fail(error)
        threading.Thread(target=self._find, name=f"osc out {address}", daemon=True).start()

    def send(self, datagram: bytes) -> None:
        """Send what the show tells of itself."""
        if self._socket:
            try:
                self._socket.send(datagram)
            except OSError as error:
                self._fail(error)

    def close(self) -> None:
        """Send nothing more; safe to call twice."""
        self._closing.set()
        opened, self._socket = self._socket, None
        if opened:
            opened.close()

    def _find(self) -> None:
        while not self._closing.is_set():
            try:
                self._open()
                return
            except OSError as error:
                self._fail(error)
            self._closing.wait(RESOLVES_AGAIN_S)

    def _open(self) -> None:
        """Raises OSError where the host is not known, or no network leads there."""
        found = socket.getaddrinfo(self.address.host, self.address.port, type=socket.SOCK_DGRAM)[0]
        family, to = socket.AddressFamily(found[0]), found[4]
        opened = socket.socket(family, socket.SOCK_DGRAM)
        opened.setblocking(False)
        try:
            # A connected socket is told that nobody listens.
            opened.connect(to)
        except OSError:
            opened.close()
            raise
        self._socket = opened
        self.follower = self._follow(family, to)

    def _follow(self, family: socket.AddressFamily, to: tuple[object, ...]) -> Follower:
        host, server = str(to[0]), self._server
        reached = server.address_of(to, family) if server else None
        return Follower(
            (lambda datagram: server.send(reached, datagram)) if server and reached else self.send,
            frozenset((origin_of(to),)),
            # On this machine are many programs; of another one, all that comes is taken as of the listener there.
            "" if is_loopback(host) else machine_origin(host),
        )

    def _fail(self, error: OSError) -> None:
        if self._has_failed or error.errno in _FULL or self._closing.is_set():
            return
        self._has_failed = True
        reason = "nothing listens there" if error.errno == errno.ECONNREFUSED else (error.strerror or error)
        self._notify(
            f"OSC for {self.address} does not arrive ({reason}). The show goes on and keeps sending; this is told once."
        )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
