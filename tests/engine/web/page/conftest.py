"""A show as a user starts it, and a real Chromium that opens its page."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pythonosc.udp_client import SimpleUDPClient

from tests.conftest import require
from tests.processes import start

sync_playwright: Any = None
expect: Any = None
if find_spec("playwright"):
    from playwright.sync_api import expect, sync_playwright

STARTS_WITHIN_S = 30.0
ENDS_WITHIN_S = 20.0
SHOWN_WITHIN_S = 15.0
"""So long a test waits for what a page is to show: a busy machine is no fault of the page."""
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
ON_A_PHONE = {"viewport": PHONE, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
VIEWS = ("live", "parameters", "scenes", "setup", "log")


class Show:
    """A show that plays into nothing, with a page and a port for OSC."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder, self._flags = folder, flags
        self._web_port, self._osc_port = _free_port(socket.SOCK_STREAM), _free_port(socket.SOCK_DGRAM)
        self._process: subprocess.Popen[str] | None = None
        self.url = f"http://127.0.0.1:{self._web_port}/"

    def start(self) -> None:
        """Return once its page can be opened."""
        self._process = start(
            *("--source", "demo", "--out", "null", "--web", f"127.0.0.1:{self._web_port}"),
            *("--osc-port", str(self._osc_port), "--scenes", "scenes"),
            *self._flags,
            cwd=self.folder,
        )
        deadline_s = time.monotonic() + STARTS_WITHIN_S
        while not self._answers():
            assert self._process.poll() is None, self._process.communicate()
            assert time.monotonic() < deadline_s, "the page was not served"
            time.sleep(0.1)

    def stop(self) -> None:
        """End it as a terminal does."""
        if self._process:
            self._process.terminate()
            self._process.communicate(timeout=ENDS_WITHIN_S)
            self._process = None

    def send(self, name: str, value: float) -> None:
        """Set a parameter as another remote does."""
        SimpleUDPClient("127.0.0.1", self._osc_port).send_message(f"/fluid/{name}", value)

    def value(self, name: str) -> float:
        """Ask the store for a value, as another remote does."""
        client = SimpleUDPClient("127.0.0.1", self._osc_port)
        client.send_message(f"/fluid/{name}", [])
        for message in client.get_messages(5):
            return message.params[0]
        raise AssertionError(f"{name} was not answered")

    def comes_to(self, name: str, value: float) -> None:
        """Return once the store has a value."""
        deadline_s = time.monotonic() + SHOWN_WITHIN_S
        while abs(self.value(name) - value) > 1e-3:
            assert time.monotonic() < deadline_s, f"{name} is {self.value(name)}, not {value}"
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + "page/page.css", timeout=1):
                return True
        except urllib.error.HTTPError:
            # It asks for a token.
            return True
        except OSError:
            return False


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Show]:
    playing = Show(tmp_path_factory.mktemp("show"))
    playing.start()
    yield playing
    playing.stop()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Any]:
    """A browser for the tests of this folder: while one is open, its event loop runs in this thread and others cannot."""
    require(sync_playwright, "playwright (pip install playwright)")
    require(shutil.which(CHROMIUM), "chromium (apt-get install chromium)")
    expect.set_options(timeout=SHOWN_WITHIN_S * 1000.0)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


class Pages:
    """Opens the page of a show, and keeps what it complains of."""

    def __init__(self, chromium: Any, url: str) -> None:
        self._chromium = chromium
        self._url = url
        self._contexts: list[Any] = []
        self.complaints: list[str] = []
        """What pages wrote into the browser's console; a test that expects some empties it."""

    def open(self, **context: Any) -> Any:
        """Return the page, connected, on a large screen unless `context` says another."""
        self._contexts.append(self._chromium.new_context(**{"viewport": DESKTOP, **context}))
        page = self._contexts[-1].new_page()
        page.set_default_timeout(SHOWN_WITHIN_S * 1000.0)
        page.on("console", self._keep)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(self._url)
        expect(page.locator("body")).to_have_attribute("data-connection", "open")
        expect(page.locator("[data-name=zoom]")).to_have_count(1)
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def _keep(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@pytest.fixture
def pages(show: Show, chromium: Any) -> Iterator[Pages]:
    """Opens pages; none of them may have complained at the end."""
    opened = Pages(chromium, show.url)
    yield opened
    opened.close()
    assert opened.complaints == []


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]
