"""One client on a WebSocket: what it listens to, and what it has not been sent yet. For the thread of the event loop."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping

from engine.control.parameter import Parameter
from engine.control.remotes.osc_limits import Sender
from engine.web.oscquery.namespace import path_changes

MOST_ANSWERS = 16
"""Answers that wait for a client; older ones are lost."""
Outgoing = bytes | str


class Client:
    """Of what waits, each address has its newest value alone: so it is bounded, however slow the client is."""

    def __init__(self, sender: Sender, parameters: Mapping[str, Parameter]) -> None:
        """`parameters` is the table that the client can read now."""
        self.sender = sender
        self.listened: set[str] = set()
        """Addresses."""
        self._told_parameters = self._parameters = parameters
        self._values: dict[str, bytes] = {}
        self._answers: deque[bytes] = deque(maxlen=MOST_ANSWERS)
        self._has_some = asyncio.Event()

    def put(self, address: str, packet: bytes) -> None:
        """Send a packet of an address that it listens to, in place of one that still waits."""
        if address in self.listened:
            # What came last is sent last.
            self._values.pop(address, None)
            self._values[address] = packet
            self._has_some.set()

    def answer(self, packet: bytes) -> None:
        """Send a packet that answers this client."""
        self._answers.append(packet)
        self._has_some.set()

    def replace_parameters(self, parameters: Mapping[str, Parameter], gone: set[str]) -> None:
        """Tell of another table; the addresses `gone` are listened to no longer."""
        self._parameters = parameters
        self.listened -= gone
        self._values = {to: packet for to, packet in self._values.items() if to in self.listened}
        self._has_some.set()

    async def take(self) -> list[Outgoing]:
        """Wait until there is something to send, and return it: texts are JSON, bytes are one OSC message each."""
        await self._has_some.wait()
        self._has_some.clear()
        commands = path_changes(self._told_parameters, self._parameters)
        self._told_parameters = self._parameters
        outgoing = [*map(json.dumps, commands), *self._answers, *self._values.values()]
        self._answers.clear()
        self._values.clear()
        return outgoing
