"""The whole server on a real port, with a page of two files, and a show whose scenes, models and mappings are held in memory."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.telemetry import Telemetry
from engine.core.choice import Choice
from engine.core.clock import Clock, WallClock
from engine.core.errors import ConfigError
from engine.core.notice_log import NoticeLog
from engine.web.access import WebAccess
from engine.web.page_socket import PageShow, PageSocket
from engine.web.server import WebServer, bind_web
from engine.web.show_control import MidiAssignment, PlaylistEntry, PlaylistState, SceneEntry
from engine.web.static_files import StaticFiles
from engine.web.web_address import WebAddress
from tests.engine.model.test_card import CARD

HOST = "127.0.0.1"
COOKIE = "fluid_test"
COMES_WITHIN_S = 20.0
LOCKED = ("flash_guard",)
PAGE = "<!doctype html><title>show</title>" + 400 * "<p>line</p>"
SCRIPT = "export const lines = 1;\n"


class InventedTime:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.time_s = 100.0

    def now_s(self) -> float:
        return self.time_s

    def sleep(self, duration_s: float) -> None:
        self.time_s += duration_s


@dataclass
class ShowInMemory:
    """A ShowControl."""

    names: dict[int, str] = field(default_factory=lambda: {1: "calm", 2: "storm"})
    expressions: dict[str, str] = field(default_factory=dict[str, str])
    entries: tuple[PlaylistEntry, ...] = ()
    playing: str = "a"

    def scenes(self) -> Sequence[SceneEntry]:
        return [SceneEntry(number, name, "") for number, name in self.names.items()]

    def rename_scene(self, number: int, name: str) -> None:
        if number not in self.names:
            raise ConfigError(f"There is no scene {number}; save it first.")
        self.names[number] = name

    def order_scenes(self, numbers: Sequence[int]) -> None:
        # Those that are not there are passed over, and those that are not named come last, as in a folder.
        order = dict.fromkeys([*numbers, *self.names])
        self.names = {number: self.names[number] for number in order if number in self.names}

    def delete_scene(self, number: int) -> None:
        if number not in self.names:
            raise ConfigError(f"There is no scene {number}.")
        del self.names[number]

    def playlist(self) -> PlaylistState:
        return PlaylistState(self.entries, -1, 0.0)

    def set_playlist(self, entries: Sequence[PlaylistEntry]) -> None:
        self.entries = tuple(entries)

    def models(self) -> Sequence[Choice]:
        return [Choice(id, id, "", id == self.playing) for id in "ab"]

    def play_model(self, id: str) -> None:
        self.playing = id

    def inputs(self) -> Sequence[Choice]:
        return []

    def play_input(self, id: str) -> None:
        raise OSError(5, "Input/output error")

    def mappings(self) -> Mapping[str, str]:
        return self.expressions

    def check_mapping(self, parameter: str, expression: str) -> None:
        if expression == "wrong":
            raise ConfigError("The expression is wrong.")

    def set_mapping(self, parameter: str, expression: str) -> None:
        self.check_mapping(parameter, expression)
        self.expressions = {**self.expressions, parameter: expression}


@dataclass
class MidiInMemory:
    """A MidiControl."""

    learning: str = ""
    known: list[MidiAssignment] = field(default_factory=list[MidiAssignment])

    def ports(self) -> Mapping[str, bool]:
        return {"nano": True}

    def assignments(self) -> Sequence[MidiAssignment]:
        return self.known

    def learn(self, parameter: str) -> None:
        self.learning = parameter

    def cancel_learning(self) -> None:
        self.learning = ""

    def forget(self, id: str) -> None:
        self.known = [one for one in self.known if one.id != id]


@dataclass
class Stage:
    """A running server and what is behind it."""

    port: int
    server: WebServer
    store: ParameterStore
    lines: list[str]
    notice_log: NoticeLog
    show: ShowInMemory
    midi: MidiInMemory

    @property
    def origin(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def socket(self) -> str:
        return f"ws://{HOST}:{self.port}/page/socket"


@contextmanager
def page_server(
    folder: Path,
    token: str | None = None,
    clock: Clock | None = None,
    tls: ssl.SSLContext | None = None,
    steers: bool = True,
) -> Iterator[Stage]:
    """Serve while the block runs; `steers` says whether there are scenes and MIDI."""
    (folder / "index.html").write_text(PAGE)
    (folder / "app.js").write_text(SCRIPT)
    (folder / "secret.py").write_text("password = 1")
    lines = list[str]()
    store, notice_log = ParameterStore(parameters_for(CARD), notify=lines.append), NoticeLog(lines.append, WallClock())
    show, midi = ShowInMemory(), MidiInMemory()
    shown = PageShow(
        title="Fluid",
        card=lambda: CARD,
        live=True,
        sound_from_browser=False,
        access=RemoteAccess(store, LOCKED, lines.append),
        telemetry=lambda: Telemetry(level=0.5, beats=6.25),
        notice_log=notice_log,
        show=show if steers else None,
        midi=midi if steers else None,
    )
    page = PageSocket(shown, WallClock())
    bound = bind_web(WebAddress(HOST, 0, True), lines.append)
    access = WebAccess(["stage.example"], token, COOKIE, tls is not None, clock or WallClock())
    server = WebServer(bound, access, [page], StaticFiles(folder), lines.append, tls)
    server.start()
    try:
        yield Stage(server.port, server, store, lines, notice_log, show, midi)
    finally:
        server.close()
        page.close()


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    """A connection for bytes that no client would send."""
    with socket.create_connection((HOST, port), COMES_WITHIN_S) as connection:
        yield connection


def answered(port: int, request: bytes) -> bytes:
    """Return all that comes until the server hangs up."""
    with connected(port) as connection:
        connection.sendall(request)
        return rest(connection)


def rest(connection: socket.socket, until: bytes | None = None) -> bytes:
    """Return all that comes until the server hangs up, or until some bytes have come."""
    came = b""
    with suppress(ConnectionError):
        while part := connection.recv(65536):
            came += part
            if until and until in came:
                break
    return came


def status(port: int, path: str = "/page/", **headers: str) -> int:
    """Return the status of a GET; `_` in the names of headers stands for `-`. Host is right unless it is given."""
    given = {"Host": f"{HOST}:{port}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    with connected(port) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        return int(rest(connection, b"\r\n\r\n").split(b" ", 2)[1])


class Page:
    """What a browser's page does over its socket."""

    def __init__(self, client: ClientWebSocketResponse) -> None:
        self.client = client
        self._number = 0

    async def next(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Return the next message of a kind, and with these fields."""
        async with asyncio.timeout(COMES_WITHIN_S):
            while True:
                message = await self.client.receive()
                assert message.type == WSMsgType.TEXT, message
                told = json.loads(message.data)
                if told["type"] == kind and all(told[name] == value for name, value in fields.items()):
                    return told

    async def ask(self, do: str, **fields: Any) -> str:
        """Give a command and return the sentence of the reply; it is empty where all is well."""
        self._number += 1
        await self.client.send_json({"id": self._number, "do": do, **fields})
        reply = await self.next("reply", id=self._number)
        assert reply["ok"] is not bool(reply["text"])
        return reply["text"]


async def open_page(session: ClientSession, stage: Stage) -> Page:
    return Page(await session.ws_connect(stage.socket, headers={"Origin": stage.origin}))
