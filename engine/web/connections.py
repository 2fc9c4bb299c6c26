"""Counts the connections of the port, and hangs up on those that come to nothing.

aiohttp waits for as long as it takes until a request is whole. Here each connection has a moment by which it must have got further.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from contextlib import suppress

from engine.core.clock import Clock
from engine.core.token_bucket import Bucket
from engine.web import limits
from engine.web.slow_network import drop

LOOKS_EVERY_S = 0.5


class Connections:
    """All connections that are open. For the event loop alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._new = Bucket(limits.CONNECTIONS_A_SECOND, limits.CONNECTIONS_AT_ONCE)
        self._is_closed = False
        self._open: dict[asyncio.BaseTransport, _Connection] = {}
        self._taken: weakref.WeakSet[_Connection] = weakref.WeakSet()

    def __len__(self) -> int:
        return len(self._open)

    def watched(self, make_protocol: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        """Return a protocol for a new connection, which passes all on to the one that is made if it may stay.

        Raises ConnectionRefusedError, which drops it, where too many are taken: those in the handshake of TLS are not open yet.
        """
        if len(self._taken) >= limits.MOST_TAKEN:
            raise ConnectionRefusedError
        one = _Connection(self, make_protocol, self._clock)
        self._taken.add(one)
        return one

    def began(self, transport: asyncio.BaseTransport | None, is_lasting: bool) -> None:
        """A whole request has come; a lasting one is a WebSocket, which looks after itself."""
        connection = self._open.get(transport) if transport else None
        if connection:
            connection.until_s = float("inf") if is_lasting else self._clock.now_s() + limits.ANSWERED_WITHIN_S
            connection.head_bytes = None

    def answered(self, transport: asyncio.BaseTransport | None) -> None:
        """The answer is written; the connection may be used again."""
        connection = self._open.get(transport) if transport else None
        if connection:
            connection.until_s = self._clock.now_s() + limits.IDLE_S
            connection.head_bytes = 0

    def hang_up_late(self) -> None:
        """Hang up on all whose moment is past."""
        now_s = self._clock.now_s()
        for connection in list(self._open.values()):
            if connection.until_s < now_s:
                connection.hang_up()

    def close(self) -> None:
        """Hang up on all, and on those that are being taken just now."""
        self._is_closed = True
        for connection in list(self._open.values()):
            connection.hang_up()

    def add(self, transport: asyncio.BaseTransport, connection: _Connection) -> bool:
        """Count a new connection, and return whether it may stay."""
        if self._is_closed or not self._new.take(self._clock.now_s()):
            return False
        same = [one for one in self._open.values() if one.address == connection.address]
        if len(same) >= limits.MOST_CONNECTIONS_OF_ONE or len(self._open) >= limits.MOST_CONNECTIONS:
            # Whoever waits for nothing makes room; whoever uses the page keeps it.
            pool = same if len(same) >= limits.MOST_CONNECTIONS_OF_ONE else self._open.values()
            idle = [one for one in pool if one.is_waiting]
            if not idle:
                return False
            idle[0].hang_up()
        self._open[transport] = connection
        return True

    def remove(self, transport: asyncio.BaseTransport) -> None:
        """A connection is over."""
        self._open.pop(transport, None)


class _Connection(asyncio.Protocol):
    """Passes everything between a transport and aiohttp's protocol."""

    def __init__(self, connections: Connections, make_protocol: Callable[[], asyncio.Protocol], clock: Clock) -> None:
        self._connections = connections
        self._make_protocol = make_protocol
        self._inner = asyncio.Protocol()
        """Does nothing until the connection is taken."""
        self._clock = clock
        self._transport: asyncio.Transport | None = None
        self.address = ""
        self.until_s = clock.now_s() + limits.FIRST_REQUEST_WITHIN_S
        self.head_bytes: int | None = 0
        """Of the request that is not whole yet; None while one is answered."""

    @property
    def is_waiting(self) -> bool:
        """Whether it has no request that is answered now."""
        return self.head_bytes is not None

    def hang_up(self) -> None:
        """Break the connection off, whatever waits to be sent."""
        if self._transport:
            self._connections.remove(self._transport)
            drop(self._transport)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        if not self._connections.add(transport, self):
            drop(transport)
            return
        self._inner = self._make_protocol()
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self.head_bytes is not None:
            if self.head_bytes == 0:
                self.until_s = min(self.until_s, self._clock.now_s() + limits.FIRST_REQUEST_WITHIN_S)
            self.head_bytes += len(data)
            if self.head_bytes > limits.LARGEST_HEAD_BYTES:
                self.hang_up()
                return
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport:
            self._connections.remove(self._transport)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


async def watch(connections: Connections) -> None:
    """Hang up on late connections until it is cancelled."""
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(LOOKS_EVERY_S)
            connections.hang_up_late()
