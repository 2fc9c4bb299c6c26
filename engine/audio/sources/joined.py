"""Several sources as one, their channels side by side: the first gives the pace, the others follow."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.audio.source import Source
from engine.audio.sources.arrival_buffer import ArrivalBuffer, WholeBuffer
from engine.audio.sources.conversion import Conversion
from engine.core.counted import counted
from engine.core.errors import UserError

# T samples, C channels

TOLD_FROM_S = 0.05
"""So much silence in place of a source is told of, and then twice as much each time."""
CLOSE_NEXT_AFTER_S = 0.2
"""The devices of a sound server that hangs are closed together, or the end of a show would last as long as all of them."""


class JoinedSource:
    """Sources of one kind: all of them live, or none. What becomes of the first becomes of all.

    Live, the others are aligned by their arrival, and one that gives nothing is silence. Offline, sample n of all of them comes
    together, and those that end earlier than the first are silence from then on. `goes_on` says whether one of the others that
    fails is silence too, or an error.
    """

    def __init__(self, first: Source, others: Sequence[Source], name: str, *, goes_on: bool) -> None:
        self.name = name
        self.live = first.live
        self.rate_hz = first.rate_hz
        self.channels = first.channels + sum(other.channels for other in others)
        self._first = first
        self._followers = [_Follower(other, first, goes_on) for other in others]
        self._notices: list[str] = []

    @property
    def dropped_samples(self) -> int:
        return self._first.dropped_samples + sum(follower.source.dropped_samples for follower in self._followers)

    @property
    def stalled(self) -> bool:
        """Whether the first stalls; the others tell of themselves."""
        return self._first.stalled

    @property
    def block_s(self) -> float:
        return self._first.block_s

    @property
    def buffer_s(self) -> float:
        return self._first.buffer_s

    def start(self) -> None:
        """Start all, the first last. Raises SourceError for any that cannot start."""
        for follower in self._followers:
            follower.source.start()
        self._first.start()

    def read(self) -> tuple[NDArray[np.float32], float | None] | None:
        block = self._first.read()
        if block is None:
            self._notices += [line for follower in self._followers for line in follower.cut_off()]
            return None
        sound_TC, captured_s = block
        for follower in self._followers:
            follower.read(len(sound_TC))
        parts_TC = [follower.buffer.take(len(sound_TC)) for follower in self._followers]
        return np.concatenate([sound_TC, *parts_TC], axis=1), captured_s

    def wait(self, timeout_s: float) -> None:
        self._first.wait(timeout_s)

    def notices(self) -> list[str]:
        own, self._notices = self._notices, []
        return [*self._first.notices(), *(line for follower in self._followers for line in follower.notices()), *own]

    def close(self) -> None:
        """Close one after the other; one that hangs does not hold up the next."""
        closing: list[threading.Thread] = []
        for source in (self._first, *(follower.source for follower in self._followers)):
            closing.append(threading.Thread(target=source.close, name="close input", daemon=True))
            closing[-1].start()
            closing[-1].join(CLOSE_NEXT_AFTER_S)
        for thread in closing:
            thread.join()


class _Follower:
    """One of the other sources, converted to the rate of the first."""

    def __init__(self, source: Source, first: Source, goes_on: bool) -> None:
        self.source = source
        self.buffer = ArrivalBuffer(first.rate_hz, source.channels) if first.live else WholeBuffer(source.channels)
        self._first = first
        self._goes_on = goes_on
        self._conversion = Conversion(source.rate_hz, source.channels, first.rate_hz, range(source.channels))
        self._has_ended = False
        self._notices: list[str] = []
        self._told_corrections = 0
        self._told_silence_s = TOLD_FROM_S / 2

    def read(self, wanted: int) -> None:
        """Take in what has arrived; offline, until `wanted` samples wait. Raises UserError where the show does not go on."""
        while not self._has_ended:
            try:
                block = self.source.read()
            except UserError as error:
                if not self._goes_on:
                    raise
                self._notices.append(f"{error} The show goes on with silence in its place.")
                block = None
            if block is None:
                self._has_ended = True
            else:
                self.buffer.add(self._conversion.convert(block[0]))
            if self.source.live or self.buffer.waiting_samples >= wanted:
                break

    def notices(self) -> list[str]:
        """Return the notices since the last call; those of one kind come ever more seldom."""
        notices, self._notices = [*self.source.notices(), *self._notices], []
        buffer, silence_s = self.buffer, self.buffer.silent_samples / self._first.rate_hz
        corrections = buffer.dropped_samples + buffer.repeated_samples
        if corrections >= max(1, 2 * self._told_corrections):
            self._told_corrections = corrections
            notices.append(
                f"{self.source.name} does not keep step with {self._first.name}; to hold them together, "
                f"{counted(buffer.dropped_samples, 'sample was', 'samples were')} dropped and {buffer.repeated_samples:,} repeated so far."
            )
        if silence_s >= 2 * self._told_silence_s:
            self._told_silence_s = math.inf if self._has_ended else silence_s
            notices.append(
                f"{self.source.name} has ended; silence takes its place."
                if self._has_ended
                else f"{self.source.name} came late; {silence_s:.2f} s of silence took its place so far."
            )
        return notices

    def cut_off(self) -> list[str]:
        """Return a line where the first has ended, offline, and this one goes on."""
        if self.source.live:
            return []
        self.read(round(TOLD_FROM_S * self._first.rate_hz))
        left_s = self.buffer.waiting_samples / self._first.rate_hz
        return [] if left_s < TOLD_FROM_S else [f"The show ends with {self._first.name}; {self.source.name} is longer."]
