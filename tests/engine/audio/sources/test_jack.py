"""JACK clients as sources, on a real jackd without a sound card."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from engine.audio.sources.registry import open_source
from engine.core.errors import SourceError
from tests.conftest import START_WITHIN_S, require
from tests.processes import ROOT

_PLAYER = """
import time, sounddevice
jack = next(api for api in sounddevice.query_hostapis() if "JACK" in api["name"])
def fill(sound, samples, times, status):
    sound[:, 0], sound[:, 1] = 0.25, 0.75
with sounddevice.OutputStream(device=jack["default_output_device"], channels=2, callback=fill):
    print("plays", flush=True)
    time.sleep(600)
"""
_LISTENER = """
import sys
from engine.audio.sources.device_table import device_table
from engine.audio.sources.registry import open_source
from engine.core.errors import SourceError
for spec in sys.argv[1:]:
    try:
        source = open_source(spec, live=True)
    except SourceError as error:
        print(error)
        continue
    source.start()
    sound_TC = source.read()[0]
    while not len(sound_TC) or (spec != "jack:system@1-64" and not sound_TC.any()):
        source.wait(0.1)
        sound_TC = source.read()[0]
    print(spec, source.rate_hz, source.channels, *sound_TC[-1][:2], flush=True)
    if sys.stdin.readline():
        lines = []
        while not any("gives no sound" in line for line in lines):
            source.wait(0.1)
            source.read()
            lines += source.notices()
        print(*lines)
    source.close()
print(*device_table(), sep="\\n")
"""
"""PortAudio lets JACK go only at its own end, and aborts there if JACK has ended: so it runs in a process of its own."""


@pytest.fixture
def jack(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A jackd of our own with 64 inputs, and a client that plays two constants."""
    require(shutil.which("jackd"), "jackd (apt install jackd2)")
    require(ctypes.util.find_library("portaudio"), "PortAudio (apt install libportaudio2)")
    # Always the same name, and an orderly end: a machine has places for eight servers, and one that was killed keeps its place.
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "fluid-tests")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    sound = ["-d", "dummy", "-r", "48000", "-p", "256", "-C", "64", "-P", "2"]
    daemon = subprocess.Popen(
        ["jackd", "-r", "--no-mlock", "-n", os.environ["JACK_DEFAULT_SERVER"], *sound],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    player = None
    try:
        deadline_s = time.monotonic() + START_WITHIN_S
        while player is None or player.stdout is None or player.stdout.readline() != "plays\n":
            assert time.monotonic() < deadline_s, "jackd did not start"
            player = subprocess.Popen(
                [sys.executable, "-c", _PLAYER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        yield daemon
    finally:
        for process in (player, daemon):
            if process:
                process.terminate()
                process.wait(START_WITHIN_S)


def listen(*specs: str, stdin: int | None = subprocess.DEVNULL) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _LISTENER, *specs]
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_clients_are_sources_by_name_and_channels(jack: subprocess.Popen[bytes]) -> None:
    said, _ = listen("jack:portaudio", "jack:PortAudio@2", "jack:system@1-64", "jack:Ardour", "jack").communicate(
        timeout=60
    )
    lines = said.splitlines()
    assert lines[:3] == [
        "jack:portaudio 48000 2 0.25 0.75",
        "jack:PortAudio@2 48000 1 0.75",
        "jack:system@1-64 48000 64 0.0 0.0",
    ]
    assert lines[3].startswith("No sound input is called 'Ardour'; available: ")
    assert "names no client" in lines[4]
    assert "jack:system  (64 channels, 48000 Hz)" in lines


def test_a_jack_that_ends_is_silence_and_the_process_lives(jack: subprocess.Popen[bytes]) -> None:
    listener = listen("jack:PortAudio", stdin=subprocess.PIPE)
    assert listener.stdin
    assert listener.stdout
    assert listener.stdout.readline() == "jack:PortAudio 48000 2 0.25 0.75\n"
    jack.terminate()
    jack.wait(START_WITHIN_S)
    said, _ = listener.communicate("goes on\n", timeout=60)
    assert "jack: PortAudio gives no sound; silence replaces it" in said
    assert listener.returncode == 0


def test_without_a_server_the_way_to_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    require(ctypes.util.find_library("portaudio"), "PortAudio (apt install libportaudio2)")
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "fluid-nowhere")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    with pytest.raises(SourceError, match="'jack:Ardour' needs a JACK server and none runs"):
        open_source("jack:Ardour", live=True)
