"""The tables of one track in a movie file's index, kept in temporary files beside it while the file grows."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile

import numpy as np
from numpy.typing import NDArray

# N samples of one track, R runs of equal values

_IN_MEMORY_BYTES = 64 << 10
"""So much of each table stays in memory before it goes to the disk."""


class Part:
    """Some bytes of a file to be: in memory, or in a temporary file."""

    def __init__(self, content: bytes = b"", file: SpooledTemporaryFile[bytes] | None = None) -> None:
        self._content, self._file = content, file
        self.size = len(content) if file is None else file.tell()

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes, a limited number at a time."""
        if self._file is None:
            yield self._content
            return
        self._file.seek(0)
        while piece := self._file.read(_IN_MEMORY_BYTES):
            yield piece


def box(kind: bytes, parts: list[Part]) -> list[Part]:
    """Return a box with its header."""
    return [Part(struct.pack(">I4s", 8 + sum(part.size for part in parts), kind)), *parts]


def full_box(kind: bytes, version: int, parts: list[Part]) -> list[Part]:
    """Return a box with version and flags."""
    return box(kind, [Part(struct.pack(">I", version << 24)), *parts])


class _Column:
    """A table of numbers of one width that only grows."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._file = SpooledTemporaryFile[bytes](_IN_MEMORY_BYTES, dir=str(folder))
        self._kind = kind
        self.numbers = 0

    def add(self, numbers: NDArray[np.integer] | list[int]) -> None:
        added = np.asarray(numbers).astype(self._kind)
        self._file.write(added.tobytes())
        self.numbers += added.size

    def part(self) -> Part:
        return Part(file=self._file)


class _Runs:
    """A table of how often a value is repeated."""

    def __init__(self, folder: Path) -> None:
        self._column = _Column(folder, ">u4")
        self._value = self._count = 0

    @property
    def only_value(self) -> int | None:
        """The value that all have; None where they differ."""
        return None if self._column.numbers else self._value

    def add(self, values_N: NDArray[np.uint32]) -> None:
        if not len(values_N):
            return
        starts_R = np.flatnonzero(np.diff(values_N, prepend=~values_N[:1]))
        counts_R = np.diff(starts_R, append=len(values_N))
        for value, count in zip(values_N[starts_R].tolist(), counts_R.tolist(), strict=True):
            if value != self._value:
                self._end_run()
            self._value, self._count = value, self._count + count

    def table(self) -> list[Part]:
        self._end_run()
        return [Part(struct.pack(">I", self._column.numbers // 2)), self._column.part()]

    def _end_run(self) -> None:
        if self._count:
            self._column.add([self._count, self._value])
        self._count = 0


class SampleTable:
    """Durations, sizes, places and key frames of a track's samples. Raises OSError when the disk is full."""

    def __init__(self, folder: Path) -> None:
        self._durations, self._offsets = _Runs(folder), _Runs(folder)
        self._sizes, self._chunks = _Column(folder, ">u4"), _Column(folder, ">u8")
        self._chunk_lengths, self._sync = _Column(folder, ">u4"), _Column(folder, ">u4")
        self._last_length = 0
        self._end = self._last_duration = 0
        self._first_time: int | None = None
        self.shown_until = 0
        """When the sample that is shown last ends, at the media's rate; later than `duration` where frames change their order."""

    @property
    def duration(self) -> int:
        """Duration of all samples, at the media's rate."""
        return self._end

    def add(
        self,
        position: int,
        time: int | None,
        durations_N: NDArray[np.uint32],
        sizes_N: NDArray[np.uint32],
        offsets_N: NDArray[np.uint32],
        is_sync_N: NDArray[np.bool_],
    ) -> None:
        """Add samples that lie one after another in the file from `position` on; the first one begins at `time`."""
        if not len(sizes_N):
            return
        self._close_gap(time)
        first = self._sizes.numbers + 1
        # The last sample lasts until the next one, which is not known yet.
        self._durations.add(durations_N[:-1])
        self._last_duration = int(durations_N[-1])
        ends_N = self._end + np.cumsum(durations_N, dtype=np.int64)
        self._end = int(ends_N[-1])
        self.shown_until = max(self.shown_until, int((ends_N + offsets_N.astype(np.int32)).max()))
        self._sizes.add(sizes_N)
        self._offsets.add(offsets_N)
        self._sync.add(first + np.flatnonzero(is_sync_N))
        self._chunks.add([position])
        if len(sizes_N) != self._last_length:
            self._last_length = len(sizes_N)
            self._chunk_lengths.add([self._chunks.numbers, len(sizes_N), 1])

    def boxes(self) -> list[Part]:
        """Return the boxes of the complete tables."""
        self._durations.add(np.array([self._last_duration], np.uint32))
        count = self._sizes.numbers
        parts = full_box(b"stts", 0, self._durations.table())
        if self._sync.numbers < count:
            parts += full_box(b"stss", 0, _counted(self._sync, 1))
        if self._offsets.only_value != 0:
            # Version 1: an offset may be negative.
            parts += full_box(b"ctts", 1, self._offsets.table())
        parts += full_box(b"stsc", 0, _counted(self._chunk_lengths, 3))
        parts += full_box(b"stsz", 0, [Part(struct.pack(">II", 0, count)), self._sizes.part()])
        return parts + full_box(b"co64", 0, _counted(self._chunks, 1))

    def _close_gap(self, time: int | None) -> None:
        """Let the last sample last until `time`: hops may have been skipped."""
        if self._first_time is None:
            self._first_time = time or 0
            return
        gap = 0 if time is None else max(0, time - self._first_time - self._end)
        self._durations.add(np.array([self._last_duration + gap], np.uint32))
        self._end += gap


def _counted(column: _Column, width: int) -> list[Part]:
    return [Part(struct.pack(">I", column.numbers // width)), column.part()]
