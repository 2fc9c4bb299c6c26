"""Remotes of each kind that set a parameter of a show, as programs on other machines do."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from benchmarks.night_traffic import message
from engine.control.remotes.osc_addresses import address

OSC_PORT, WEB_PORT = 9731, 9732
_ANSWERS_WITHIN_S = 5.0


class Sender(Protocol):
    """Sets parameters of the running show."""

    def set(self, name: str, value: float) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class RemoteKind:
    """How a show is started for a kind of remote, and how the remote connects to it. `connect` raises OSError until the show listens."""

    options: tuple[str, ...]
    connect: Callable[[Mapping[str, str]], Sender]
    sound_server: str = "pulse"


class OscSender:
    """Sends OSC over UDP."""

    def __init__(self) -> None:
        from pythonosc.udp_client import SimpleUDPClient

        self._client = SimpleUDPClient("127.0.0.1", OSC_PORT)

    def set(self, name: str, value: float) -> None:
        self._client.send_message(address(name), value)

    def close(self) -> None: ...


class OscQuerySender:
    """Sends OSC over the WebSocket of OSCQuery. Raises OSError until the show has it."""

    def __init__(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", WEB_PORT), _ANSWERS_WITHIN_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        if b" 101 " not in self._socket.recv(4096):
            raise ConnectionError("The show opened no WebSocket.")

    def set(self, name: str, value: float) -> None:
        packet = message(address(name), value)
        # RFC 6455: one binary message, masked with zeros.
        self._socket.sendall(bytes((0x82, 0x80 | len(packet))) + bytes(4) + packet)

    def close(self) -> None:
        self._socket.close()


REMOTES: Mapping[str, RemoteKind] = {
    "osc": RemoteKind(("--osc", "--osc-port", str(OSC_PORT)), lambda environment: OscSender()),
    "oscquery": RemoteKind(
        ("--osc", "--osc-port", "0", "--web", f"127.0.0.1:{WEB_PORT}"), lambda environment: OscQuerySender()
    ),
}
