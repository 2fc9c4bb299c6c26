"""Recordings of which only the newest hours are kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import av
from av.error import FFmpegError

DATE = "{date}"
_DATE_PATTERN = r"(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)(?:-(\d+))?"


class _Old(NamedTuple):
    path: Path
    seconds: float


class SegmentRetention:
    """The finished files of one folder, oldest first. How old they are is counted in what they hold: no clock can err."""

    def __init__(self, folder: Path, pattern: str, keep_hours: float) -> None:
        """Nothing but files called after `pattern`, a name with {date}, is ever looked at or deleted."""
        before, after = pattern.split(DATE)
        self._name = re.compile(re.escape(before) + _DATE_PATTERN + re.escape(after))
        self._folder = folder
        self._keep_s = 3600.0 * keep_hours
        self._files: list[_Old] | None = None

    def add(self, path: Path) -> None:
        """Note a file that was finished."""
        self._known().append(_Old(path, length_s(path)))

    def make_room(self) -> None:
        """Delete the oldest files, as long as the others hold the hours that are kept. Raises OSError."""
        files = self._known()
        total_s = sum(file.seconds for file in files)
        while files and total_s - files[0].seconds >= self._keep_s:
            total_s -= files[0].seconds
            files[0].path.unlink(missing_ok=True)
            del files[0]

    def _known(self) -> list[_Old]:
        if self._files is None:
            found = [(self._name.fullmatch(path.name), path) for path in self._folder.iterdir()]
            ages = sorted((match[1], int(match[2] or 1), path) for match, path in found if match)
            self._files = [_Old(path, length_s(path)) for _, _, path in ages]
        return self._files


def length_s(path: Path) -> float:
    """Return how much a file holds; 0 for one that cannot be read."""
    try:
        with av.open(str(path)) as container:
            return (container.duration or 0) / av.time_base
    except (FFmpegError, OSError, ValueError):
        return 0.0
