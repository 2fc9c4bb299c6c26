"""When a connection is made again, with invented connections."""

from __future__ import annotations

import threading
from collections.abc import Generator

import numpy as np

from engine.audio.sources.address import RETRIES_S, AddressFeed
from engine.audio.sources.playout import Playout
from engine.audio.sources.stream import Intake, StreamFormat

RATE_HZ = 48000


class EmptyRecording:
    """A connection to a recording that opens and brings nothing."""

    shown, rate_hz, channels, has_end, duration_s = "empty", RATE_HZ, 2, True, 1.0

    def blocks(self) -> Generator[np.ndarray]:
        yield from ()

    def notices(self) -> list[str]:
        return []

    def jump(self, position_s: float) -> bool:
        return True

    def close(self) -> None:
        """Nothing is open."""


class Pauses(threading.Event):
    """Notes how long is waited, and ends the show after the sixth pause instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_s: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited_s.append(timeout or 0.0)
        if len(self.waited_s) == 6:
            self.set()
        return self.is_set()


def test_a_repeated_recording_that_brings_nothing_is_asked_again_ever_more_seldom() -> None:
    stream = StreamFormat(name="empty", rate_hz=RATE_HZ, channels=2, skips=False, most_ready_s=1.0)
    intake = Intake(stream, Playout(RATE_HZ, 0.0, skips=False))
    intake.closing = pauses = Pauses()
    connections: list[EmptyRecording] = []

    def connect() -> EmptyRecording:
        connections.append(EmptyRecording())
        assert len(connections) < 10, "asked again and again without a pause"
        return connections[-1]

    AddressFeed(EmptyRecording(), connect, repeat=True).run(intake)  # type: ignore[arg-type]
    assert pauses.waited_s == list(RETRIES_S)
