"""Raw sound from standard input, so that any program can be piped in: `pcm:RATExCHANNELS`, with `xf32` for floats.

ffmpeg -i FILE -f s16le -ac 2 -ar 48000 - | python run_live.py --source pcm:48000x2
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.audio.sources.blocks import BlockSource
from engine.audio.sources.spec import MOST_CHANNELS
from engine.audio.sources.stream import Intake, StreamFormat, StreamSource
from engine.core.clock import Clock
from engine.core.counted import counted
from engine.core.errors import SourceError

# T samples, C channels

SLOWEST_HZ, FASTEST_HZ = 8000, 192000
SAMPLE_TYPES = {"s16": ("<i2", 32768.0), "f32": ("<f4", 1.0)}
"""Little endian, with the value of full scale."""
MOST_READY_S = 2.0
PIECE_BYTES = 1 << 14
EXAMPLE = "ffmpeg -i FILE -f s16le -ac 2 -ar 48000 - | python run_live.py --source pcm:48000x2"


class Pipe(Protocol):
    """What raw sound is read from."""

    def fileno(self) -> int: ...

    def isatty(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """How raw bytes become sound."""

    rate_hz: int
    channels: int
    sample_type: str

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return np.dtype(SAMPLE_TYPES[self.sample_type][0]).itemsize * self.channels

    def sound(self, raw: bytes) -> NDArray[np.float32]:
        """Return whole samples [T, C] in [-1, 1]."""
        kind, full_scale = SAMPLE_TYPES[self.sample_type]
        return (np.frombuffer(raw, kind).reshape(-1, self.channels) / np.float32(full_scale)).astype(np.float32)


def parse_pcm(detail: str) -> PcmFormat:
    """Return the format that `RATExCHANNELS` or `RATExCHANNELSxTYPE` names. Raises SourceError."""
    found = re.fullmatch(r"(\d{1,6})x(\d{1,3})(?:x(\w+))?", detail.strip().lower(), re.ASCII)
    if found:
        rate_hz, channels, sample_type = int(found[1]), int(found[2]), found[3] or "s16"
        in_range = SLOWEST_HZ <= rate_hz <= FASTEST_HZ and 1 <= channels <= MOST_CHANNELS
        if in_range and sample_type in SAMPLE_TYPES:
            return PcmFormat(rate_hz, channels, sample_type)
    raise SourceError(
        f"'pcm:{detail}' is no raw format; pcm:RATExCHANNELS was expected, with a rate from {SLOWEST_HZ} to {FASTEST_HZ} Hz and 1 to "
        f"{MOST_CHANNELS} channels of 16-bit samples, or pcm:RATExCHANNELSxf32 for floats, e.g. pcm:48000x2."
    )


class PcmPipe:
    """Raw sound out of a pipe, for one pass."""

    def __init__(self, detail: str, pipe: Pipe | None = None) -> None:
        """`pipe` is standard input by default. Raises SourceError for an unknown format, and where nothing is piped in."""
        self.format = parse_pcm(detail)
        self.name = "standard input"
        self.surplus_bytes = 0
        """At the end: the bytes of an incomplete sample."""
        found = sys.stdin if pipe is None else pipe
        if found is None or found.isatty():
            raise SourceError(
                f"pcm:{detail} reads raw sound from standard input, and nothing is piped in; pipe a program into it, e.g. {EXAMPLE}."
            )
        self._descriptor = found.fileno()

    def blocks(self) -> Generator[NDArray[np.float32]]:
        """Yield the sound [T, C] as it comes, until the pipe ends. Raises SourceError where it brought none."""
        kept, is_empty = b"", True
        while came := os.read(self._descriptor, PIECE_BYTES):
            raw = kept + came
            whole = len(raw) - len(raw) % self.format.sample_bytes
            kept = raw[whole:]
            if whole:
                is_empty = False
                yield self.format.sound(raw[:whole])
        self.surplus_bytes = len(kept)
        if is_empty:
            raise SourceError(
                f"{self.name} gave no sound: it ended before the first sample; see what the program before the pipe says."
            )

    def notices(self) -> list[str]:
        """Return what there is to tell after the end."""
        if not self.surplus_bytes:
            return []
        odd = counted(self.surplus_bytes, "byte that is no whole sample", "bytes that are no whole sample")
        return [f"{self.name} ended with {odd}, left out. Does its format match?"]


def piped_sound(detail: str, pipe: Pipe | None = None) -> BlockSource:
    """Return a source that reads what is piped in as fast as it comes, for a rendering. Raises SourceError."""
    raw = PcmPipe(detail, pipe)
    return BlockSource(raw.name, raw.format.rate_hz, raw.format.channels, raw.blocks(), told=raw.notices)


def pcm_source(detail: str, clock: Clock, pipe: Pipe | None = None) -> StreamSource:
    """Return a live source that plays what is piped in. Raises SourceError."""
    raw = PcmPipe(detail, pipe)
    stream = StreamFormat(
        name=raw.name,
        rate_hz=raw.format.rate_hz,
        channels=raw.format.channels,
        skips=True,
        most_ready_s=MOST_READY_S,
    )

    def feed(intake: Intake) -> None:
        for block_TC in raw.blocks():
            if not intake.put(block_TC):
                return
        for line in raw.notices():
            intake.tell(line)
        intake.tell(f"{raw.name} ended: the program before the pipe sends no more.")

    return StreamSource(stream, feed, clock)
