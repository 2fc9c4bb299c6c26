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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.control.remotes.midi.ports import process_environment
from tests.conftest import START_WITHIN_S, require

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

    def close(self) -> None:
        """Unplug it."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(START_WITHIN_S)
        self._thread.join(START_WITHIN_S)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            message: Any = json.loads(line)
            if message == [0xF8]:
                self.clocks += 1
            else:
                self.received.append(message)


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], JackDevice]]:
    """Start a JACK server of our own, and return what plugs a device into it."""
    require(shutil.which("jackd"), "jackd (apt install jackd2)")
    require(ctypes.util.find_library("jack"), "libjack (apt install jackd2)")
    require(importlib.util.find_spec("rtmidi2"), "rtmidi2 (pip install rtmidi2)")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "fluid-midi")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    command = ["jackd", "-r", "--no-mlock", "-n", os.environ["JACK_DEFAULT_SERVER"], "-d", "dummy", "-p", "128"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    plugged: list[JackDevice] = []

    def plug_in(name: str) -> JackDevice:
        deadline_s = time.monotonic() + START_WITHIN_S
        while not (device := JackDevice(name)).is_there:
            assert time.monotonic() < deadline_s, "jackd did not start"
            time.sleep(0.1)
        plugged.append(device)
        return device

    try:
        yield plug_in
    finally:
        for device in plugged:
            device.close()
        server.terminate()
        server.wait(START_WITHIN_S)
