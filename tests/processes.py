"""Starts whole processes as a user does, and reads the files they write."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import wave
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parent.parent
ENDS_WITHIN_S = 60.0
MODEL = ("--model", "water")
"""20 steps a second of small frames, which a busy machine keeps up with."""


def environment(**variables: str) -> dict[str, str]:
    """Return an environment without a screen and without a sound server, unless `variables` name them."""
    return {**os.environ, "DISPLAY": "", "PULSE_SERVER": "unix:/nowhere", "PYTHONPATH": str(ROOT), **variables}


def live_command(*flags: str) -> list[str]:
    """Return the command of a show, with the model of these tests unless another is named."""
    model = () if {"--model", "--replay", "--config"} & set(flags) else MODEL
    return [sys.executable, str(ROOT / "run_live.py"), *flags, *model]


def start(*flags: str, cwd: Path, **variables: str) -> subprocess.Popen[str]:
    """Start such a show in that environment."""
    command, there = live_command(*flags), environment(**variables)
    return subprocess.Popen(command, cwd=cwd, env=there, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run(*flags: str, cwd: Path, **variables: str) -> tuple[int, str, str]:
    """Run it to its end and return exit code, stdout and stderr."""
    process = start(*flags, cwd=cwd, **variables)
    said, complained = process.communicate(timeout=ENDS_WITHIN_S)
    return process.returncode, said, complained


def write_sound(path: Path, seconds: float) -> Path:
    """Write a tone that is struck twice a second."""
    time_S = np.arange(int(44100 * seconds)) / 44100
    samples = (12000 * np.sin(2205 * time_S) * np.exp(-6 * (time_S % 0.5))).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(samples.tobytes())
    return path


def streams(path: Path) -> tuple[int, float]:
    """Return how many frames a video file has and the seconds of its sound."""
    with av.open(str(path)) as file:
        frames = sum(1 for _ in file.decode(video=0))
    with av.open(str(path)) as file:
        samples = sum(frame.samples for frame in file.decode(audio=0))
        return frames, samples / file.streams.audio[0].rate


def decoded_NHWC(path: Path) -> NDArray[np.uint8]:
    """Return the frames of a video file."""
    with av.open(str(path)) as file:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])


def wait_for_recording(path: Path) -> None:
    """Return once a show has written some frames into `path`."""
    deadline_s = time.monotonic() + ENDS_WITHIN_S
    while not path.exists() or path.stat().st_size < 20000:
        assert time.monotonic() < deadline_s, "nothing was recorded"
        time.sleep(0.1)
