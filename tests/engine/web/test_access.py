"""Who may use the port: every request as it comes over the network, to the real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.errors import ConfigError
from engine.web.access import GUESSES_AT_ONCE, LONG_TOKEN, check_token, new_token
from tests.engine.web.page_server import COOKIE, HOST, InventedTime, Stage, answered, page_server, status

TOKEN = "sesame-open"
HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec_WebSocket_Version": "13",
}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Bound to this machine alone: without a token."""
    with page_server(tmp_path_factory.mktemp("page")) as stage:
        yield stage


@pytest.fixture
def clock() -> InventedTime:
    return InventedTime()


@pytest.fixture
def guarded(tmp_path: Path, clock: InventedTime) -> Iterator[Stage]:
    with page_server(tmp_path, TOKEN, clock) as stage:
        yield stage


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST:99",
        "localhost.",
        "[::1]:8080",
        "192.168.7.7:8080",
        "stage.example",
        "[fe80::1%25eth0]",
    ],
)
def test_names_and_addresses_of_this_machine_are_answered(local: Stage, host: str) -> None:
    assert status(local.port, Host=host) == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "stage.example.evil.example"),
        *(
            "0x7f.1",
            "2130706433",
            "",
            "user@localhost",
            "localhost/x",
            "localhost:port",
            "[::1",
            "localhost, evil.example",
        ),
    ],
)
@pytest.mark.parametrize("path", ["/", "/page/", "/page/socket", "/fluid/zoom"])
def test_a_name_that_leads_here_from_elsewhere_is_refused(local: Stage, host: str, path: str) -> None:
    assert status(local.port, path, Host=host) in (400, 421)


def test_two_hosts_or_none_are_refused(local: Stage) -> None:
    own = f"Host: {HOST}:{local.port}\r\n"
    for hosts in ("", own + "Host: evil.example\r\n"):
        answer = answered(local.port, f"GET /page/ HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n".encode())
        assert answer.split(b" ")[1] in (b"400", b"421")


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "null",
            "https://evil.example",
            "http://127.0.0.1",
            "http://127.0.0.1:1",
            "file://",
            "http://localhost:{port}",
        ),
        *(
            "http://127.0.0.1:{port}.evil.example",
            "http://127.0.0.1:{port}/",
            "http://127.0.0.1:{port}@evil.example",
            "",
        ),
        "ftp://127.0.0.1:{port}",
    ],
)
def test_a_page_of_another_site_is_refused(local: Stage, origin: str) -> None:
    origin = origin.format(port=local.port)
    assert status(local.port, Origin=origin) == 403
    assert status(local.port, "/page/socket", Origin=origin, **HANDSHAKE) == 403
    assert status(local.port, "/", Origin=origin, **HANDSHAKE) == 403


def test_our_own_page_opens_its_socket(local: Stage) -> None:
    assert status(local.port, "/page/socket", Origin=f"http://{HOST}:{local.port}", **HANDSHAKE) == 101
    # A proxy in front of the show speaks TLS for it.
    assert status(local.port, Host="stage.example", Origin="https://stage.example") == 200


def test_the_pages_sockets_need_an_origin(local: Stage) -> None:
    assert status(local.port, "/page/socket", **HANDSHAKE) == 403


def test_a_browser_that_hides_its_origin_is_refused(local: Stage) -> None:
    hidden = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"}
    assert status(local.port, **hidden) == 403
    assert status(local.port, "/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="websocket", **HANDSHAKE) == 403
    frame = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"}
    assert status(local.port, **frame) == 403


def test_a_link_elsewhere_and_the_address_bar_lead_to_the_page(local: Stage) -> None:
    for site in ("cross-site", "none", "same-origin"):
        link = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
        assert status(local.port, "/", Accept="text/html", **link) == 200


@pytest.mark.parametrize(
    "path",
    [
        "/page",
        "/page/",
        "/page/app.js",
        "/page/none",
        "/page/socket",
        "/%70age/",
        "/page/%61pp.js",
        "/page/?token=",
        "/page/?token=sesame",
    ],
)
def test_without_the_token_nothing_of_the_page_is_given(guarded: Stage, path: str) -> None:
    assert status(guarded.port, path) == 403
    assert status(guarded.port, path, Cookie=f"{COOKIE}=wrong; other=1") == 403


def test_the_root_needs_the_token_as_a_page_alone(guarded: Stage) -> None:
    assert status(guarded.port, "/", Accept="text/html") == 403
    # Of a remote: OSCQuery would answer.
    assert status(guarded.port, "/", Accept="application/json") == 404


def test_the_token_in_the_address_becomes_a_cookie_that_opens_everything(guarded: Stage) -> None:
    request = f"GET /?token={TOKEN} HTTP/1.1\r\nHost: {HOST}\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
    answer = answered(guarded.port, request.encode()).decode()
    assert answer.startswith("HTTP/1.1 200")
    assert f"Set-Cookie: {COOKIE}={TOKEN}; HttpOnly; Path=/; SameSite=Strict" in answer
    cookie = f"broken[1]=x; {COOKIE}={TOKEN}"
    assert status(guarded.port, "/page/app.js", Cookie=cookie) == 200
    own = f"http://{HOST}:{guarded.port}"
    assert status(guarded.port, "/page/socket", Cookie=cookie, Origin=own, **HANDSHAKE) == 101
    assert status(guarded.port, "/page/socket", Cookie=cookie, Origin="http://evil.example", **HANDSHAKE) == 403


def test_guesses_have_a_limit_and_the_owner_comes_in_afterwards(guarded: Stage, clock: InventedTime) -> None:
    for _ in range(int(GUESSES_AT_ONCE)):
        assert status(guarded.port, "/page/?token=guess") == 403
    assert status(guarded.port, f"/page/?token={TOKEN}") == 429
    assert status(guarded.port, "/page/") == 403
    clock.time_s += 60.0
    assert status(guarded.port, f"/page/?token={TOKEN}") == 200


def test_a_page_from_before_the_start_does_not_keep_out_its_user(tmp_path: Path) -> None:
    token = new_token()
    assert len(token) >= LONG_TOKEN
    with page_server(tmp_path, token, InventedTime()) as stage:
        for _ in range(3 * int(GUESSES_AT_ONCE)):
            assert status(stage.port, Cookie=f"{COOKIE}={new_token()}") == 403
        assert status(stage.port, f"/page/?token={token}") == 200


@pytest.mark.parametrize("token", ["short", "", "with a space", "slash/slash", "ampersand&more", "ünicode-token"])
def test_a_token_that_is_short_or_no_part_of_an_address_is_refused(token: str) -> None:
    with pytest.raises(ConfigError, match="at least 8 of these were expected"):
        check_token(token)
    assert check_token("twelve.chars") == "twelve.chars"
