"""What a private sound server plays, recorded as an independent client hears it."""

from __future__ import annotations

import subprocess
import threading

import numpy as np
from numpy.typing import NDArray

from engine.core.clock import WallClock
from tests.conftest import SINK_NAME, PulseServer


class Monitor:
    """Records what the null output plays, with the clock time of its samples."""

    def __init__(self, server: PulseServer, clock: WallClock) -> None:
        command = ["parec", "--raw", "--format=float32le", "--rate=48000", "--channels=2", "--latency-msec=10"]
        self._process = subprocess.Popen(
            [*command, f"--device={SINK_NAME}.monitor"],
            env=server.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._clock = clock
        self._parts: list[bytes] = []
        self._starts_s: list[float] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout
        samples = 0
        while part := self._process.stdout.read1(1 << 16):  # type: ignore[attr-defined]
            self._parts.append(part)
            samples += len(part) // 8
            self._starts_s.append(self._clock.now_s() - samples / 48000)

    def close(self) -> tuple[NDArray[np.float32], float]:
        """Return the sound [T, 2] and the time of its first sample: no client can have it sooner than the earliest delivery."""
        self._process.terminate()
        self._process.wait(10)
        self._thread.join(10)
        whole = b"".join(self._parts)
        return np.frombuffer(whole[: len(whole) // 8 * 8], np.float32).reshape(-1, 2), min(self._starts_s)
