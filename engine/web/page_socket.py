"""The page's socket, /page/socket: JSON both ways, described in docs/web.md.

All pages share one subscription of the store, one telemetry and one text for each state. Nothing is done while no page is open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import WSMsgType, web

from engine.control.remotes.remote_access import RemoteAccess
from engine.control.subscription import StoreChange, Subscription
from engine.control.telemetry import Telemetry
from engine.core.clock import Clock
from engine.core.errors import ConfigError, UserError
from engine.core.notice_log import NoticeLog
from engine.core.printable import printable_name
from engine.core.token_bucket import Bucket
from engine.model.card import ModelCard
from engine.web import limits, page_messages
from engine.web.access import PAGE_PATH
from engine.web.in_thread import in_thread
from engine.web.page_client import WRITER_LIMIT_BYTES, PageClient
from engine.web.page_commands import LISTS, Command, Message, PageCommands, id_of, listed, read_message
from engine.web.show_control import MidiControl, ShowControl

SOCKET_PATH = f"{PAGE_PATH}/socket"
TICK_S = 0.05
LOOKS_EVERY_TICKS = 10
"""How often scenes and MIDI are looked at: other remotes change them too."""
HEARTBEAT_S = 20.0
PAGES_A_SECOND, PAGES_AT_ONCE = 4.0, 24.0
MISTAKE_CHARACTERS = 8192
"""As which a mistake counts."""
_WATCHED = ("scenes", "midi", "mappings")


@dataclass(frozen=True, kw_only=True, slots=True)
class PageShow:
    """What the page shows and steers."""

    title: str
    card: Callable[[], ModelCard]
    """The card of the model that plays."""
    live: bool
    sound_from_browser: bool
    access: RemoteAccess
    telemetry: Callable[[], Telemetry]
    notice_log: NoticeLog
    show: ShowControl | None = None
    midi: MidiControl | None = None


class PageSocket:
    """Serves all pages. A WebPart; everything but construction and `close` happens in the event loop."""

    def __init__(self, shown: PageShow, clock: Clock) -> None:
        self._shown = shown
        self._clock = clock
        self._commands = PageCommands(shown.access, shown.show, shown.midi)
        self._clients: set[PageClient] = set()
        self._opened = Bucket(PAGES_A_SECOND, PAGES_AT_ONCE)
        self._subscription: Subscription | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._lists: dict[str, str] = dict.fromkeys(LISTS if shown.show else ("midi",), "")
        """The newest text of each list that there is, as far as it is watched."""
        self._is_model_new = False
        self._greeted_for: object = None
        """The table of the model that the pages know of."""
        self._mappings: Mapping[str, str] = {}
        self._midi_names: Mapping[str, str] = {}

    def routes(self) -> list[web.RouteDef]:
        return [web.get(SOCKET_PATH, self._serve)]

    def close(self) -> None:
        """End the subscription; safe to call twice, after the server."""
        if self._subscription:
            self._subscription.close()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if len(self._clients) >= limits.MOST_PAGES or not self._opened.take(self._clock.now_s()):
            return web.Response(status=503, text="Too many pages are open; close one or try again in a moment.\n")
        page = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S,
            max_msg_size=limits.LARGEST_MESSAGE_BYTES,
            writer_limit=WRITER_LIMIT_BYTES,
            compress=False,
        )
        await page.prepare(request)
        client = PageClient(request, page, f"web {printable_name(request.remote or 'somewhere')}", self._clock)
        tasks = [asyncio.create_task(client.send()), asyncio.create_task(_work(client))]
        self._join(client)
        try:
            await self._receive(page, client)
        finally:
            self._clients.discard(client)
            for task in tasks:
                task.cancel()
        return page

    def _join(self, client: PageClient) -> None:
        self._clients.add(client)
        if self._subscription is None or not self._subscription.is_open:
            loop = asyncio.get_running_loop()

            def pass_on(change: StoreChange) -> None:
                # The loop is closed where the show ends first.
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._changed, change)

            self._subscription = self._shown.access.subscribe(pass_on, "the web page")
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.create_task(self._tick())
        self._greet(client)
        client.put_values(self._shown.access.values())
        for kind, text in self._lists.items():
            if kind in _WATCHED:
                # The first page gets them from the first look.
                if text:
                    client.put(kind, text)
            else:
                client.calls.put_nowait(lambda kind=kind: self._send_list(kind, (client,)))

    def _greet(self, *clients: PageClient) -> None:
        shown = self._shown
        hello = page_messages.hello(shown.title, shown.card(), shown.live, shown.sound_from_browser)
        for client in clients:
            client.put("hello", hello)
        self._greeted_for = shown.access.parameters
        self._send_table(*clients)

    def _send_table(self, *clients: PageClient) -> None:
        table = page_messages.table(self._shown.access, self._mappings, self._midi_names)
        for client in clients:
            client.put("table", table)

    def _changed(self, change: StoreChange) -> None:
        if change.parameters is not None and self._greeted_for is not change.parameters:
            self._greet(*self._clients)
            self._is_model_new = True
        for client in self._clients:
            client.put_values(change.values)

    async def _receive(self, page: web.WebSocketResponse, client: PageClient) -> None:
        async for message in page:
            data: Any = message.data
            if message.type == WSMsgType.ERROR:
                # A frame that breaks the protocol; aiohttp has ended the connection.
                return
            await client.turn(len(data) if data else 0)
            fields: Message = {}
            try:
                if message.type != WSMsgType.TEXT:
                    raise ConfigError("Bytes came to the page's socket; a text with JSON was expected.")
                fields = read_message(data)
                self._take(client, fields)
            except ConfigError as error:
                client.reply(page_messages.reply(id_of(fields), str(error)))
                # Sentences with the nearest name take a while to find.
                await client.turn(MISTAKE_CHARACTERS)

    def _take(self, client: PageClient, fields: Message) -> None:
        """Do what a message asks for, or let it wait for its turn if that takes long. Raises ConfigError."""
        command = self._commands.find(fields)
        if not command.is_slow:
            command.call(fields, client.origin)
            client.reply(page_messages.reply(id_of(fields)))
        elif client.calls.full():
            raise ConfigError("The show is still busy with what this page asked for before; ask again in a moment.")
        else:
            client.calls.put_nowait(lambda: self._do_slowly(client, command, fields))

    async def _do_slowly(self, client: PageClient, command: Command, fields: Message) -> None:
        sentence = ""
        try:
            await in_thread(str(fields["do"]), lambda: command.call(fields, client.origin))
            if fields["do"] == "list":
                await self._send_list(listed(fields), (client,))
            for kind in command.tells:
                await self._send_list(kind, self._clients)
        except UserError as error:
            sentence = str(error)
        client.reply(page_messages.reply(id_of(fields), sentence))

    async def _send_list(self, kind: str, clients: Iterable[PageClient]) -> None:
        text = await in_thread(kind, lambda: self._list_text(kind))
        for client in tuple(clients):
            client.put(kind, text)

    def _list_text(self, kind: str) -> str:
        return page_messages.listed(kind, self._shown.show, self._shown.midi)

    async def _tick(self) -> None:
        """Tell all pages what has changed, until the last one leaves."""
        ticks = 0
        while self._clients:
            if ticks % LOOKS_EVERY_TICKS == 0 and (self._looking is None or self._looking.done()):
                self._looking = asyncio.create_task(self._look())
            now = page_messages.telemetry(self._shown.telemetry())
            lines = self._shown.notice_log.since(min(client.notices_until for client in self._clients))
            for client in self._clients:
                client.put("telemetry", now)
                client.put_notices(lines)
                client.tick()
            ticks += 1
            await asyncio.sleep(TICK_S)

    async def _look(self) -> None:
        """Send lists that others have changed."""
        watched = [kind for kind in _WATCHED if kind in self._lists]
        if self._is_model_new and "models" in self._lists:
            watched.append("models")
        self._is_model_new = False
        with suppress(UserError):
            texts, mappings, midi_names = await in_thread("look", lambda: self._looked_at(watched))
            for kind, text in texts.items():
                if text != self._lists[kind]:
                    self._lists[kind] = text
                    for client in self._clients:
                        client.put(kind, text)
            if (mappings, midi_names) != (self._mappings, self._midi_names):
                self._mappings, self._midi_names = mappings, midi_names
                self._send_table(*self._clients)

    def _looked_at(self, kinds: Iterable[str]) -> tuple[dict[str, str], Mapping[str, str], Mapping[str, str]]:
        show, midi = self._shown.show, self._shown.midi
        names = {one.parameter: one.sender for one in midi.assignments()} if midi else {}
        return {kind: self._list_text(kind) for kind in kinds}, dict(show.mappings()) if show else {}, names


async def _work(client: PageClient) -> None:
    """Do what takes long, one thing after the other."""
    while True:
        call = await client.calls.get()
        # A list that nobody asked for and that the disk does not give.
        with suppress(UserError):
            await call()
