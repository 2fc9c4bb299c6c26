"""OSCQuery on the port of the web page: the namespace over HTTP, and values both ways over a WebSocket.

HTTP and WebSocket share one port because clients such as Chataigne look for both on the port that they were given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from engine.control.remotes.osc_addresses import ERROR
from engine.control.remotes.osc_inbox import Inbox
from engine.control.remotes.osc_limits import Sender
from engine.control.remotes.osc_message import build
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.telemetry import Telemetry
from engine.core.clock import Clock
from engine.core.errors import ConfigError
from engine.core.notices import ToldOnce
from engine.core.printable import printable_name
from engine.web.limits import STALLED_S
from engine.web.oscquery.admission import Admission
from engine.web.oscquery.client import Client
from engine.web.oscquery.commands import parse
from engine.web.oscquery.following import Following
from engine.web.oscquery.namespace import (
    OPTIONAL,
    REQUIRED,
    UNKNOWN_TO_US,
    Node,
    Reachable,
    attributes,
    find,
    host_info,
    namespace,
)
from engine.web.slow_network import hold_little_back

MOST_CLIENTS = 16
MOST_WAITING = 256
"""Messages that wait to be applied, of all clients together; then clients are read no further."""
LARGEST_MESSAGE_BYTES = 65536
MOST_APPLY_S, LEAST_REST_S = 0.004, 0.002
"""A batch and the pause after it, as for OSC over UDP."""
ROUNDS_A_SECOND = 60.0
"""How often a client is sent what has changed."""
HEARTBEAT_S = 30.0
_TOLD = 3
_HOST_INFO = "HOST_INFO"
_KNOWN = frozenset((*REQUIRED, *OPTIONAL, *UNKNOWN_TO_US))


@dataclass(frozen=True, kw_only=True, slots=True)
class OscQueryParts:
    """What OSCQuery gets of a show."""

    name: str
    access: RemoteAccess
    telemetry: Callable[[], Telemetry]
    describe_stats: Callable[[], Mapping[str, float]]
    """What /fluid/stats answers."""
    admission: Admission
    osc_ip: str = ""
    """Where OSC is bound; empty for every address of this machine."""
    osc_port: int | None = None
    """None where the show does not listen to OSC."""
    clock: Clock


class OscQuery:
    """For the thread of one event loop."""

    def __init__(self, parts: OscQueryParts) -> None:
        self._parts = parts
        self._clients: dict[Sender, Client] = {}
        self._following = Following(parts.access, parts.telemetry, self._clients.values)
        self._inbox = Inbox(parts.access, parts.describe_stats, parts.clock)
        self._waiting: asyncio.Queue[tuple[Client, bytes | str]] = asyncio.Queue(MOST_WAITING)
        self._applying: asyncio.Task[None] | None = None
        self._refused_told = ToldOnce(parts.access.notify, _TOLD)
        self._slow_told = ToldOnce(parts.access.notify, _TOLD)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes: `/`, which the server gives to browsers instead, and every path that nobody else answers."""
        return [web.get("/", self._answer), web.get("/{path:.+}", self._get)]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        is_socket = request.headers.get("Upgrade", "").casefold() == "websocket"
        return await (self._serve_socket(request) if is_socket else self._get(request))

    async def _get(self, request: web.Request) -> web.StreamResponse:
        """Answer with a node of the namespace, with some of its attributes, or with HOST_INFO whatever the path.

        204: the node lacks what was asked for; 400: no such attribute; 403: not admitted; 404: no such address.
        """
        if refusal := self._refusal(request):
            return web.Response(status=403, text=refusal)
        asked = [part.partition("=")[0] for part in request.rel_url.query_string.split("&") if part]
        if _HOST_INFO in asked:
            return _json(host_info(self._parts.name, self._reached(request)))
        node = find(self._namespace(), request.path)
        if node is None:
            return web.Response(status=404, text=f"There is no address {printable_name(request.path)}.")
        if unknown := [name for name in asked if name not in _KNOWN]:
            known = ", ".join((*REQUIRED, *OPTIONAL))
            sentence = f"{printable_name(unknown[0])} is no attribute of OSCQuery; one of {known} was expected."
            return web.Response(status=400, text=sentence)
        found = attributes(node, asked) if asked else node
        return web.Response(status=204) if found is None else _json(found)

    async def _serve_socket(self, request: web.Request) -> web.StreamResponse:
        """Serve a client from its coming to its going: it listens to addresses with commands, and sends OSC."""
        if refusal := self._refusal(request):
            return web.Response(status=403, text=refusal)
        if len(self._clients) >= MOST_CLIENTS:
            sentence = f"{MOST_CLIENTS} OSCQuery clients are connected, which is the most; end one of them first."
            return web.Response(status=503, text=sentence)
        # Not compressed: what a short message could grow to would have to be held.
        socket = web.WebSocketResponse(
            timeout=1.0, heartbeat=HEARTBEAT_S, compress=False, max_msg_size=LARGEST_MESSAGE_BYTES, writer_limit=0
        )
        # Each message is waited for, so that the next one holds the newest value.
        hold_little_back(request)
        await socket.prepare(request)
        client = Client(_sender(request), self._parts.access.parameters)
        self._join(client)
        sending = asyncio.create_task(self._send(client, socket, request))
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    await self._waiting.put((client, message.data))
        finally:
            sending.cancel()
            self._leave(client)
        return socket

    def _join(self, client: Client) -> None:
        self._clients[client.sender] = client
        if len(self._clients) == 1:
            self._following.open()
            self._applying = asyncio.create_task(self._apply_all())

    def _leave(self, client: Client) -> None:
        self._clients.pop(client.sender, None)
        if not self._clients:
            self._following.close()
            if self._applying:
                self._applying.cancel()
            # Clients that left no longer set anything.
            while not self._waiting.empty():
                self._waiting.get_nowait()

    async def _apply_all(self) -> None:
        """Apply what clients send, then rest for as long as that took, so that a flood gets half a core at most."""
        clock = self._parts.clock
        while True:
            # A message of a bundle may wait for its time.
            with suppress(TimeoutError):
                self._take(*await asyncio.wait_for(self._waiting.get(), self._inbox.due_in_s()))
            begun_s = clock.now_s()
            while not self._waiting.empty() and clock.now_s() - begun_s < MOST_APPLY_S:
                self._take(*self._waiting.get_nowait())
            for sender, (to, values) in self._inbox.apply():
                if receiver := self._clients.get(sender):
                    receiver.answer(build(to, values))
            await asyncio.sleep(max(LEAST_REST_S, clock.now_s() - begun_s))

    def _take(self, client: Client, content: bytes | str) -> None:
        if isinstance(content, bytes):
            self._inbox.put(content, client.sender)
            return
        try:
            self._obey(client, content)
        except ConfigError as error:
            client.answer(build(ERROR, (str(error),)))

    def _obey(self, client: Client, text: str) -> None:
        """Begin or end to listen. Raises ConfigError."""
        is_listen, to = parse(text)
        if not is_listen:
            client.listened.discard(to)
            return
        packet = self._following.current(to)
        if packet is None:
            raise ConfigError(f"There is no address {printable_name(to)} to listen to.")
        client.listened.add(to)
        # A value that changed since the namespace was read is not missed.
        if packet:
            client.put(to, packet)

    async def _send(self, client: Client, socket: web.WebSocketResponse, request: web.Request) -> None:
        try:
            while True:
                for outgoing in await client.take():
                    send = socket.send_str(outgoing) if isinstance(outgoing, str) else socket.send_bytes(outgoing)
                    await asyncio.wait_for(send, STALLED_S)
                await asyncio.sleep(1.0 / ROUNDS_A_SECOND)
        except TimeoutError:
            host = str(client.sender[0])
            self._slow_told.tell(
                host,
                lambda: f"OSCQuery: {host} took nothing for {STALLED_S:g} s and was disconnected. This is told once.",
            )
            if request.transport:
                request.transport.abort()
        except (ConnectionError, RuntimeError):
            # The client is gone.
            return

    def _namespace(self) -> Node:
        access = self._parts.access
        return namespace(
            self._parts.name, access.parameters, access.values(), self._parts.telemetry(), access.is_locked
        )

    def _refusal(self, request: web.Request) -> str:
        host = str(_sender(request)[0])
        refusal = self._parts.admission.refusal(host)
        if refusal:
            self._refused_told.tell(host, lambda: f"{refusal} This is told once.")
        return refusal

    def _reached(self, request: web.Request) -> Reachable:
        here: Sender = request.transport.get_extra_info("sockname") if request.transport else ("", 0)
        ip = here[0].removeprefix("::ffff:") if "." in here[0] else here[0]
        return Reachable(ip=ip, port=here[1], osc_ip=self._parts.osc_ip, osc_port=self._parts.osc_port)


def _sender(request: web.Request) -> Sender:
    return (request.transport.get_extra_info("peername") if request.transport else None) or ("", 0)


def _json(content: Node) -> web.Response:
    # No header lets pages of other origins read it.
    return web.json_response(content, headers={"Cache-Control": "no-store"})
