"""Signals set a flag and take no lock; those that come together are one request."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.core.stop_signals import HANGUP, STOP_SIGNALS, StopRequest, handle_stop_signals, on_stop_signals
from tests.engine.app.shows import InventedClock

ROOT = Path(__file__).parents[3]
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX systems")


@pytest.fixture
def clock() -> InventedClock:
    return InventedClock()


@pytest.fixture
def stop(clock: InventedClock) -> StopRequest:
    return StopRequest(clock=clock)


def test_all_signals_that_the_system_has_are_handled() -> None:
    known = {"SIGINT", "SIGTERM", "SIGBREAK"} if sys.platform == "win32" else {"SIGINT", "SIGTERM", "SIGHUP"}
    assert {signal.Signals(number).name for number in STOP_SIGNALS} == known


@posix
def test_signals_reach_the_flag_and_the_handlers_return(stop: StopRequest) -> None:
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    with on_stop_signals(stop.ask):
        assert not stop.is_set()
        for number in 50 * [signal.SIGTERM] + 2 * [signal.SIGINT] + 2 * [signal.SIGHUP]:
            os.kill(os.getpid(), number)
        assert stop.is_set()
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before


def test_a_later_control_c_interrupts_what_costs_no_file(stop: StopRequest, clock: InventedClock) -> None:
    stop.ask(signal.SIGINT)
    clock.sleep(0.9)
    # A launcher passes on what the terminal has already sent.
    stop.ask(signal.SIGINT)
    clock.sleep(0.2)
    stop.ask(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        stop.ask(signal.SIGINT)


def test_a_show_that_plays_finishes_its_files_whatever_comes(stop: StopRequest, clock: InventedClock) -> None:
    stop.begin(lambda: True)
    for _ in range(5):
        stop.ask(signal.SIGINT)
        clock.sleep(10.0)
    assert stop.is_set()


@posix
@pytest.mark.parametrize("plays_on", [True, False])
def test_a_closed_terminal_ends_what_has_nothing_to_play_for(stop: StopRequest, plays_on: bool) -> None:
    asked: list[None] = []
    stop.begin(lambda: not asked.append(None) and plays_on)
    assert HANGUP is not None
    stop.ask(HANGUP)
    assert asked == []
    assert [stop.is_set(), stop.is_set()] == 2 * [not plays_on]
    assert len(asked) == 1
    stop.ask(signal.SIGTERM)
    assert stop.is_set()


@posix
def test_before_it_plays_a_closed_terminal_ends_a_show(stop: StopRequest) -> None:
    assert HANGUP is not None
    stop.ask(HANGUP)
    # While it is opened, nobody knows whether it goes on without its terminal.
    assert not stop.is_asked()
    assert stop.is_set()
    assert stop.is_asked()


@posix
def test_an_ignored_hangup_stays_ignored(stop: StopRequest) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with on_stop_signals(stop.ask):
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.is_set()
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_leave_the_signals_alone(stop: StopRequest) -> None:
    before, restored = signal.getsignal(signal.SIGTERM), list[object]()

    def handle() -> None:
        restore = handle_stop_signals(stop.ask)
        restored.append(signal.getsignal(signal.SIGTERM))
        restore()

    thread = threading.Thread(target=handle)
    thread.start()
    thread.join()
    assert restored == [before]


BURST = """
import os, signal, threading
from engine.core.stop_signals import StopRequest, handle_stop_signals
stop = StopRequest()
handle_stop_signals(stop.ask)
def burst():
    for _ in range(2000):
        os.kill(os.getpid(), signal.SIGTERM)
thread = threading.Thread(target=burst)
thread.start()
# The main thread is inside the flag, again and again, while signals come.
while thread.is_alive() or not stop.is_set():
    stop.set()
print("ends")
"""


@posix
def test_signals_in_the_middle_of_setting_the_flag_lock_nothing() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", BURST], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ends\n", "")


def test_signals_are_handled_in_one_place() -> None:
    files = [
        ROOT / "run_live.py",
        *(path for part in ("engine", "training", "export") for path in (ROOT / part).rglob("*.py")),
    ]
    handling = [path.relative_to(ROOT).as_posix() for path in files if "signal.signal(" in path.read_text()]
    # The process that opens a MIDI port imports nothing of the engine; it leaves its end to the show.
    assert sorted(handling) == ["engine/control/remotes/midi/port_process.py", "engine/core/stop_signals.py"]
