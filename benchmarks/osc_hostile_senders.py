"""Sends hostile OSC over UDP and TCP, from sockets that read nothing of what they subscribe to."""

from __future__ import annotations

import random
import socket
import struct
from contextlib import suppress

from pythonosc import slip
from pythonosc.osc_message import OscMessage

from benchmarks.night_traffic import message
from benchmarks.osc_flood import ASK_EVERY_S, ASKED_AT_MOST
from benchmarks.osc_flood_traffic import HOST
from benchmarks.osc_hostile import hostile
from engine.control.remotes.osc_addresses import PING, PONG
from engine.core.clock import WallClock

CONNECTIONS = 8
"""Fewer than a show takes, so that it does not close the one that asks."""
ANSWERS_WITHIN_S = 5.0
_UNIX_BEGAN_S = 2_208_988_800
_SHARE_LATER, _MOST_LATER_S = 0.05, 2.5


class Sender:
    """Sends random datagrams; the same seed sends the same ones, but for the times of bundles."""

    def __init__(self, port: int, names: list[str], seed: int) -> None:
        self._rolled, self._names = random.Random(seed), names
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._to = (HOST, port)
        self.sent = 0

    def send(self) -> None:
        """Send one datagram."""
        self._socket.sendto(_sometimes_later(self._rolled, hostile(self._rolled, self._names)), self._to)
        self.sent += 1


class TcpSender:
    """Sends over several connections: whole frames, damaged ones, noise; some of them end and begin again."""

    def __init__(self, port: int, names: list[str], seed: int) -> None:
        self._rolled, self._names = random.Random(seed), names
        self._to = (HOST, port)
        self._connections: dict[int, socket.socket] = {}
        self.sent = 0
        self.connected = 0

    def send(self) -> None:
        """Send one frame, or a part of one."""
        number = self._rolled.randrange(CONNECTIONS)
        content = _sometimes_later(self._rolled, hostile(self._rolled, self._names))
        frame = slip.encode(content) if number % 2 else struct.pack(">i", len(content)) + content
        kind = self._rolled.random()
        if kind < 0.01:
            frame = self._rolled.randbytes(self._rolled.randrange(1, 400))
        elif kind < 0.02:
            frame = frame[: self._rolled.randrange(len(frame) + 1)]
        try:
            self._connection(number).send(frame)
            self.sent += 1
        except BlockingIOError:
            # It reads nothing, and neither does the show at this moment.
            pass
        except OSError:
            self._end(number)
        if kind > 0.999:
            self._end(number)

    def _connection(self, number: int) -> socket.socket:
        if number not in self._connections:
            opened = socket.create_connection(self._to, ANSWERS_WITHIN_S)
            opened.setblocking(False)
            self._connections[number] = opened
            self.connected += 1
        return self._connections[number]

    def _end(self, number: int) -> None:
        if ended := self._connections.pop(number, None):
            ended.close()


def answers_tcp(port: int) -> bool:
    """Return whether a show answers one who connects and asks; a flood of questions of others can leave one unanswered."""
    ping = message(PING)
    with suppress(OSError), socket.create_connection((HOST, port), ANSWERS_WITHIN_S) as asking:
        asking.settimeout(ASK_EVERY_S)
        for _ in range(ASKED_AT_MOST):
            asking.sendall(struct.pack(">i", len(ping)) + ping)
            with suppress(TimeoutError):
                # Sent at once, and so small that it comes whole.
                return OscMessage(asking.recv(4096)[4:]).address == PONG
    return False


def _sometimes_later(rolled: random.Random, content: bytes) -> bytes:
    """Return a datagram, or a bundle with it that is due in a moment."""
    if rolled.random() >= _SHARE_LATER:
        return content
    due_s = WallClock.unix_s() + _UNIX_BEGAN_S + rolled.uniform(-0.5, _MOST_LATER_S)
    return b"#bundle\0" + struct.pack(">Q", int(due_s * 2**32)) + struct.pack(">i", len(content)) + content
