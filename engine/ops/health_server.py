"""GET /health (JSON) and GET /metrics (Prometheus) for monitoring from outside.

Each connection carries one request and has a thread of its own and a deadline for the whole request. At most MOST_CONNECTIONS are
open; a new one takes the place of the oldest. So neither slow nor idle clients keep others from an answer, or a show from its end.
Beyond CONNECTIONS_AT_ONCE so many a second are taken, and the others wait for their turn: a flood takes no time of the steps.
"""

from __future__ import annotations

import io
import json
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

from engine.core.clock import Clock, WallClock
from engine.core.server_thread import ServerThread, bind_socket
from engine.core.token_bucket import Bucket
from engine.ops.health_monitor import HealthReport
from engine.ops.metrics import CONTENT_TYPE, metrics_text

MOST_CONNECTIONS = 16
CONNECTIONS_A_SECOND, CONNECTIONS_AT_ONCE = 50.0, 200.0
REQUEST_WITHIN_S = 2.0
"""From the connection to the last byte of the answer."""
LARGEST_HEAD_BYTES = 8192
MOST_DROPPED_READS = 16
_READ_BYTES = 65536
_BACKLOG = 64
_PAUSE_S = 0.1
_TEXT = "text/plain; charset=utf-8"


class HealthServer:
    """Answers from `start` to `close`."""

    def __init__(self, host: str, port: int, report: Callable[[], HealthReport], clock: Clock | None = None) -> None:
        """Bind the port (0: any free one). Raises ConfigError."""
        self._report = report
        self._clock = clock or WallClock()
        self._listener = bind_socket(
            socket.SOCK_STREAM,
            host,
            port,
            purpose="answer",
            way_out="choose another with --health-port, or leave it out",
        )
        self._listener.listen(_BACKLOG)
        self.host, self.port = host, int(self._listener.getsockname()[1])
        self._bucket = Bucket(CONNECTIONS_A_SECOND, CONNECTIONS_AT_ONCE)
        self._lock = threading.Lock()
        self._open: deque[socket.socket] = deque()
        self._server = ServerThread("health", self._listener, self._accept)

    def start(self) -> None:
        """Start to answer."""
        self._server.start()

    def close(self) -> None:
        """Stop, hang up on every client and release the port; safe to call twice."""
        self._server.close()
        with self._lock:
            while self._open:
                _hang_up(self._open.popleft())

    def _accept(self) -> None:
        if not self._bucket.take(self._clock.now_s()):
            # The system keeps them in a queue, and turns away what finds no room there.
            self._clock.sleep(1.0 / CONNECTIONS_A_SECOND)
            return
        try:
            connection, _ = self._listener.accept()
        except OSError:
            # The client is gone again, or the process can open no more files: no reason to spin.
            self._clock.sleep(_PAUSE_S)
            return
        with self._lock:
            while len(self._open) >= MOST_CONNECTIONS:
                _hang_up(self._open.popleft())
            self._open.append(connection)
        threading.Thread(target=self._serve, args=(connection,), name="health request", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            # A client that hangs up is no error.
            with connection, suppress(OSError):
                until_s = self._clock.now_s() + REQUEST_WITHIN_S
                head = self._read_head(connection, until_s)
                if head:
                    self._wait_until(connection, until_s)
                    connection.sendall(answer(head, self._report))
                    connection.shutdown(socket.SHUT_WR)
                    # What comes after the head is read and dropped: closing before that would take the answer back.
                    for _ in range(MOST_DROPPED_READS):
                        self._wait_until(connection, until_s)
                        if not connection.recv(_READ_BYTES):
                            break
        finally:
            with self._lock, suppress(ValueError):
                self._open.remove(connection)

    def _read_head(self, connection: socket.socket, until_s: float) -> bytes:
        """Return the request up to its blank line, the client's end of sending or the size limit. Raises TimeoutError."""
        head = b""
        while not _is_whole(head) and len(head) < LARGEST_HEAD_BYTES:
            self._wait_until(connection, until_s)
            part = connection.recv(LARGEST_HEAD_BYTES)
            if not part:
                break
            head += part
        return head

    def _wait_until(self, connection: socket.socket, until_s: float) -> None:
        """Let the next call on the connection take until the deadline. Raises TimeoutError after it."""
        left_s = until_s - self._clock.now_s()
        if left_s <= 0.0:
            raise TimeoutError
        connection.settimeout(left_s)


def answer(head: bytes, report: Callable[[], HealthReport]) -> bytes:
    """Return the HTTP response to a request. Nothing of the request is repeated in it."""
    return _Request(head, report).response


class _Request(BaseHTTPRequestHandler):
    """The standard library's HTTP parser, from bytes to bytes."""

    def __init__(self, head: bytes, report: Callable[[], HealthReport]) -> None:
        written = io.BytesIO()
        self.rfile, self.wfile = io.BytesIO(head), written
        self._report = report
        self.command = ""
        if len(head) >= LARGEST_HEAD_BYTES and not _is_whole(head):
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        else:
            self.handle_one_request()
        self.response = written.getvalue()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/health":
            report = self._report()
            status = HTTPStatus.OK if report.alive else HTTPStatus.SERVICE_UNAVAILABLE
            self._send(status, "application/json; charset=utf-8", (json.dumps(report.as_dict()) + "\n").encode())
        elif path == "/metrics":
            self._send(HTTPStatus.OK, CONTENT_TYPE, metrics_text(self._report()))
        else:
            self._send(HTTPStatus.NOT_FOUND, _TEXT, b"The addresses are /health and /metrics.\n")

    def do_HEAD(self) -> None:
        self.do_GET()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse a request without repeating any of it, as the messages of the parser do."""
        is_method = code == HTTPStatus.NOT_IMPLEMENTED
        status = HTTPStatus.METHOD_NOT_ALLOWED if is_method else HTTPStatus(code)
        # A request that is not understood has no version; its answer has one.
        self.request_version = self.protocol_version
        self._send(status, _TEXT, b"GET and HEAD are answered.\n" if is_method else f"{status.phrase}.\n".encode())

    def _send(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _is_whole(head: bytes) -> bool:
    return b"\r\n\r\n" in head or b"\n\n" in head


def _hang_up(connection: socket.socket) -> None:
    """Wake the thread that serves a connection; it closes it."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
