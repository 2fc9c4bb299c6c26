"""OSC over TCP: connections that share the inbox, the limits and the thread of an OscServer, and are answered where they ask."""

from __future__ import annotations

import socket
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Protocol

from engine.control.remotes.osc_limits import Sender
from engine.control.remotes.osc_senders import TCP, plain_host
from engine.control.remotes.osc_stream import FrameReader
from engine.core.errors import ConfigError
from engine.core.server_thread import ServerThread

MOST_CONNECTIONS = 16
MOST_UNREAD_BYTES = 1 << 16
"""What may wait for a connection that does not read; one with more is closed."""
READ_BYTES = 4096
"""Read of a connection in one turn: at most as many messages as one batch of datagrams."""


class Receiver(Protocol):
    """What connections need of the server that they belong to."""

    def admits(self, sender: Sender) -> bool:
        """Return whether a sender may send; count and tell of one that may not."""
        ...

    def take(self, datagram: bytes, sender: Sender) -> None:
        """Take a datagram until the turn ends."""
        ...

    def refuse(self, sentence: str, sender: Sender) -> None:
        """Answer with an error when the turn ends."""
        ...

    def end_turn(self, begun_s: float) -> None:
        """Apply and answer what has come, call `tidy`, and rest."""
        ...

    def begin_turn(self) -> float:
        """Return the time now."""
        ...

    def forget(self, sender: Sender) -> None:
        """Take note that a connection has ended."""
        ...


class TcpConnections:
    """The connections of one listening socket. For the thread of `server`, but `send`."""

    def __init__(self, listener: socket.socket, server: ServerThread, receiver: Receiver) -> None:
        self._listener = listener
        self._server = server
        self._receiver = receiver
        self._connections: OrderedDict[Sender, _Connection] = OrderedDict()
        """The one that has sent last is the last."""
        listener.listen(MOST_CONNECTIONS)
        server.watch(listener, self._accept)

    @property
    def port(self) -> int:
        """The port that is listened to."""
        return int(self._listener.getsockname()[1])

    def send(self, sender: Sender, datagram: bytes) -> None:
        """Send a datagram on a connection, if it is still there. Any thread may call; it never waits and never raises."""
        if connection := self._connections.get(sender):
            connection.send(datagram)

    def tidy(self) -> None:
        """Send what has waited; close connections that ended, do not read, or sent what is no OSC."""
        for sender, connection in list(self._connections.items()):
            connection.flush()
            if connection.is_over:
                self._close(sender)

    def close(self) -> None:
        """Close all, once the thread has ended."""
        for connection in self._connections.values():
            connection.socket.close()
        self._connections.clear()
        self._listener.close()

    def _accept(self) -> None:
        begun_s = self._receiver.begin_turn()
        try:
            opened, (host, port, *_) = self._listener.accept()
        except OSError:
            # The client is gone again, or the process can open no more files.
            self._receiver.end_turn(begun_s)
            return
        sender = (plain_host(host), port, TCP)
        if self._receiver.admits(sender):
            if sender in self._connections:
                # Its peer came again from the same port before the end of the last connection was read.
                self._close(sender)
            if len(self._connections) >= MOST_CONNECTIONS:
                # The one that has been silent longest makes room.
                self._close(next(iter(self._connections)))
            opened.setblocking(False)
            # A peer that has gone already is found out when it is read.
            with suppress(OSError):
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections[sender] = _Connection(opened)
            self._server.watch(opened, partial(self._read, sender))
        else:
            opened.close()
        self._receiver.end_turn(begun_s)

    def _read(self, sender: Sender) -> None:
        begun_s, connection = self._receiver.begin_turn(), self._connections.get(sender)
        # One that was closed in this turn has nothing to say.
        if connection and not connection.is_over:
            self._connections.move_to_end(sender)
            try:
                for datagram in connection.receive():
                    self._receiver.take(datagram, sender)
            except ConfigError as error:
                connection.is_over = True
                self._receiver.refuse(str(error), sender)
        self._receiver.end_turn(begun_s)

    def _close(self, sender: Sender) -> None:
        connection = self._connections.pop(sender)
        self._server.forget(connection.socket)
        connection.socket.close()
        self._receiver.forget(sender)


class _Connection:
    """One connection and what waits for it."""

    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened
        self.is_over = False
        """Whether it is to be closed when the turn ends; what is to be sent is sent first."""
        self._is_broken = False
        self._frames = FrameReader()
        self._unread = bytearray()
        self._lock = threading.Lock()

    def receive(self) -> Iterator[bytes]:
        """Yield the datagrams that are whole now. Raises ConfigError for what is no OSC."""
        try:
            content = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            content = b""
        self.is_over = self.is_over or not content
        yield from self._frames.read(content)

    def send(self, datagram: bytes) -> None:
        """Send a datagram now or later."""
        with self._lock:
            self._unread += self._frames.frame(datagram)
            self._send_unread()

    def flush(self) -> None:
        """Send what waits, as far as the other side reads."""
        if self._unread:
            with self._lock:
                self._send_unread()

    def _send_unread(self) -> None:
        try:
            while self._unread and not self._is_broken:
                del self._unread[: self.socket.send(self._unread)]
        except BlockingIOError:
            self._is_broken = len(self._unread) > MOST_UNREAD_BYTES
        except OSError:
            self._is_broken = True
        if self._is_broken:
            self.is_over = True
            self._unread.clear()
