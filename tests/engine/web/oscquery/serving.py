"""A real server with OSCQuery on a free port of this machine, and clients of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.telemetry import Telemetry
from engine.core.clock import WallClock
from engine.web.oscquery.admission import Admission
from engine.web.oscquery.service import OscQuery, OscQueryParts
from tests.engine.model.probe_model import CARD

WAITS_S = 5.0
OSC_PORT = 9000


class Show:
    """A store, and telemetry that a test changes."""

    def __init__(self, parameters: Any = None, locked: tuple[str, ...] = ()) -> None:
        self.lines: list[str] = []
        self.store = ParameterStore(parameters or parameters_for(CARD), notify=self.lines.append)
        self.access = RemoteAccess(self.store, locked, self.lines.append)
        self.telemetry = Telemetry()
        self.admission = Admission("0.0.0.0")
        self.osc_port: int | None = OSC_PORT


class Connected:
    """A client with the address of the server."""

    def __init__(self, session: ClientSession, port: int) -> None:
        self.session = session
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.session.get(self.url + path) as response:
            is_json = response.content_type == "application/json"
            return response.status, await (response.json() if is_json else response.text())

    @asynccontextmanager
    async def listening(self, *addresses: str) -> AsyncIterator[Listener]:
        async with self.session.ws_connect(self.url + "/", max_msg_size=0) as socket:
            listener = Listener(socket)
            for address in addresses:
                await listener.command("LISTEN", address)
            yield listener


class Listener:
    """One end of a WebSocket."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket

    async def command(self, command: str, data: Any) -> None:
        await self.socket.send_json({"COMMAND": command, "DATA": data})

    async def send(self, address: str, *values: Any) -> None:
        await self.socket.send_bytes(packet(address, *values))

    async def next(self) -> Any:
        """Return the next command as a mapping, the next OSC message as a tuple of its address and values."""
        message = await self.socket.receive(WAITS_S)
        if message.type is WSMsgType.BINARY:
            told = OscMessage(message.data)
            return (told.address, *told.params)
        return message.json() if message.type is WSMsgType.TEXT else message.type

    async def until(self, told: Any) -> list[Any]:
        """Return what came, up to and with `told`."""
        came = [await self.next()]
        while came[-1] != told:
            came.append(await self.next())
        return came


def packet(address: str, *values: Any) -> bytes:
    builder = OscMessageBuilder(address=address)
    for value in values:
        builder.add_arg(value)
    return builder.build().dgram


@asynccontextmanager
async def serving(show: Show) -> AsyncIterator[Connected]:
    parts = OscQueryParts(
        name="Water, tonight",
        access=show.access,
        telemetry=lambda: show.telemetry,
        describe_stats=lambda: {"hops": 7.0},
        admission=show.admission,
        osc_port=show.osc_port,
        clock=WallClock(),
    )
    app = web.Application()
    app.add_routes(OscQuery(parts).routes())
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with ClientSession() as session:
            yield Connected(session, runner.addresses[0][1])
    finally:
        await runner.cleanup()


def run(show: Show, test: Callable[[Connected], Any]) -> Any:
    """Run a coroutine of a test beside the server."""

    async def both() -> Any:
        async with serving(show) as connected:
            return await test(connected)

    return asyncio.run(both())
