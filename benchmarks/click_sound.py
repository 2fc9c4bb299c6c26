"""Clicks played into a PulseAudio server, and recorded by an independent second client.

Both ends use libpulse's simple API with buffers of a few milliseconds. The times are those of `time.perf_counter`.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.click_figures import RATE_HZ, CapturedBlock, left_and_captured
from engine.core.clock import WallClock
from engine.core.errors import SourceError
from engine.ops.calibration.clicks import click_sound

PLAYED_BLOCK = 120
RECORDED_BLOCK = 48
SERVER_BUFFER_S = 0.010
"""Server-side buffer that the player asks for: as small as for live sound."""
LOUD = 0.2
_FLOAT32LE, _PLAYBACK, _RECORD = 5, 1, 2
_LET_THE_SERVER_CHOOSE = 0xFFFFFFFF


class _Format(ctypes.Structure):
    _fields_ = [("format", ctypes.c_int), ("rate", ctypes.c_uint32), ("channels", ctypes.c_uint8)]


class _Buffering(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("maxlength", "tlength", "prebuf", "minreq", "fragsize")]


class _Connection:
    """One stream of mono float32 to or from the server at the address `server`."""

    def __init__(self, server: str, direction: int, device: str | None, buffering: _Buffering) -> None:
        """Connect. Raises SourceError."""
        try:
            self._libpulse = ctypes.CDLL("libpulse-simple.so.0")
        except OSError as error:
            raise SourceError(
                "libpulse-simple is missing; install it (Debian, Ubuntu: apt install libpulse0)."
            ) from error
        self._libpulse.pa_simple_new.restype = ctypes.c_void_p
        form, error = _Format(_FLOAT32LE, RATE_HZ, 1), ctypes.c_int()
        self._stream = ctypes.c_void_p(
            self._libpulse.pa_simple_new(
                server.encode(),
                b"click test",
                direction,
                device.encode() if device else None,
                b"clicks",
                ctypes.byref(form),
                None,
                ctypes.byref(buffering),
                ctypes.byref(error),
            )
        )
        if not self._stream:
            raise SourceError(f"The sound server lets nobody in (error {error.value}); start it again.")

    def write(self, sound_T: NDArray[np.float32]) -> bool:
        """Return once the server has taken the sound; False when it is gone."""
        return (
            self._libpulse.pa_simple_write(self._stream, sound_T.ctypes.data_as(ctypes.c_void_p), sound_T.nbytes, None)
            >= 0
        )

    def read(self, sound_T: NDArray[np.float32]) -> bool:
        """Return once `sound_T` has been filled; False when the server is gone."""
        return (
            self._libpulse.pa_simple_read(self._stream, sound_T.ctypes.data_as(ctypes.c_void_p), sound_T.nbytes, None)
            >= 0
        )

    def close(self) -> None:
        self._libpulse.pa_simple_free(self._stream)


class ClickPlayer:
    """Plays silence, and clicks where they are wanted, from `start` until `close`."""

    def __init__(self, server: str) -> None:
        held = round(SERVER_BUFFER_S * RATE_HZ) * 4
        any_size = _LET_THE_SERVER_CHOOSE
        self._connection = _Connection(
            server, _PLAYBACK, None, _Buffering(any_size, held, PLAYED_BLOCK * 4, PLAYED_BLOCK * 4, any_size)
        )
        self._clock = WallClock()
        self._played = 0
        self._starts: list[int] = []
        self.written_s: list[float] = []
        """For each click that was asked for: when the server had taken its first sample."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._feed, name="player", daemon=True)
        self._thread.start()

    def play(self, starts: Sequence[int]) -> float:
        """Play clicks, `starts` counted from now in samples; return the duration in seconds."""
        begin = self._played + PLAYED_BLOCK
        self._starts = [*self._starts, *(begin + start for start in starts)]
        return (starts[-1] + PLAYED_BLOCK) / RATE_HZ

    def close(self) -> None:
        self._ended.set()
        self._thread.join(2.0)
        self._connection.close()

    def _feed(self) -> None:
        click_T = click_sound(RATE_HZ)
        sounding_T = np.zeros(0, np.float32)
        while not self._ended.is_set():
            block_T = np.zeros(PLAYED_BLOCK, np.float32)
            begins = (
                len(self.written_s) < len(self._starts)
                and self._starts[len(self.written_s)] < self._played + PLAYED_BLOCK
            )
            if begins:
                offset = max(0, self._starts[len(self.written_s)] - self._played)
                sounding_T = np.concatenate([np.zeros(offset, np.float32), click_T])
            block_T[: len(sounding_T)] = sounding_T[:PLAYED_BLOCK]
            sounding_T = sounding_T[PLAYED_BLOCK:]
            if not self._connection.write(block_T):
                return
            self._played += PLAYED_BLOCK
            if begins:
                self.written_s.append(self._clock.now_s())


class Recorder:
    """Records the sound that leaves the server, and the arrival of each block."""

    def __init__(self, server: str, device: str) -> None:
        any_size = _LET_THE_SERVER_CHOOSE
        buffering = _Buffering(any_size, any_size, any_size, any_size, RECORDED_BLOCK * 4)
        self._connection = _Connection(server, _RECORD, device, buffering)
        self._clock = WallClock()
        self.blocks: list[CapturedBlock] = []
        self.clicks: list[int] = []
        """Start samples of the clicks."""
        self._sound: list[NDArray[np.float32]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._record, name="recorder", daemon=True)
        self._thread.start()

    def sound(self) -> NDArray[np.float32]:
        """Return all recorded sound."""
        return np.concatenate(self._sound)

    def close(self) -> None:
        self._ended.set()
        self._thread.join(2.0)
        self._connection.close()

    def _record(self) -> None:
        block_T, received, quiet_from = np.zeros(RECORDED_BLOCK, np.float32), 0, 0
        while not self._ended.is_set() and self._connection.read(block_T):
            arrived_s = self._clock.now_s()
            loud: Any = np.flatnonzero(np.abs(block_T) > LOUD)
            if len(loud):
                if received + loud[0] >= quiet_from:
                    self.clicks.append(received + int(loud[0]))
                quiet_from = received + int(loud[-1]) + RATE_HZ // 10
            received += RECORDED_BLOCK
            self._sound.append(block_T.copy())
            self.blocks.append(CapturedBlock(received, arrived_s))


class PulseAudioSound:
    """Player and recorder at one server."""

    source = "mic:pulse"

    def __init__(self, server: str, monitor: str) -> None:
        """Connect both. Raises SourceError."""
        self._player = ClickPlayer(server)
        self.recorder = Recorder(server, monitor)
        self.play = self._player.play
        self.written_s = self._player.written_s

    def captured(self) -> list[tuple[float, float]]:
        """Return for each click when it left the server and when the recorder received it."""
        return [left_and_captured(self.recorder.blocks, sample) for sample in self.recorder.clicks]

    def close(self) -> None:
        self._player.close()
        self.recorder.close()
