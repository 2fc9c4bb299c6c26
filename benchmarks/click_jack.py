"""Clicks played through a JACK server: all clients share its periods, so the player knows when a sample leaves."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.click_figures import RATE_HZ
from engine.core.clock import WallClock
from engine.core.errors import SourceError
from engine.ops.calibration.clicks import click_sound

PLAYER = "clicks"


class JackPlayer:
    """A JACK client called PLAYER, whose output is the show's microphone. Player and recorder in one."""

    source = f"mic:{PLAYER}"

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Connect to the server in `environment`. Raises SourceError without the package or the server."""
        try:
            import jack
        except (ImportError, OSError) as error:
            raise SourceError(
                f"The click test through JACK needs the package jack-client and libjack ({error})."
            ) from error
        os.environ["JACK_NO_START_SERVER"] = "1"
        try:
            self._client: Any = jack.Client(PLAYER, servername=environment["JACK_DEFAULT_SERVER"], no_start_server=True)
        except jack.JackOpenError as error:
            raise SourceError(f"The JACK server refuses the connection ({error}).") from error
        self._port = self._client.outports.register("out")
        self._click_T = click_sound(RATE_HZ)
        self._clock = WallClock()
        self._played = 0
        self._starts: list[int] = []
        self.written_s: list[float] = []
        self._captured: list[tuple[float, float]] = []
        self._client.set_process_callback(self._fill)
        self._client.activate()

    def play(self, starts: Sequence[int]) -> float:
        """Play clicks, `starts` counted from now in samples; return the duration in seconds."""
        begin = self._played + 4 * self._client.blocksize
        self._starts = [*self._starts, *(begin + start for start in starts)]
        return starts[-1] / RATE_HZ

    def captured(self) -> list[tuple[float, float]]:
        """Return for each click when it left the server and when other clients received it."""
        return self._captured

    def close(self) -> None:
        self._client.deactivate()
        self._client.close()

    def _fill(self, samples: int) -> None:
        """Fill one period. Its samples reach the other clients within the same period, as if captured while it started."""
        now_s = self._clock.now_s()
        out_T = self._port.get_array()
        out_T[:] = 0.0
        for index in range(max(len(self.written_s) - 1, 0), len(self._starts)):
            offset = self._starts[index] - self._played
            if offset >= samples:
                break
            if index == len(self.written_s):
                left_s = now_s - (samples - offset) / RATE_HZ
                self._captured.append((left_s, now_s))
                self.written_s.append(left_s)
            part_T = self._click_T[max(-offset, 0) : max(samples - offset, 0)]
            out_T[max(offset, 0) : max(offset, 0) + len(part_T)] = np.asarray(part_T)
        self._played += samples
