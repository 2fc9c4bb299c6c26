"""What waits between this process and a client that takes it slowly."""

from __future__ import annotations

import socket
import struct
import sys
from asyncio import WriteTransport
from contextlib import suppress

from aiohttp import web

UNSENT_BYTES = 16384
"""So much at most waits in the system. More would be levels and frames of seconds ago."""

_AT_ONCE = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)


def hold_little_back(request: web.Request) -> None:
    """Let whoever sends to a client notice at once that the network is slow."""
    transport = request.transport
    if transport is None:
        return
    transport.set_write_buffer_limits(high=0)
    connection = transport.get_extra_info("socket")
    if connection is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)


def drop(transport: WriteTransport) -> None:
    """Break a connection off. The system forgets at once what the client has not taken, rather than offering it for minutes."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()
