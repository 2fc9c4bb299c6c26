"""The supervisor ticks at invented times; systemd's part is a real socket."""

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

from engine.ops.health_monitor import START_WITHIN_S, STUCK_S, HealthMonitor
from engine.ops.show_log import ShowLog
from engine.ops.start import start_supervisor
from engine.ops.supervisor import MOST_LINES, Supervisor
from engine.ops.systemd import STARTING_ON, STARTING_ON_S, Systemd
from tests.engine.app.shows import InventedClock

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sockets with a name in the file system")


class NotifySocket:
    """systemd's end of the protocol."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def received(self) -> list[str]:
        messages: list[str] = []
        while True:
            try:
                messages.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return messages


@pytest.fixture
def folder() -> Iterator[Path]:
    # A socket's path may have no more than 107 characters.
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def notify_socket(folder: Path) -> Iterator[NotifySocket]:
    notify_socket = NotifySocket(str(folder / "notify"))
    yield notify_socket
    notify_socket.socket.close()


def play(
    monitor: HealthMonitor, supervisor: Supervisor, clock: InventedClock, seconds: float, frames: bool = True
) -> Iterator[None]:
    for _ in range(round(20 * seconds)):
        clock.sleep(0.05)
        if frames:
            monitor.add_frame(0, 0.02, {})
        supervisor.tick(clock.now_s())
        yield


def test_systemd_gets_ready_with_the_first_frame_and_then_watchdog_messages(
    folder: Path, notify_socket: NotifySocket
) -> None:
    clock = InventedClock()
    monitor = HealthMonitor(clock)
    environment = {
        "NOTIFY_SOCKET": str(folder / "notify"),
        "WATCHDOG_USEC": "4000000",
        "WATCHDOG_PID": str(os.getpid()),
    }
    supervisor = Supervisor(monitor, clock, service_manager=Systemd(environment))

    def messages(seconds: float, frames: bool = True) -> list[str]:
        # The system queues ten messages at most.
        return [line for _ in play(monitor, supervisor, clock, seconds, frames) for line in notify_socket.received()]

    # Before that, the start goes on: a first test may take longer than the unit's limit.
    assert set(messages(5.0, frames=False)) == {STARTING_ON}
    first = messages(20.0)
    assert first[0] == "READY=1"
    assert first.count("READY=1") == 1
    assert 19 <= first.count("WATCHDOG=1") <= 21
    # Stuck: after a while the watchdog messages stop; they return with the frames.
    messages(STUCK_S + 2.0, frames=False)
    assert "WATCHDOG=1" not in messages(20.0, frames=False)
    assert "WATCHDOG=1" in messages(5.0)
    assert any("fps, age 20 ms, 0 skipped; alive" in line for line in messages(60.0))
    supervisor.close()
    assert notify_socket.received() == ["STOPPING=1"]


def test_a_start_gets_as_much_time_as_a_first_test_may_take_and_no_more(
    folder: Path, notify_socket: NotifySocket
) -> None:
    clock, printed = InventedClock(), list[str]()
    monitor = HealthMonitor(clock)
    service_manager = Systemd({"NOTIFY_SOCKET": str(folder / "notify")})
    supervisor = Supervisor(monitor, clock, say=printed.append, service_manager=service_manager)

    def longest_silence_s(seconds: float) -> float:
        """Return the longest time without a message, the first ones and the end included."""
        silent_s = longest_s = 0.0
        for _ in play(monitor, supervisor, clock, seconds, frames=False):
            silent_s += 0.05
            longest_s = max(longest_s, silent_s)
            if STARTING_ON in notify_socket.received():
                silent_s = 0.0
        return longest_s

    monitor.allow_start(900.0)
    assert longest_silence_s(900.0) < STARTING_ON_S / 2
    assert monitor.report(clock.now_s()).alive
    monitor.allow_start(0.0)
    assert longest_silence_s(START_WITHIN_S - 1.0) < STARTING_ON_S / 2
    assert longest_silence_s(60.0) > STARTING_ON_S
    assert printed == ["The show is stuck: no frame was made in the first 960 s."]


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's own")
def test_an_abstract_socket_name_works() -> None:
    name = f"fluid-test-{os.getpid()}"
    notify_socket = NotifySocket("\0" + name)
    Systemd({"NOTIFY_SOCKET": "@" + name}).notify("READY=1", "STATUS=ready")
    assert notify_socket.received() == ["READY=1\nSTATUS=ready"]
    notify_socket.socket.close()


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
def test_without_systemd_nothing_happens(environment: dict[str, str]) -> None:
    service_manager = Systemd(environment)
    service_manager.notify("READY=1")
    assert service_manager.watchdog_every_s is None


def test_lines_are_printed_and_logged_in_order_and_each_minute_is_logged(tmp_path: Path) -> None:
    clock, printed = InventedClock(), []
    monitor = HealthMonitor(clock)
    supervisor = Supervisor(monitor, clock, say=printed.append, log=ShowLog(tmp_path / "log", clock))
    supervisor.tell("one")
    supervisor.tell("two")
    for _ in play(monitor, supervisor, clock, 61.0):
        pass
    supervisor.start()
    supervisor.tell("last words")
    supervisor.close()
    supervisor.close()
    assert printed == ["one", "two", "last words"]
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [event["event"] for event in events] == ["notice", "notice", "minute", "start", "notice", "end"]
    assert events[2]["fps"] == pytest.approx(20, abs=1)
    assert events[-1]["steps"] == 1220


def test_a_stuck_show_says_so_once_and_again_when_it_recovers(tmp_path: Path) -> None:
    clock, printed = InventedClock(), []
    monitor = HealthMonitor(clock)
    supervisor = Supervisor(monitor, clock, say=printed.append)
    for seconds, frames in ((5.0, True), (30.0, False), (5.0, True)):
        for _ in play(monitor, supervisor, clock, seconds, frames):
            pass
    assert len(printed) == 2
    assert printed[0].startswith("The show is stuck: no frame was made for 3.")
    assert printed[1] == "Frames are made and shown again."


def test_a_terminal_that_is_gone_or_stopped_does_not_block_the_show() -> None:
    clock, released = InventedClock(), threading.Event()
    monitor = HealthMonitor(clock)

    def broken(line: str) -> None:
        raise BrokenPipeError

    gone = Supervisor(monitor, clock, say=broken)
    gone.tell("hello")
    gone.tick(clock.now_s())
    still = Supervisor(monitor, clock, say=lambda line: (released.wait(), None)[1])
    still.start()
    for number in range(3 * MOST_LINES):
        still.tell(f"line {number}")
    released.set()
    still.close()


def test_supervisor_and_health_server_start_and_close_together(tmp_path: Path) -> None:
    clock, printed = InventedClock(), []
    with ExitStack() as releasing:
        supervisor = start_supervisor(
            HealthMonitor(clock), clock, say=printed.append, log=str(tmp_path / "log"), health_host="127.0.0.1", health_port=0,
            facts={"model": "water"}, releasing=releasing,
        )  # fmt: skip
        supervisor.tell("hello")
    assert printed[0].startswith("health   http://127.0.0.1:")
    assert printed[1] == "hello"
    assert json.loads((tmp_path / "log").read_text().splitlines()[0])["model"] == "water"
