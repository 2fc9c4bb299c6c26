"""The web page of whole shows: where they say it is, what a client gets, and how they end."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.engine.web.page_server import COMES_WITHIN_S, Page
from tests.processes import ENDS_WITHIN_S, ROOT, environment, run, start
from tests.terminals import Terminal

OPTIONS = ("--source", "tone", "--out", "null", "--no-osc")


@contextmanager
def show(*flags: str, cwd: Path) -> Iterator[tuple[subprocess.Popen[str], re.Match[str], list[str]]]:
    """A show with a page; gives the process, the first address and the lines before it."""
    process, lines = start(*OPTIONS, *flags, cwd=cwd), list[str]()
    assert process.stdout
    try:
        while not (found := re.search(r"^page +(https?)://([^/]+):(\d+)/(\?token=(\S+))?", "".join(lines[-1:]))):
            lines.append(process.stdout.readline())
            assert lines[-1], "the show ended"
        # What comes later is taken, or the show would wait for its reader.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield process, found, lines
    finally:
        process.kill()
        process.wait()


def test_a_page_steers_a_show_and_a_stalled_client_does_not_keep_it_from_its_end(tmp_path: Path) -> None:
    with show("--web", "0", cwd=tmp_path) as (process, found, _):
        assert (found[1], found[2], found[5]) == ("http", "127.0.0.1", None)
        port = int(found[3])

        async def steer() -> None:
            async with ClientSession() as session:
                origin = f"http://127.0.0.1:{port}"
                page = Page(await session.ws_connect(f"{origin}/page/socket", headers={"Origin": origin}))
                assert (await page.next("hello"))["model"]["name"] == "water"
                # The models are told when their list is there, whatever the page does.
                assert (await page.next("models"))["models"][0]["plays"] is True
                # The value may be told before the reply.
                await page.client.send_json({"id": 1, "do": "set", "values": {"brightness": 0.25}})
                while (await page.next("values"))["values"].get("brightness") != 0.25:
                    pass
                while (await page.next("telemetry"))["fps"] == 0.0:
                    pass

        asyncio.run(steer())
        with socket.socket() as stalled:
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            stalled.settimeout(COMES_WITHIN_S)
            stalled.connect(("127.0.0.1", port))
            stalled.sendall(
                f"GET /page/socket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            stalled.recv(1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(ENDS_WITHIN_S) == 0
            assert process.stderr
            assert process.stderr.read() == ""


def test_on_the_network_the_page_needs_the_token_that_is_printed(tmp_path: Path) -> None:
    with show("--web", "0.0.0.0:0", cwd=tmp_path) as (_, found, _lines):
        port, token = int(found[3]), found[5]
        assert len(token) >= 20

        async def visit() -> list[int]:
            statuses = list[int]()
            async with ClientSession() as session:
                for path in ("/page/socket", f"/page/socket?token={token}x", f"/page/none?token={token}", "/page/none"):
                    statuses.append((await session.get(f"http://127.0.0.1:{port}{path}")).status)
            return statuses

        assert asyncio.run(visit()) == [403, 403, 404, 403]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--web", "192.0.2.1:80"), "Cannot serve the web page on 192.0.2.1 port 80"),
        (("--web", "0", "--web-token", "short"), "web_token has 5 characters"),
        (("--web", "0", "--web-key", "key.pem"), "web_key is given without web_cert"),
    ],
)
def test_mistakes_end_the_show_before_it_begins(tmp_path: Path, flags: tuple[str, ...], sentence: str) -> None:
    code, _, complained = run(*OPTIONS, *flags, cwd=tmp_path)
    assert code == 2
    assert complained.startswith(f"error: {sentence}")
    assert complained.count("\n") == 1


def test_without_the_package_the_sentence_names_it(tmp_path: Path) -> None:
    (tmp_path / "aiohttp").mkdir()
    hidden = "import sys, runpy; sys.modules['aiohttp'] = None; sys.argv[0] = 'run_live.py'; "
    command = [sys.executable, "-c", hidden + "runpy.run_path(sys.argv.pop(1), run_name='__main__')"]
    flags = [str(ROOT / "run_live.py"), *OPTIONS, "--seconds", "1"]
    ended = subprocess.run(command + flags, env=environment(), capture_output=True, text=True, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    ended = subprocess.run([*command, *flags, "--web"], env=environment(), capture_output=True, text=True, cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: The web page needs the package aiohttp, which is not installed")


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of POSIX systems")
def test_a_terminal_shows_the_code_for_a_phone_and_no_take_has_the_token(tmp_path: Path) -> None:
    flags = ("--web", "0.0.0.0:0", "--web-token", "sesame-open", "--take", "take", "--seconds", "1")
    command = [sys.executable, str(ROOT / "run_live.py"), *OPTIONS, *flags]
    terminal = Terminal(command, tmp_path, environment(PYTHONIOENCODING="utf-8"))
    try:
        assert terminal.process.wait(ENDS_WITHIN_S) == 0
        assert "▄▄▄" in terminal.shown.decode(errors="replace")
        assert b"/?token=sesame-open" in terminal.shown
    finally:
        terminal.close()
    files = [path for path in (tmp_path / "take").rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if b"sesame-open" in path.read_bytes()] == []
