"""The index of a movie file: written at its end, from the fragments that are in the file by then.

A fragmented file can be read however the process ends, but players seek in it badly and video editors refuse it. FFmpeg makes an
ordinary file of it (`hybrid_fragmented`) by keeping every sample in memory. Here the index is collected in temporary files as the
fragments are written, so that memory does not grow with the length of a show. In the end the index is appended, and the header of
the first fragment's description is written over by one that turns everything before the index into media data.

Source of the boxes: ISO/IEC 14496-12, sections 8.3 to 8.8.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.output.recording.sample_table import Part, SampleTable, box, full_box

# N samples of one track

_HEADER = struct.Struct(">I4s")
_DATA_OFFSET, _FIRST_FLAGS = 0x1, 0x4
_SAMPLE_FIELDS = (0x100, 0x200, 0x400, 0x800)
"""Flags of a run that gives a duration, a size, flags and a composition offset for each sample."""
_BASE_OFFSET, _DESCRIPTION = 0x1, 0x2
_DEFAULTS = (0x8, 0x10, 0x20)
"""Flags of a track fragment that gives a duration, a size and flags for all samples."""
_NOT_SYNC = 0x10000
_UNFRAGMENTED = {b"stts", b"stsc", b"stsz", b"stco", b"mvex"}
"""Boxes of the first description that the index replaces."""


class MovieIndex:
    """The index of one file while it is written. Raises OSError, and ValueError for a file that is no fragmented movie."""

    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        # Kept open, so that a file that is moved meanwhile is finished all the same.
        # Without a buffer: after an error nothing is written any more.
        self._file = path.open("r+b", buffering=0)
        self._position = self._moov_position = 0
        self._moov = b""
        self._tracks: dict[int, SampleTable] = {}

    def follow(self) -> None:
        """Take in the fragments that were written since the last call."""
        size = self._file.seek(0, 2)
        while self._position + 16 <= size:
            self._file.seek(self._position)
            length, kind = _HEADER.unpack(self._file.read(8))
            length = struct.unpack(">Q", self._file.read(8))[0] if length == 1 else length
            if length < 8 or self._position + length > size:
                return
            if kind in (b"moov", b"moof"):
                self._file.seek(self._position + 8)
                content = self._file.read(length - 8)
                if kind == b"moov":
                    self._moov, self._moov_position = content, self._position
                else:
                    self._add_fragment(content, self._position)
            self._position += length

    def finish(self) -> None:
        """Make an ordinary file of the finished fragments. After an error the file is what it was, and can be read."""
        try:
            self.follow()
            if self._tracks:
                self._append()
        finally:
            self.close()

    def close(self) -> None:
        """Release the file; safe to call twice."""
        self._file.close()

    def _append(self) -> None:
        self._file.seek(self._position)
        try:
            for part in box(b"moov", self._whole_movie()):
                for piece in part.pieces():
                    self._write(piece)
            # With the header below first on the disk, a power cut would leave a file without any index.
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(self._position)
            raise
        self._file.seek(self._moov_position)
        self._write(struct.pack(">I4sQ", 1, b"mdat", self._position - self._moov_position))

    def _write(self, content: bytes) -> None:
        written = 0
        while written < len(content):
            written += self._file.write(content[written:])

    def _add_fragment(self, moof: bytes, moof_position: int) -> None:
        for kind, traf in _boxes(moof):
            if kind != b"traf":
                continue
            inside = list(_boxes(traf))
            fragment = _Fragment.of(next(content for name, content in inside if name == b"tfhd"), moof_position)
            times = [content for name, content in inside if name == b"tfdt"]
            time = struct.unpack(">Q" if times[0][0] else ">I", times[0][4:])[0] if times else None
            table = self._tracks.setdefault(fragment.track, SampleTable(self._folder))
            for name, content in inside:
                if name == b"trun":
                    _add_run(table, content, fragment, time)
                    time = None

    def _whole_movie(self) -> list[Part]:
        """Return the content of the final description: the first one with complete tables and durations."""
        movie_rate = next(_rate(content) for kind, content in _boxes(self._moov) if kind == b"mvhd")
        parts, longest = list[Part](), 0
        for kind, content in _boxes(self._moov):
            if kind == b"trak":
                track = next(inside for name, inside in _boxes(content) if name == b"tkhd")
                number = struct.unpack(">I", track[12:16])[0]
                if number in self._tracks:
                    made, duration = _whole_track(content, self._tracks[number], movie_rate)
                    longest = max(longest, duration)
                    parts += box(b"trak", made)
            elif kind not in (b"mvhd", b"mvex"):
                parts += box(kind, [Part(content)])
        header = next(content for kind, content in _boxes(self._moov) if kind == b"mvhd")
        return [*box(b"mvhd", [Part(_with_duration(header, 12, longest))]), *parts]


class _Fragment(NamedTuple):
    """What a track fragment says of all its samples."""

    track: int
    data_position: int
    duration: int
    size: int
    flags: int

    @classmethod
    def of(cls, tfhd: bytes, moof_position: int) -> _Fragment:
        flags, track = struct.unpack(">II", tfhd[:8])
        position, rest = moof_position, tfhd[8:]
        if flags & _BASE_OFFSET:
            position, rest = struct.unpack(">Q", rest[:8])[0], rest[8:]
        if flags & _DESCRIPTION:
            rest = rest[4:]
        defaults = [0, 0, 0]
        for index, flag in enumerate(_DEFAULTS):
            if flags & flag:
                defaults[index], rest = struct.unpack(">I", rest[:4])[0], rest[4:]
        return cls(track, position, *defaults)


def _add_run(table: SampleTable, trun: bytes, fragment: _Fragment, time: int | None) -> None:
    """Add a run of samples, which lie one after another; its first one begins at `time`, where that is given."""
    flags, count = struct.unpack(">II", trun[:8])
    rest, position, first_flags = trun[8:], fragment.data_position, None
    if flags & _DATA_OFFSET:
        position, rest = position + struct.unpack(">i", rest[:4])[0], rest[4:]
    if flags & _FIRST_FLAGS:
        first_flags, rest = struct.unpack(">I", rest[:4])[0], rest[4:]
    given = [bool(flags & field) for field in _SAMPLE_FIELDS]
    columns: Iterator[NDArray[np.uint32]] = iter(np.frombuffer(rest, ">u4").reshape(count, sum(given)).T)
    defaults = (fragment.duration, fragment.size, fragment.flags, 0)
    durations_N, sizes_N, flags_N, offsets_N = (
        next(columns).astype(np.uint32) if is_given else np.full(count, default, np.uint32)
        for is_given, default in zip(given, defaults, strict=True)
    )
    if first_flags is not None and count:
        flags_N[0] = first_flags
    table.add(position, time, durations_N, sizes_N, offsets_N, flags_N & _NOT_SYNC == 0)


def _whole_track(trak: bytes, table: SampleTable, movie_rate: int) -> tuple[list[Part], int]:
    """Return the content of a track's final box, and its duration at the movie's rate."""
    media = next(content for kind, content in _boxes(trak) if kind == b"mdia")
    media_rate = next(_rate(content) for kind, content in _boxes(media) if kind == b"mdhd")
    parts, duration = list[Part](), round(table.duration * movie_rate / media_rate)
    for kind, content in _boxes(trak):
        if kind == b"edts":
            edits = next(inside for name, inside in _boxes(content) if name == b"elst")
            listed, duration = _whole_edits(edits, table.shown_until, movie_rate / media_rate)
            parts += box(b"edts", full_box(b"elst", 1, listed))
        elif kind == b"mdia":
            parts += box(b"mdia", _whole_media(content, table))
        elif kind != b"tkhd":
            parts += box(kind, [Part(content)])
    header = next(content for kind, content in _boxes(trak) if kind == b"tkhd")
    return [*box(b"tkhd", [Part(_with_duration(header, 16, duration))]), *parts], duration


def _whole_edits(elst: bytes, shown_until: int, movie_rate_share: float) -> tuple[list[Part], int]:
    """Return the edits, of which the last one now ends with what is shown last, and their duration at the movie's rate."""
    entries = [list(entry) for entry in struct.iter_unpack(">IiI", elst[8:])]
    entries[-1][0] = round((shown_until - max(entries[-1][1], 0)) * movie_rate_share)
    packed = b"".join(struct.pack(">QqI", *entry) for entry in entries)
    return [Part(struct.pack(">I", len(entries)) + packed)], sum(entry[0] for entry in entries)


def _whole_media(content: bytes, table: SampleTable) -> list[Part]:
    """Return the content of `mdia`, `minf` or `stbl` with the complete tables."""
    parts = list[Part]()
    for kind, inside in _boxes(content):
        if kind == b"mdhd":
            parts += box(kind, [Part(_with_duration(inside, 12, table.duration))])
        elif kind == b"minf":
            parts += box(kind, _whole_media(inside, table))
        elif kind == b"stbl":
            parts += box(kind, [*_whole_media(inside, table), *table.boxes()])
        elif kind not in _UNFRAGMENTED:
            parts += box(kind, [Part(inside)])
    return parts


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of the boxes in a box."""
    position = 0
    while position + 8 <= len(content):
        length, kind = _HEADER.unpack(content[position : position + 8])
        if length < 8 or position + length > len(content):
            raise ValueError("its fragments are damaged")
        yield kind, content[position + 8 : position + length]
        position += length


def _rate(header: bytes) -> int:
    """Return the units a second of a movie's or a media's header."""
    return int(struct.unpack(">I", header[12:16])[0])


def _with_duration(header: bytes, fixed: int, duration: int) -> bytes:
    """Return a header of version 0 as one of version 1, which has room for long durations.

    After its flags it has two dates of 4 bytes; the duration, of 4 bytes too, follows at `fixed` + 4.
    """
    created, changed = struct.unpack(">II", header[4:12])
    flags = struct.unpack(">I", header[:4])[0] | 1 << 24
    return (
        struct.pack(">IQQ", flags, created, changed)
        + header[12 : fixed + 4]
        + struct.pack(">Q", duration)
        + header[fixed + 8 :]
    )
