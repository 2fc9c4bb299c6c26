"""What zeroconf tells of a show, on the loopback interface alone: nothing leaves this machine."""

from __future__ import annotations

import os
import queue
from collections.abc import Iterator

import pytest
from zeroconf import ServiceBrowser, ServiceListener, Zeroconf

from engine.core.advertised_service import Bound, Service
from engine.core.advertising import (
    Advertisement,
    numbered,
    service_name,
)
from engine.core.this_machine import advertised_name

OSCQUERY, OSC, PAGE = "_oscjson._tcp", "_osc._udp", "_http._tcp"
LOOPBACK = "127.0.0.1"
WAITS_S = 20.0
NOWHERE = "198.51.100.7"
TITLE, NAME = f"Fluid {os.getpid()}.0", f"Fluid {os.getpid()} 0"
"""Others may run these tests on this machine meanwhile."""


class Browser(ServiceListener):
    """Another program that lists what is advertised."""

    def __init__(self) -> None:
        self.zeroconf = Zeroconf(interfaces=[LOOPBACK])
        self.came: queue.Queue[str] = queue.Queue()
        self.left: queue.Queue[str] = queue.Queue()
        kinds = [f"{kind}.local." for kind in (OSCQUERY, OSC, PAGE)]
        self.browser = ServiceBrowser(self.zeroconf, kinds, self)

    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        if name.startswith(NAME):
            self.came.put(name)

    def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        if name.startswith(NAME):
            self.left.put(name)

    def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        pass


@pytest.fixture
def browser() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.zeroconf.close()


def advertised(port: int, lines: list[str], addresses=lambda: [LOOPBACK], kinds=(OSCQUERY,)) -> Advertisement:
    services = [Service(kind, Bound("0.0.0.0", port)) for kind in kinds]
    return Advertisement(TITLE, services, advertised_name(port), addresses, lines.append, looks_every_s=0.1)


def next_names(found: queue.Queue[str], count: int) -> set[str]:
    return {found.get(timeout=WAITS_S) for _ in range(count)}


def test_a_show_comes_with_its_services_and_goes_at_its_end(browser: Browser) -> None:
    lines: list[str] = []
    first = advertised(8080, lines, kinds=(OSCQUERY, OSC, PAGE))
    first.start()
    names = {f"{NAME}.{kind}.local." for kind in (OSCQUERY, OSC, PAGE)}
    assert next_names(browser.came, 3) == names
    info = browser.zeroconf.get_service_info(f"{OSCQUERY}.local.", f"{NAME}.{OSCQUERY}.local.")
    assert info is not None
    assert (info.port, info.parsed_addresses(), info.server) == (8080, [LOOPBACK], f"{advertised_name(8080)}.")
    second = advertised(8081, lines)
    second.start()
    assert browser.came.get(timeout=WAITS_S) == f"{NAME} 2.{OSCQUERY}.local."
    first.close()
    assert next_names(browser.left, 3) == names
    second.close()
    assert browser.left.get(timeout=WAITS_S) == f"{NAME} 2.{OSCQUERY}.local."
    assert lines == [f"Another program is called {NAME}, so this show is advertised as {NAME} 2."]


def test_a_network_that_comes_later_is_used(browser: Browser) -> None:
    here: list[str] = [NOWHERE]
    lines: queue.Queue[str] = queue.Queue()
    services = [Service(OSCQUERY, Bound("0.0.0.0", 8080))]
    show = Advertisement(TITLE, services, advertised_name(8080), lambda: here, lines.put, looks_every_s=0.1)
    show.start()
    # An interface that is not there costs one line.
    assert "could not be advertised" in lines.get(timeout=WAITS_S)
    here[:] = []
    here[:] = [LOOPBACK]
    assert browser.came.get(timeout=WAITS_S) == f"{NAME}.{OSCQUERY}.local."
    # It goes away.
    here[:] = []
    assert browser.left.get(timeout=WAITS_S) == f"{NAME}.{OSCQUERY}.local."
    show.close()
    assert lines.empty()


def test_closing_at_once_and_twice_and_without_a_beginning() -> None:
    show = advertised(8080, [])
    show.start()
    show.close()
    show.close()
    advertised(8081, []).close()


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("0.0.0.0", ["10.0.0.5"]),
        ("::", ["10.0.0.5", "fd00::2"]),
        ("10.0.0.5", ["10.0.0.5"]),
        ("fd00::2", ["fd00::2"]),
        ("127.0.0.1", []),
        ("::1", []),
    ],
)
def test_a_service_is_advertised_where_it_can_be_reached(host: str, reached: list[str]) -> None:
    assert Service(OSCQUERY, Bound(host, 8080)).addresses(["10.0.0.5", "fd00::2"]) == reached


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Fluid", "Fluid"),
        ("Fluid 2.0", "Fluid 2 0"),
        ("  A\tB\n", "A\\tB\\n"),
        ("...", "Fluid"),
        ("Größe " * 20, "Größe " * 7 + "Grö"),
    ],
)
def test_names_have_no_dots_and_room_for_a_number(title: str, name: str) -> None:
    assert service_name(title) == name
    assert len(numbered(service_name(title), 50).encode()) <= 63


def test_the_machine_has_a_name_of_its_own_for_each_port() -> None:
    assert advertised_name(8080).startswith("fluid-8080-")
    assert advertised_name(8080).endswith(".local")
    assert advertised_name(8080) != advertised_name(8081)
