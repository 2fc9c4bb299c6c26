"""Checksums of large files that were read before, so that a command that begins again need not read gigabytes.

What is trusted: the same place (the whole path, links followed), the same file there (its number on the disk), the same size, and the
same times of writing and of the last change to the file's entry. The second one no program can set, so neither a file that was
copied or moved here with its old time nor one at another place passes for one that was read. What is not trusted: a file that was
written within a moment before it was read, since clocks of disks are coarse; and, on Windows, where the second time is that of making
the file, a content that was exchanged in place with size and time put back.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.core.atomic_files import write_text
from engine.core.small_files import read_bytes
from engine.core.structured import parse_json
from training.data.sources import file_digest

RECORD = "checksums.json"
LARGEST_BYTES = 1 << 24
LEAST_AGE_S = 10.0


class KnownDigests:
    """The checksums in a folder; what cannot be read or written there is computed again each time."""

    def __init__(
        self, folder: Path, digest: Callable[[Path], str] = file_digest, now_s: Callable[[], float] = time.time
    ) -> None:
        self._record, self._digest, self._now_s = folder / RECORD, digest, now_s
        self._known = _read(self._record)

    def of(self, path: Path) -> str:
        """Return the SHA-256 of a file. Raises TrainingError where it cannot be read."""
        place = os.path.realpath(path)
        before = _stamp(path)
        known = self._known.get(place)
        if before is not None and known is not None and known[0] == before:
            return known[1]
        found = self._digest(path)
        # Not where it changed while it was read.
        if before is not None and before == _stamp(path) and self._now_s() - max(before[2:]) / 1e9 >= LEAST_AGE_S:
            self._known[place] = (before, found)
            self._write()
        return found

    def _write(self) -> None:
        try:
            self._record.parent.mkdir(parents=True, exist_ok=True)
            write_text(self._record, json.dumps(self._known, indent=1))
        except OSError:
            # The cache itself says so when it is written.
            return


def _stamp(path: Path) -> tuple[int, int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _read(record: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    try:
        content: Any = parse_json(read_bytes(record, LARGEST_BYTES))
        return {str(place): (tuple(map(int, stamp)), str(digest)) for place, (stamp, digest) in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
