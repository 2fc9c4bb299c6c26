"""What looks after a show takes turns at invented times; systemd's part is a real socket."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.ops.health_monitor import STUCK_S, HealthMonitor
from engine.ops.show_log import ShowLog
from engine.ops.start import open_service
from engine.ops.supervisor import MOST_LINES, Supervisor
from engine.ops.systemd import Systemd
from tests.engine.app.shows import InventedClock

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sockets with a name in the file system")


class Manager:
    """The other end of systemd's protocol."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def told(self) -> list[str]:
        told: list[str] = []
        while True:
            try:
                told.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return told


@pytest.fixture
def folder() -> Iterator[Path]:
    # A socket's path may have no more than 107 characters.
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def manager(folder: Path) -> Iterator[Manager]:
    manager = Manager(str(folder / "notify"))
    yield manager
    manager.socket.close()


def play(
    monitor: HealthMonitor, service: Supervisor, clock: InventedClock, seconds: float, frames: bool = True
) -> Iterator[None]:
    for _ in range(round(20 * seconds)):
        clock.sleep(0.05)
        if frames:
            monitor.add_frame(0, 0.02, {})
        service.turn(clock.now_s())
        yield


def test_systemd_is_told_when_the_show_plays_and_then_that_it_lives(folder: Path, manager: Manager) -> None:
    clock = InventedClock()
    monitor = HealthMonitor(clock)
    environment = {
        "NOTIFY_SOCKET": str(folder / "notify"),
        "WATCHDOG_USEC": "4000000",
        "WATCHDOG_PID": str(os.getpid()),
    }
    service = Supervisor(monitor, clock, manager=Systemd(environment))

    def told(seconds: float, frames: bool = True) -> list[str]:
        # The system keeps ten messages at most.
        return [line for _ in play(monitor, service, clock, seconds, frames) for line in manager.told()]

    assert told(5.0, frames=False) == []
    beginning = told(20.0)
    assert beginning[0] == "READY=1"
    assert beginning.count("READY=1") == 1
    assert 19 <= beginning.count("WATCHDOG=1") <= 21
    # Stuck: at first it may be a moment, then there is no sign of life any more, and one again as soon as pictures flow.
    told(STUCK_S + 2.0, frames=False)
    assert "WATCHDOG=1" not in told(20.0, frames=False)
    assert "WATCHDOG=1" in told(5.0)
    assert any("fps, age 20 ms, 0 skipped; alive" in line for line in told(60.0))
    service.close()
    assert manager.told() == ["STOPPING=1"]


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's own")
def test_an_abstract_name_is_understood() -> None:
    name = f"fluid-test-{os.getpid()}"
    manager = Manager("\0" + name)
    Systemd({"NOTIFY_SOCKET": "@" + name}).tell("READY=1", "STATUS=ready")
    assert manager.told() == ["READY=1\nSTATUS=ready"]
    manager.socket.close()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": "/nowhere/notify"},
        {"NOTIFY_SOCKET": "relative"},
        {"WATCHDOG_USEC": "often"},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"},
    ],
)
def test_without_a_manager_that_listens_nothing_happens(environment: dict[str, str]) -> None:
    manager = Systemd(environment)
    manager.tell("READY=1")
    assert manager.pet_every_s is None


def test_lines_are_said_and_logged_in_order_and_a_minute_is_summed_up(tmp_path: Path) -> None:
    clock, said = InventedClock(), []
    monitor = HealthMonitor(clock)
    service = Supervisor(monitor, clock, say=said.append, log=ShowLog(tmp_path / "log", clock))
    service.tell("one")
    service.tell("two")
    for _ in play(monitor, service, clock, 61.0):
        pass
    service.start()
    service.tell("last words")
    service.close()
    service.close()
    assert said == ["one", "two", "last words"]
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [event["event"] for event in events] == ["notice", "notice", "minute", "start", "notice", "end"]
    assert events[2]["fps"] == pytest.approx(20, abs=1)
    assert events[-1]["steps"] == 1220


def test_a_show_that_is_stuck_says_so_once_and_again_when_it_plays(tmp_path: Path) -> None:
    clock, said = InventedClock(), []
    monitor = HealthMonitor(clock)
    service = Supervisor(monitor, clock, say=said.append)
    for seconds, frames in ((5.0, True), (30.0, False), (5.0, True)):
        for _ in play(monitor, service, clock, seconds, frames):
            pass
    assert len(said) == 2
    assert said[0].startswith("The show is stuck: no picture was made for 3.")
    assert said[1] == "Pictures are made and shown again."


def test_a_terminal_that_is_gone_or_stands_still_does_not_hold_the_show() -> None:
    clock, released = InventedClock(), threading.Event()
    monitor = HealthMonitor(clock)

    def broken(line: str) -> None:
        raise BrokenPipeError

    gone = Supervisor(monitor, clock, say=broken)
    gone.tell("hello")
    gone.turn(clock.now_s())
    still = Supervisor(monitor, clock, say=lambda line: (released.wait(), None)[1])
    still.start()
    for number in range(3 * MOST_LINES):
        still.tell(f"line {number}")
    released.set()
    still.close()


def test_everything_together_is_opened_and_closed(tmp_path: Path) -> None:
    clock, said = InventedClock(), []
    with ExitStack() as releasing:
        service = open_service(
            HealthMonitor(clock), clock, say=said.append, log=str(tmp_path / "log"), health_host="127.0.0.1", health_port=0,
            facts={"model": "water"}, releasing=releasing,
        )  # fmt: skip
        service.tell("hello")
    assert said[0].startswith("health   http://127.0.0.1:")
    assert said[1] == "hello"
    assert json.loads((tmp_path / "log").read_text().splitlines()[0])["model"] == "water"
