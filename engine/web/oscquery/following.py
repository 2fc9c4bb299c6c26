"""Follows a show for the clients that listen: changed parameters as they come, telemetry so often a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any

from engine.control.parameter import Parameter
from engine.control.remotes.osc_addresses import OUT_PREFIX, PREFIX, address
from engine.control.remotes.osc_message import build
from engine.control.remotes.osc_senders import origin_of
from engine.control.remotes.osc_telemetry import ONSET, current
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.subscription import StoreChange, Subscription
from engine.control.telemetry import Telemetry
from engine.web.oscquery.client import Client
from engine.web.oscquery.namespace import told_values

TELEMETRY_A_SECOND = 20.0
_NAME = "OSCQuery"


class Following:
    """Between `open` and `close`, in the thread of the event loop. It costs nothing while there is no client."""

    def __init__(
        self, access: RemoteAccess, telemetry: Callable[[], Telemetry], clients: Callable[[], Collection[Client]]
    ) -> None:
        self._access = access
        self._telemetry = telemetry
        self._clients = clients
        self._parameters: Mapping[str, Parameter] = {}
        self._told: dict[str, Any] = {}
        """What was told last of the telemetry that somebody listens to."""
        self._subscription: Subscription | None = None
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to follow."""
        loop = asyncio.get_running_loop()

        def hand_over(change: StoreChange) -> None:
            # The loop may end at any moment.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._tell, change)

        self._parameters = self._access.parameters
        self._subscription = self._access.subscribe(hand_over, _NAME)
        self._task = asyncio.create_task(self._follow_telemetry())

    def close(self) -> None:
        """Follow no longer; safe to call twice."""
        if self._subscription:
            self._subscription.close()
        if self._task:
            self._task.cancel()

    def current(self, to: str) -> bytes | None:
        """Return the message with the value of an address as it is now, empty for one without; None for no address."""
        if to.startswith(OUT_PREFIX):
            return self._current_telemetry(to)
        parameter = self._access.parameters.get(to.removeprefix(PREFIX)) if to.startswith(PREFIX) else None
        if parameter is None:
            return None
        value = self._access.values().get(parameter.name)
        return b"" if value is None or parameter.happens else build(to, told_values(parameter, value))

    def _current_telemetry(self, to: str) -> bytes | None:
        telemetry = self._telemetry()
        if to == ONSET.address:
            # Those from before somebody listened are over.
            self._told.setdefault(to, telemetry.onsets)
            return b""
        for outgoing, values in current(telemetry):
            if outgoing.address == to:
                self._told.setdefault(to, values)
                return build(to, values)
        return None

    def _tell(self, change: StoreChange) -> None:
        if change.parameters is not None and change.parameters is not self._parameters:
            gone = {address(name) for name in self._parameters if name not in change.parameters}
            self._parameters = change.parameters
            for client in self._clients():
                client.replace_parameters(change.parameters, gone)
        for name, value in change.values.items():
            parameter, to = self._parameters.get(name), address(name)
            listening = [one for one in self._clients() if origin_of(one.sender) != change.origins.get(name)]
            # A trigger is told when it is given, never as a part of a whole table.
            if parameter and not (parameter.happens and change.parameters is not None):
                packet = build(to, told_values(parameter, value))
                for client in listening:
                    client.put(to, packet)

    async def _follow_telemetry(self) -> None:
        while True:
            listened = set[str]().union(*(client.listened for client in self._clients()))
            wanted = {to for to in listened if to.startswith(OUT_PREFIX)}
            self._told = {to: told for to, told in self._told.items() if to in wanted}
            if wanted:
                self._tell_telemetry(wanted)
            await asyncio.sleep(1.0 / TELEMETRY_A_SECOND)

    def _tell_telemetry(self, wanted: set[str]) -> None:
        telemetry = self._telemetry()
        onset = (ONSET.address, telemetry.onsets, ONSET.read(telemetry))
        for to, told, values in (onset, *((one.address, values, values) for one, values in current(telemetry))):
            if to in wanted and self._told.get(to) != told:
                self._told[to] = told
                packet = build(to, values)
                for client in self._clients():
                    client.put(to, packet)
