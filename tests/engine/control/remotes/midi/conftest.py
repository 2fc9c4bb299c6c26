"""A JACK server without a sound card, and MIDI devices in it: programs of their own."""

from __future__ import annotations

import ctypes.util
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.control.remotes.midi.ports import process_environment
from tests.conftest import START_WITHIN_S, require
from tests.fixtures_display import wait_until
from tests.processes import ROOT

RESENDS_AFTER_S = 0.2
DEVICE = Path(__file__).with_name("device_process.py")


class JackDevice:
    """A MIDI device that a test moves, and whose faders and lamps it reads."""

    def __init__(self, name: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(DEVICE), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=process_environment("jack"),
            text=True,
        )
        self.received: list[list[int]] = []
        """Messages that came, without the clock."""
        self.clocks = 0
        assert self._process.stdout
        self.is_there = any(line == "ready\n" for line in self._process.stdout)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def send(self, *messages: list[int]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(messages) + "\n")
        self._process.stdin.flush()

    def send_until(self, has_happened: Callable[[], object], what: str, *messages: list[int]) -> None:
        """Send messages, and again as long as nothing happens: JACK drops those of a period that a busy machine misses."""

        def send_or_see() -> bool:
            if has_happened():
                return True
            self.send(*messages)
            time.sleep(RESENDS_AFTER_S)
            return bool(has_happened())

        wait_until(send_or_see, what)

    def close(self) -> None:
        """Unplug it."""
        assert self._process.stdin
        self._process.stdin.close()
        _wait(self._process)
        self._thread.join(START_WITHIN_S)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            message: Any = json.loads(line)
            if message == [0xF8]:
                self.clocks += 1
            else:
                self.received.append(message)


def _wait(process: subprocess.Popen[Any]) -> None:
    """Wait for the end of a process; one that hangs must not stand in the way of the next test."""
    try:
        process.wait(START_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture
def jack(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A JACK server of our own."""
    require(shutil.which("jackd"), "jackd (apt install jackd2)")
    require(ctypes.util.find_library("jack"), "libjack (apt install jackd2)")
    require(importlib.util.find_spec("rtmidi2"), "rtmidi2 (pip install rtmidi2)")
    # Always the same name for a checkout, and its own: a machine has places for eight servers, and one that was killed keeps its place.
    monkeypatch.setenv("JACK_DEFAULT_SERVER", f"fluid-midi-{zlib.crc32(str(ROOT).encode()) % 1000}")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    # Long periods: on a busy machine programs miss short ones.
    name = os.environ["JACK_DEFAULT_SERVER"]
    command = ["jackd", "-r", "--no-mlock", "-n", name, "-d", "dummy", "-p", "1024"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield server
    finally:
        server.terminate()
        _wait(server)


@pytest.fixture
def plug(jack: subprocess.Popen[bytes]) -> Iterator[Callable[[str], JackDevice]]:
    """Return what plugs a device into that server."""
    plugged: list[JackDevice] = []

    def plug_in(name: str) -> JackDevice:
        deadline_s = time.monotonic() + START_WITHIN_S
        while not (device := JackDevice(name)).is_there:
            assert time.monotonic() < deadline_s, "jackd did not start"
            time.sleep(0.1)
        plugged.append(device)
        return device

    yield plug_in
    for device in plugged:
        device.close()
