"""A source whose sound other programs or machines send: a thread reads it, the clock paces it, silence bridges its stalls."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.audio.ring import Ring
from engine.audio.sources.paced import BLOCK_S
from engine.audio.sources.playout import SPARE_S, Playout
from engine.core.clock import Clock

# T samples, C channels

PIECE_SAMPLES = 1024
MOST_WAITING_BLOCKS = 4000
"""Fewer than the ring has places for."""
ROOM_POLL_S = 0.01
CLOSE_WITHIN_S = 0.5
SKIP_TOLD_S = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamFormat:
    """What a stream brings, and how it is played."""

    name: str
    rate_hz: int
    channels: int
    skips: bool
    """Whether sound that lies ready without need is thrown away, so that the frames stay close to it."""
    most_ready_s: float
    """With so much sound lying ready, the sender waits."""
    spare_s: float = SPARE_S
    """So much may lie ready without need."""
    tells_skips_from_s: float = SKIP_TOLD_S


class Intake:
    """Where the reading thread puts its sound and its notices."""

    def __init__(self, stream: StreamFormat, playout: Playout) -> None:
        self._most_samples = round(stream.most_ready_s * stream.rate_hz)
        self._playout = playout
        self.ring = Ring(self._most_samples + 2 * PIECE_SAMPLES, stream.channels)
        self.closing = threading.Event()
        self.has_ended = threading.Event()
        self.failure: Exception | None = None
        self.told: list[str] = []
        self.played_samples = 0
        """Taken out of the ring and out of what lies ready; the capture thread counts."""
        self._put_samples = 0

    def put(self, sound_TC: NDArray[np.float32]) -> bool:
        """Hand sound on, and wait while too much lies ready. Returns False when the show is over."""
        for begin in range(0, len(sound_TC), PIECE_SAMPLES):
            piece_TC = sound_TC[begin : begin + PIECE_SAMPLES]
            while not self._has_room(len(piece_TC)):
                self._playout.note_wait()
                if self.closing.wait(ROOM_POLL_S):
                    return False
            self.ring.write(piece_TC, 0.0, 0.0)
            self._put_samples += len(piece_TC)
        return not self.closing.is_set()

    def tell(self, line: str) -> None:
        """Tell the user, through the source's notices."""
        self.told.append(line)

    def _has_room(self, samples: int) -> bool:
        fits = self._put_samples - self.played_samples + samples <= self._most_samples
        return fits and self.ring.waiting_blocks < MOST_WAITING_BLOCKS


Feed = Callable[[Intake], None]
"""Reads sound into an intake until it ends or the show is over. May raise UserError."""


class StreamSource:
    """Plays what a feed reads."""

    live = True
    dropped_samples = 0
    block_s = 0.0

    def __init__(self, stream: StreamFormat, feed: Feed, clock: Clock) -> None:
        self.name = stream.name
        self.rate_hz = stream.rate_hz
        self.channels = stream.channels
        self._feed = feed
        self._clock = clock
        self._stream = stream
        self._playout = self._new_playout()
        self._intake = Intake(stream, self._playout)
        self._ready: deque[NDArray[np.float32]] = deque()
        self._thread: threading.Thread | None = None
        self._reported_stalled = False
        self._silent_samples = 0

    @property
    def stalled(self) -> bool:
        """Whether the source sends silence because no sound arrives."""
        return self._playout.stalled

    @property
    def buffer_s(self) -> float:
        """Length of the sound that has come and was not played yet."""
        return self._playout.ready_s

    def start(self) -> None:
        """Begin to read, in a thread of its own."""
        self._playout = self._new_playout()
        self._intake = Intake(self._stream, self._playout)
        self._thread = threading.Thread(target=self._run, args=[self._intake], name="stream", daemon=True)
        self._thread.start()

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        intake, playout, now_s = self._intake, self._playout, self._clock.now_s()
        # Before the ring is emptied: what was put last is then in it.
        has_ended = intake.has_ended.is_set()
        for block in intake.ring.read():
            self._ready.append(block.sound_TC)
            playout.add(len(block.sound_TC), now_s)
        if has_ended and not self._ready:
            if intake.failure:
                raise intake.failure
            return None
        turn = playout.play(now_s, has_ended)
        self._pop(turn.skipped)
        parts_TC = self._pop(turn.played)
        intake.played_samples += turn.skipped + turn.played
        if turn.skipped > self._stream.tells_skips_from_s * self.rate_hz:
            intake.tell(
                f"{self.name} ran ahead; {turn.skipped / self.rate_hz:.1f} s of sound were skipped so that the frames stay with it."
            )
        self._notice_stall(turn.silent)
        return np.concatenate([*parts_TC, np.zeros((turn.silent, self.channels), np.float32)]), playout.due_s

    def wait(self, timeout_s: float) -> None:
        self._clock.sleep(min(BLOCK_S, timeout_s))

    def notices(self) -> list[str]:
        told = self._intake.told
        notices = told[:]
        del told[: len(notices)]
        return notices

    def close(self) -> None:
        # A second call would wait once more for a connection that hangs.
        if self._intake.closing.is_set():
            return
        self._intake.closing.set()
        if self._thread:
            # A connection that hangs ends with its own time limit; the show does not wait for it.
            self._thread.join(CLOSE_WITHIN_S)

    def _new_playout(self) -> Playout:
        stream = self._stream
        return Playout(stream.rate_hz, self._clock.now_s(), skips=stream.skips, spare_s=stream.spare_s)

    def _pop(self, samples: int) -> list[NDArray[np.float32]]:
        """Remove the first samples of what lies ready, and return them in parts."""
        parts_TC: list[NDArray[np.float32]] = []
        while samples > 0:
            block_TC = self._ready.popleft()
            if len(block_TC) > samples:
                self._ready.appendleft(block_TC[samples:])
            parts_TC.append(block_TC[:samples])
            samples -= len(parts_TC[-1])
        return parts_TC

    def _run(self, intake: Intake) -> None:
        try:
            self._feed(intake)
        except Exception as error:  # noqa: BLE001 - the thread that reads raises it, whatever it is
            intake.failure = error
        finally:
            intake.has_ended.set()

    def _notice_stall(self, silent_samples: int) -> None:
        stalled = self._playout.stalled
        if stalled != self._reported_stalled:
            self._reported_stalled = stalled
            self._intake.tell(
                f"{self.name} gives no sound; silence replaces it until it returns."
                if stalled
                else f"{self.name} is back after {self._silent_samples / self.rate_hz:.1f} s of silence."
            )
            self._silent_samples = 0
        self._silent_samples += silent_samples if stalled else 0
