"""The server of the one port: puts the parts together, in an event loop with a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web

from engine.core.errors import ConfigError
from engine.core.notices import ToldOnce
from engine.core.printable import LONGEST_REASON, printable
from engine.core.server_thread import CLOSE_WITHIN_S, bind_socket, next_free_port
from engine.core.token_bucket import Bucket
from engine.web import limits
from engine.web.access import WebAccess, is_websocket, wants_page
from engine.web.connections import Connections, watch
from engine.web.static_files import StaticFiles
from engine.web.web_address import WebAddress
from engine.web.web_part import WebPart

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self'; media-src 'self' blob:; font-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    hdrs.SERVER: "Fluid",
}
"""Of every answer."""
_CONTINUE = "100-continue"
_BACKLOG = 64
_STARTS_WITHIN_S = 5.0
_FAREWELL_S = 0.2
_FAULTS_TOLD = 8
_WAY_OUT = "choose another with --web HOST:PORT"
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def bind_web(address: WebAddress, notify: Callable[[str], None]) -> socket.socket:
    """Bind the port; where the user named none and the usual one is taken, the next free one. Raises ConfigError, which names a free
    one."""
    try:
        return _bind(address.host, address.port, _WAY_OUT)
    except ConfigError:
        free = None if address.is_port_given else next_free_port(socket.SOCK_STREAM, address.host, address.port)
        if free is None:
            raise
    bound = _bind(address.host, free, _WAY_OUT)
    notify(f"Port {address.port} is taken, so the page is on port {free}; choose with --web HOST:PORT.")
    return bound


class WebServer:
    """Serves its parts from `start` to `close`."""

    def __init__(
        self,
        bound: socket.socket,
        access: WebAccess,
        parts: Iterable[WebPart],
        page: StaticFiles,
        notify: Callable[[str], None],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`bound` comes from `bind_web`."""
        self._socket = bound
        self._access = access
        self._parts = (page, *parts)
        self._page = page
        self._tls = tls
        self._faults = _Faults(notify)
        # Not the one of Windows, which stops to listen for ever when a client is gone before it is taken.
        self._loop = asyncio.SelectorEventLoop()
        self._loop.set_exception_handler(self._faults.of_loop)
        # It warns of what clients ask for, on the terminal.
        logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)
        self._ending = asyncio.Event()
        self._has_started = threading.Event()
        # A daemon thread: the process can end even if a part hangs.
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Start to serve; what arrives is answered when this returns."""
        self._thread.start()
        self._has_started.wait(_STARTS_WITHIN_S)
        assert self._thread.is_alive()

    def close(self) -> None:
        """Hang up on every client and release the port within CLOSE_WITHIN_S; safe to call twice, and without `start`."""
        if self._thread.is_alive():
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join(CLOSE_WITHIN_S)
        if not self._thread.is_alive():
            self._loop.close()
        self._socket.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._has_started.set()

    async def _serve(self) -> None:
        connections = Connections(self._access.clock)
        app = web.Application(middlewares=[self._guard(connections)], client_max_size=limits.LARGEST_HEAD_BYTES)
        app.on_response_prepare.append(self._add_headers)
        for part in self._parts:
            app.add_routes(part.routes())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_FAREWELL_S)
        await runner.setup()
        assert runner.server is not None
        runner.server.request_handler = _readable_first(runner.server.request_handler)
        listener = await self._loop.create_server(
            lambda: connections.watched(lambda: _Requests(runner, self._faults.logger)),
            sock=self._socket,
            backlog=_BACKLOG,
            ssl=self._tls,
            ssl_handshake_timeout=limits.FIRST_REQUEST_WITHIN_S if self._tls else None,
            ssl_shutdown_timeout=_FAREWELL_S if self._tls else None,
        )
        watching = self._loop.create_task(watch(connections))
        self._has_started.set()
        await self._ending.wait()
        # No more are taken, and those that are being taken now come to their end before the listener's.
        with suppress(NotImplementedError):
            self._loop.remove_reader(self._socket)
        connections.close()
        watching.cancel()
        await _end_tasks()
        listener.close()
        await runner.cleanup()

    def _guard(self, connections: Connections) -> Any:
        """Return the middleware that every request passes."""

        requests = Bucket(limits.REQUESTS_A_SECOND, limits.REQUESTS_AT_ONCE)

        @web.middleware
        async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
            connections.began(request.transport, is_websocket(request))
            try:
                if not requests.take(self._access.clock.now_s()):
                    return _closing(web.Response(status=429, text="Too many requests; try again in a moment.\n"))
                refusal = self._access.refusal(request) or _refusal(request)
                if refusal:
                    return _closing(refusal)
                response = await self._handled(request, handler)
                if not response.prepared:
                    self._access.remember(request, response)
                return response
            finally:
                connections.answered(request.transport)

        return guard

    async def _handled(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            return await (self._page.index(request) if wants_page(request) else handler(request))
        except web.HTTPException as error:
            # Its own page would repeat parts of the request.
            return web.Response(status=error.status, text=f"{error.reason}.\n")

    async def _add_headers(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        del request
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")


class _Requests(web.RequestHandler):
    """aiohttp's protocol with limits, and with answers to faulty requests that repeat nothing of them."""

    def __init__(self, runner: web.AppRunner, logger: logging.Logger) -> None:
        server = runner.server
        assert server is not None
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=logging.Logger("web requests", logging.CRITICAL),
            logger=logger,
            keepalive_timeout=limits.IDLE_S,
            max_line_size=limits.LONGEST_LINE_BYTES,
            max_field_size=limits.LONGEST_LINE_BYTES,
            max_headers=limits.MOST_HEADERS,
            lingering_time=0.0,
            auto_decompress=False,
        )

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        super().handle_error(request, status, exc, message)
        return _closing(web.Response(status=status, text=f"{HTTPStatus(status).phrase}.\n", headers=HEADERS))


def _readable_first(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    """Refuse headers that aiohttp would repeat in its answer, or fail on where they hold bytes beyond ASCII."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get(hdrs.EXPECT, _CONTINUE).casefold() != _CONTINUE:
            return _closing(web.Response(status=417, text="Expectation Failed.\n", headers=HEADERS))
        if not request.headers.get(hdrs.SEC_WEBSOCKET_KEY, "").isascii():
            return _closing(web.Response(status=400, text="Bad Request.\n", headers=HEADERS))
        return await handler(request)

    return handle


def _refusal(request: web.Request) -> web.Response | None:
    """Return the answer to a request that no part has to read: one with a body, or of a method that changes things."""
    if request.method not in ("GET", "HEAD"):
        return web.Response(status=405, text="GET and HEAD are answered.\n", headers={hdrs.ALLOW: "GET, HEAD"})
    if request.headers.get(hdrs.TRANSFER_ENCODING) or request.headers.get(hdrs.CONTENT_LENGTH, "0") != "0":
        return web.Response(status=400, text="A request here has no body.\n")
    return None


async def _end_tasks() -> None:
    """Wait for tasks that end by themselves, and end those that parts left behind, such as the one that sends to a client."""
    for _ in range(2):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if tasks:
            await asyncio.wait(tasks, timeout=_FAREWELL_S)
        for task in tasks:
            task.cancel()


def _closing(response: web.Response) -> web.Response:
    response.force_close()
    return response


class _Faults(logging.Handler):
    """Tells what should not have happened in one line each, the first ones alone: nothing from outside fills a terminal."""

    def __init__(self, notify: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._told = ToldOnce(notify, _FAULTS_TOLD)
        self.logger = logging.Logger("web")
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(record.exc_info[1] if record.exc_info else None)

    def of_loop(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        del loop
        self._tell(context.get("exception"))

    def _tell(self, error: BaseException | None) -> None:
        # Clients that go away, speak no TLS or no HTTP are none of our faults.
        if error is None or isinstance(error, (OSError, EOFError, asyncio.CancelledError)) or _is_of_http(error):
            return
        reason = printable(f"{type(error).__name__}: {error}", LONGEST_REASON)
        kind = type(error).__name__
        self._told.tell(kind, lambda: f"The web page could not answer a request ({reason}). The show goes on.")


def _is_of_http(error: BaseException) -> bool:
    from aiohttp.http_exceptions import HttpProcessingError

    return isinstance(error, (HttpProcessingError, web.HTTPException))


def _bind(host: str, port: int, way_out: str) -> socket.socket:
    return bind_socket(socket.SOCK_STREAM, host, port, purpose="serve the web page", way_out=way_out)
