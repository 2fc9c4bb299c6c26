"""The server against clients that mean no good: real sockets, bytes that no browser sends, connections that come to nothing."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.errors import ConfigError
from engine.web import limits
from engine.web.server import bind_web
from engine.web.web_address import WebAddress
from tests.engine.web.page_server import (
    HOST,
    PAGE,
    SCRIPT,
    InventedTime,
    Stage,
    answered,
    connected,
    page_server,
    rest,
    status,
)

GET = f"GET /page/ HTTP/1.1\r\nHost: {HOST}\r\n"


@pytest.fixture
def clock() -> InventedTime:
    return InventedTime()


@pytest.fixture
def stage(tmp_path: Path, clock: InventedTime) -> Iterator[Stage]:
    with page_server(tmp_path, clock=clock) as served:
        yield served
        # Whatever came, nothing of it was a fault of ours.
        assert served.lines == []
        assert threading.active_count() < 40


def get(stage: Stage, path: str, headers: str = "") -> tuple[bytes, bytes]:
    """Return head and body of an answer."""
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{headers}Connection: close\r\n\r\n"
    head, _, body = answered(stage.port, request.encode("latin-1")).partition(b"\r\n\r\n")
    return head, body


def test_files_come_with_headers_that_bind_the_browser(stage: Stage) -> None:
    head, body = get(stage, "/", "Accept: text/html\r\n")
    assert body.decode() == PAGE
    for line in (
        b"Content-Type: text/html; charset=utf-8",
        b"Content-Security-Policy: default-src 'none'; script-src 'self';",
        b"frame-ancestors 'none'",
        b"X-Content-Type-Options: nosniff",
        b"Referrer-Policy: no-referrer",
        b"Cache-Control: no-store",
    ):
        assert line in head
    head, body = get(stage, "/page/app.js")
    assert body.decode() == SCRIPT
    assert b"Content-Type: text/javascript; charset=utf-8" in head
    assert b"Cache-Control: no-cache" in head


def test_a_file_is_sent_once_and_packed(stage: Stage) -> None:
    head, body = get(stage, "/page/", "Accept-Encoding: gzip, br\r\n")
    assert b"Content-Encoding: gzip" in head
    assert gzip.decompress(body).decode() == PAGE
    assert len(body) < len(PAGE) / 4
    tag = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"etag"))
    head, body = get(stage, "/page/app.js", 'If-None-Match: W/"x"\r\n')
    assert (head.split(b" ")[1], body.decode()) == (b"200", SCRIPT)
    head, body = get(stage, "/page/", f"If-None-Match: {tag.decode()}\r\n")
    assert (head.split(b" ")[1], body) == (b"304", b"")


@pytest.mark.parametrize(
    "path",
    [
        *("/page/secret.py", "/page/../page/secret.py", "/page/..%2fsecret.py", "/page/%2e%2e/%2e%2e/etc/passwd"),
        *(
            "/page/..%252f..%252fetc%252fpasswd",
            "/page/app.js%00.html",
            "/page/..\\..\\etc\\passwd",
            "/page/%5c..%5csecret.py",
        ),
        *(
            "/page//etc/passwd",
            "//etc/passwd",
            "/page/\xff\xfe",
            "/page/%ff",
            "/page/%",
            "/page/app.js/",
            "/page/APP.JS",
        ),
        *("/page/" + "a" * 3000, "/page/.", "/page/index.html/../secret.py", "/etc/passwd", "/page/app.js;x"),
    ],
)
def test_no_path_reaches_the_disk(stage: Stage, path: str) -> None:
    head, body = get(stage, path)
    assert head.split(b" ")[1] in (b"400", b"404")
    assert b"password" not in body
    assert b"root:" not in body
    # Nothing of the request is repeated.
    assert b"passwd" not in body


SOCKET = (
    f"GET /page/socket HTTP/1.1\r\nHost: {HOST}\r\nOrigin: http://{HOST}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
)
SMUGGLED = "GET /page/app.js HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "request_text",
    [
        GET + f"Content-Length: {len(SMUGGLED)}\r\n\r\n" + SMUGGLED,
        GET + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        GET + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        GET + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
        GET + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        GET + "Content-Length: 0\r\nContent-Length: 4\r\n\r\nabcd" + SMUGGLED,
        GET + "Content-Length: +4\r\n\r\nabcd" + SMUGGLED,
        GET + "Content-Length: -1\r\n\r\n" + SMUGGLED,
        GET + "Content-Length : 4\r\n\r\nabcd" + SMUGGLED,
        GET + "X: 1\r\n folded: 1\r\n\r\n",
        GET + "X\x00Y: 1\r\n\r\n",
        GET + "X: a\x00b\r\n\r\n",
        GET + "no colon\r\n\r\n",
        GET + "".join(f"X-{number}: 1\r\n" for number in range(200)) + "\r\n",
        GET + f"X: {'a' * 10_000}\r\n\r\n",
        f"GET /page/{'a' * 10_000} HTTP/1.1\r\nHost: {HOST}\r\n\r\n",
        f"POST /page/ HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 3\r\n\r\nabc" + SMUGGLED,
        f"PUT /page/app.js HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 0\r\n\r\n",
        f"CONNECT {HOST}:80 HTTP/1.1\r\nHost: {HOST}\r\n\r\n",
        f"TRACE /page/ HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n",
        f"OPTIONS * HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n",
        f"get /page/ HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n",
        "GET /page/ HTTP/1.1\r\n\r\n",
        "GET /page/ HTTP/0.9\r\n\r\n",
        "GET /page/ HTTP/9.9\r\nHost: x\r\n\r\n",
        "GET http://evil.example/page/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\x00" * 200 + "\r\n\r\n",
        "\xff\xfe\xfd\r\n\r\n",
        "GET /page/socket HTTP/1.1\r\n" + f"Host: {HOST}\r\nUpgrade: websocket\r\nConnection: close\r\n\r\n",
        GET + "Expect: passwd\r\n\r\n",
        GET + "Expect: \xf3\r\n\r\n",
        SOCKET + "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAA\xf3AA==\r\n\r\n",
    ],
)
def test_what_is_no_plain_request_is_refused_and_the_connection_ends(stage: Stage, request_text: str) -> None:
    answer = answered(stage.port, request_text.encode("latin-1"))
    assert answer.count(b"HTTP/1.") <= 1, "a request hid in another"
    assert not answer or answer.split(b" ")[1][:1] == b"4"
    assert SCRIPT.encode() not in answer
    assert PAGE.encode() not in answer
    assert b"Traceback" not in answer
    assert b"passwd" not in answer
    assert status(stage.port) == 200


def test_several_requests_on_one_connection_are_answered(stage: Stage) -> None:
    with connected(stage.port) as connection:
        connection.sendall(2 * (GET + "\r\n").encode() + (GET + "Connection: close\r\n\r\n").encode())
        assert rest(connection).count(b"HTTP/1.1 200") == 3


@pytest.mark.parametrize("begun", ["", "GET /page/ HT", GET, GET + "X: 1\r\n", GET + "Content-Length: 5\r\n"])
def test_a_request_that_never_becomes_whole_ends(stage: Stage, clock: InventedTime, begun: str) -> None:
    with connected(stage.port) as slow:
        slow.sendall(begun.encode())
        assert status(stage.port) == 200
        clock.time_s += limits.FIRST_REQUEST_WITHIN_S + 0.1
        assert rest(slow) == b""


def test_a_second_request_that_never_becomes_whole_ends(stage: Stage, clock: InventedTime) -> None:
    with connected(stage.port) as slow:
        slow.sendall((GET + "\r\n").encode())
        assert PAGE[-20:].encode() in rest(slow, PAGE[-20:].encode())
        slow.sendall(b"GET /page")
        assert status(stage.port) == 200
        clock.time_s += limits.FIRST_REQUEST_WITHIN_S + 0.1
        assert rest(slow) == b""


def test_a_head_that_never_ends_is_cut_off(stage: Stage) -> None:
    with connected(stage.port) as endless:
        endless.sendall(GET.encode())
        with pytest.raises(ConnectionError):
            send_for_ever(endless)
    assert status(stage.port) == 200


def send_for_ever(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"X: 1\r\n" * 100)


def test_two_hundred_connections_keep_nobody_out(stage: Stage) -> None:
    crowd = list[socket.socket]()
    try:
        for number in range(180):
            crowd.append(socket.create_connection((HOST, stage.port)))
            crowd[-1].sendall(b"GET /page/ HTTP/1.1\r\n" if number % 2 else b"")
        assert status(stage.port) == 200
        gone = sum(is_gone(one) for one in crowd)
        assert gone >= len(crowd) - limits.MOST_CONNECTIONS_OF_ONE
    finally:
        for one in crowd:
            one.close()


def is_gone(connection: socket.socket) -> bool:
    connection.settimeout(0.01)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_a_flood_of_connections_is_turned_away(stage: Stage, clock: InventedTime) -> None:
    for _ in range(int(limits.CONNECTIONS_AT_ONCE)):
        with connected(stage.port) as one:
            one.sendall((GET + "Connection: close\r\n\r\n").encode())
            if not rest(one):
                break
    with connected(stage.port) as one:
        assert rest(one) == b""
    clock.time_s += 1.0
    assert status(stage.port) == 200


def test_closing_takes_the_port_back_and_hangs_up(tmp_path: Path) -> None:
    with page_server(tmp_path) as stage:
        with connected(stage.port) as idle, connected(stage.port) as half:
            half.sendall(b"GET /pa")
            stage.server.close()
            assert rest(idle) == rest(half) == b""
        stage.server.close()
        bind_web(WebAddress(HOST, stage.port, True), print).close()


def test_a_port_that_is_taken_offers_a_free_one_or_takes_it() -> None:
    told = list[str]()
    taken = bind_web(WebAddress(HOST, 0, True), told.append)
    taken.listen()
    port = taken.getsockname()[1]
    try:
        with pytest.raises(ConfigError, match=rf"port {port}: .*, \d+ is free; choose another with --web"):
            bind_web(WebAddress(HOST, port, True), told.append)
        assert told == []
        other = bind_web(WebAddress(HOST, port, False), told.append)
        assert told == [
            f"Port {port} is taken, so the page is on port {other.getsockname()[1]}; choose with --web HOST:PORT."
        ]
        other.close()
    finally:
        taken.close()


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"Cannot serve the web page on 192\.0\.2\.1 port 9: .*--web HOST:PORT"):
        bind_web(WebAddress("192.0.2.1", 9, True), print)
