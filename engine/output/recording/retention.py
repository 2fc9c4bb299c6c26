"""Keeps the newest hours of a segmented recording and deletes the files before them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import av
from av.error import FFmpegError

from engine.core.small_files import check_file

DATE = "{date}"
_DATE_PATTERN = r"(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)"
_NUMBER_PATTERN = r"(?:-(\d+))?"
"""What engine/core/free_path.py adds to the stem of a name that was taken."""


class _FinishedFile(NamedTuple):
    path: Path
    duration_s: float


class SegmentRetention:
    """The finished files of one folder, oldest first. Their own durations count, so a clock that is set cannot delete any."""

    def __init__(self, folder: Path, pattern: str, keep_hours: float) -> None:
        """Only files named after `pattern`, a name with {date}, are read or deleted."""
        before, after = pattern.split(DATE)
        suffix = Path(pattern).suffix
        rest = re.escape(after.removesuffix(suffix)) + _NUMBER_PATTERN + re.escape(suffix)
        self._name = re.compile(re.escape(before) + _DATE_PATTERN + rest)
        self._folder = folder
        self._keep_s = 3600.0 * keep_hours
        self._files: list[_FinishedFile] | None = None

    def add(self, path: Path) -> None:
        """Add a file that was finished."""
        self._known_files().append(_FinishedFile(path, read_duration_s(path)))

    def delete_oldest(self) -> None:
        """Delete the oldest files, as long as the others hold the hours to keep. Raises OSError."""
        files = self._known_files()
        total_s = sum(file.duration_s for file in files)
        while files and total_s - files[0].duration_s >= self._keep_s:
            total_s -= files[0].duration_s
            files[0].path.unlink(missing_ok=True)
            del files[0]

    def _known_files(self) -> list[_FinishedFile]:
        if self._files is None:
            found = [(self._name.fullmatch(path.name), path) for path in self._folder.iterdir()]
            by_age = sorted((match[1], int(match[2] or 1), path) for match, path in found if match)
            self._files = [_FinishedFile(path, read_duration_s(path)) for _, _, path in by_age]
        return self._files


def read_duration_s(path: Path) -> float:
    """Return the duration of a media file; 0 for one that cannot be read."""
    try:
        # A pipe of that name would hold the recording up.
        check_file(path)
        with av.open(str(path), metadata_errors="replace") as container:
            return (container.duration or 0) / av.time_base
    except (FFmpegError, OSError, ValueError):
        return 0.0
