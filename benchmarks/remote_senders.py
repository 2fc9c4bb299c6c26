"""Remotes of each kind that set a parameter of a show, as programs on other machines do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from engine.control.remotes.osc_addresses import address

OSC_PORT, WEB_PORT = 9731, 9732


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


REMOTES: Mapping[str, RemoteKind] = {
    "osc": RemoteKind(("--osc", "--osc-port", str(OSC_PORT)), lambda environment: OscSender()),
}
