"""Reads sound by one way in, and writes when each click arrived: python -m benchmarks.capture_reader WAY SOURCE FILE

FILE gets a line for each click, the time of `time.perf_counter`, which all processes of a Linux machine share. It is made with the first
block of sound. Ends when it is terminated.
"""

from __future__ import annotations

import ctypes.util
import importlib
import importlib.util
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.click_sound import LOUD
from engine.audio.sources.capture_backend import CaptureBackend, StreamFormat
from engine.audio.sources.microphone import BLOCKS_HELD
from engine.audio.sources.sound_server import SoundServerCapture
from engine.audio.sources.sounddevice_capture import SounddeviceCapture
from engine.core.clock import WallClock

# T samples, C channels

RATE_HZ, CHANNELS = 48000, 2
QUIET_S = 0.1
"""A click is over after so much silence."""
Take = Callable[[NDArray[np.float32]], None]


class Arrivals:
    """Writes the time of each block that holds the beginning of a click."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._clock = WallClock()
        self._quiet_samples = 0
        self._file: Any = None

    def take(self, sound_TC: NDArray[np.float32]) -> None:
        """Take one block [T, C]."""
        now_s = self._clock.now_s()
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8", buffering=1)
        loud = np.flatnonzero(np.abs(sound_TC).max(axis=1) > LOUD)
        if len(loud) and self._quiet_samples + loud[0] >= QUIET_S * RATE_HZ:
            self._file.write(f"{json.dumps(now_s)}\n")
        self._quiet_samples = len(sound_TC) - 1 - int(loud[-1]) if len(loud) else self._quiet_samples + len(sound_TC)


def by_backend(backend: CaptureBackend, name: str, samples: int, take: Take) -> None:
    """Read by one of the engine's capture backends, for ever."""
    asked = StreamFormat(
        rate_hz=RATE_HZ, channels=CHANNELS, block_samples=samples, latency_s=BLOCKS_HELD * samples / RATE_HZ
    )
    stream = backend.open(backend.find(name), asked, lambda sound_TC, age_s, has_lost: take(sound_TC))
    while stream.active:
        threading.Event().wait(1.0)


def by_pyaudio(source: str, samples: int, take: Take) -> None:
    from engine.audio.sources.pyaudio_capture import PyAudioCapture

    by_backend(PyAudioCapture(), "pulse", samples, take)


def by_parec(source: str, milliseconds: int, take: Take) -> None:
    """Read the output of the server's recording program."""
    form = ["--raw", "--format=float32le", f"--rate={RATE_HZ}", f"--channels={CHANNELS}"]
    command = ["parec", *form, f"--device={source}", f"--latency-msec={milliseconds}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout
        rest = b""
        while piece := process.stdout.read(65536):
            whole = rest + piece
            usable = len(whole) - len(whole) % (4 * CHANNELS)
            rest = whole[usable:]
            take(np.frombuffer(whole[:usable], np.float32).reshape(-1, CHANNELS))


def by_soundcard(source: str, samples: int, take: Take) -> None:
    """Read by the package soundcard, which is no part of the engine."""
    soundcard = importlib.import_module("soundcard")
    microphone = soundcard.get_microphone(source, include_loopback=True)
    with microphone.recorder(RATE_HZ, channels=CHANNELS, blocksize=samples) as recorder:
        while True:
            take(np.asarray(recorder.record(samples), np.float32))


WAYS: dict[str, Callable[[str, int, Take], None]] = {
    "server": lambda source, samples, take: by_backend(SoundServerCapture(), source, samples, take),
    "sounddevice": lambda source, samples, take: by_backend(SounddeviceCapture(), "pulse", samples, take),
    "pyaudio": by_pyaudio,
    "parec": by_parec,
    "soundcard": by_soundcard,
}


def obstacle(name: str) -> str:
    """Return why a way cannot be taken here; empty where it can."""
    if name == "parec":
        return "" if shutil.which("parec") else "parec is missing (Debian, Ubuntu: apt install pulseaudio-utils)."
    if name == "server":
        return (
            ""
            if ctypes.util.find_library("pulse-simple")
            else "libpulse is missing (Debian, Ubuntu: apt install libpulse0)."
        )
    packages = {"sounddevice": "sounddevice", "pyaudio": "pyaudio", "soundcard": "soundcard"}
    return "" if importlib.util.find_spec(packages[name]) else f"the package {packages[name]} is not installed."


def main() -> None:
    way, source, path = sys.argv[1:]
    name, _, size = way.partition(":")
    WAYS[name](source, int(size), Arrivals(Path(path)).take)


if __name__ == "__main__":
    main()
