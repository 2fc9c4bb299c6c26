"""The writing side of a segmented recording: one file after another, on a thread of its own."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from av.error import FFmpegError

from engine.core.errors import ConfigError
from engine.core.free_path import free_path
from engine.output.frame import ShowFormat
from engine.output.recording.retention import DATE, SegmentRetention
from engine.output.recording.video_writer import Recording
from engine.output.recording.write_queue import QueuedFrame, Segment, WriteQueue

PATTERN = f"show-{DATE}.mp4"
SEGMENT_MINUTES = 10.0
KEEP_FREE_BYTES = 500_000_000
"""Space that stays free on the disk."""
CHECK_DISK_EVERY_S = 10.0
"""Seconds of the show between two checks of the free space."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordingConfig:
    """Where and how a segmented recording is written. Raises ConfigError for a pattern without {date}."""

    folder: Path
    segment_minutes: float = SEGMENT_MINUTES
    pattern: str = PATTERN
    """Name of each file: its suffix names the format, {date} is filled in with the date and time of its start."""
    keep_hours: float | None = None
    """The oldest files are deleted as long as the others hold so many hours; None: none is deleted."""
    keep_free_bytes: int = KEEP_FREE_BYTES

    def __post_init__(self) -> None:
        if self.pattern.count(DATE) != 1 or Path(self.pattern).name != self.pattern:
            raise ConfigError(
                f"'{self.pattern}' is no name for recordings; a file name with one {DATE} was expected, e.g. {PATTERN}."
            )


@dataclass(slots=True)
class _OpenFile:
    segment: Segment
    path: Path
    recording: Recording
    disk_checked_s: float


class SegmentWriter:
    """Writes frames into the files that they belong to. Gives up a file that fails, and tries the next one."""

    def __init__(self, config: RecordingConfig) -> None:
        self._config = config
        self._retention = (
            SegmentRetention(config.folder, config.pattern, config.keep_hours) if config.keep_hours else None
        )
        self.notices: list[str] = []
        """Lines for the user, for the sink to pass on."""
        self.lost_frames = 0
        self._failed_number = 0
        self._is_failing = False

    def write_all(self, queue: WriteQueue, show: ShowFormat) -> None:
        """Write frames until the queue is closed and empty."""
        file: _OpenFile | None = None
        while (queued_frame := queue.take()) is not None:
            file = self._write(file, queued_frame, show)
        if file:
            self._finish(file, None)

    def _write(self, file: _OpenFile | None, queued_frame: QueuedFrame, show: ShowFormat) -> _OpenFile | None:
        """Write one frame into its file, which may be a new one; return the file that is open then."""
        segment = queued_frame.segment
        if file and (segment is None or segment.number != file.segment.number):
            self._finish(file, queued_frame.first_sample)
            file = None
        if segment is None:
            return None
        has_pixels = queued_frame.pixels_HWC is not None
        if segment.number == self._failed_number:
            self.lost_frames += has_pixels
            return None
        path = file.path if file else self._config.folder
        try:
            if file is None:
                path = free_path(self._config.folder / self._config.pattern.replace(DATE, _date_in_names(segment)))
                file = self._begin(segment, path, show)
            if queued_frame.time_s - file.disk_checked_s >= CHECK_DISK_EVERY_S:
                file.disk_checked_s = queued_frame.time_s
                self._check_free_space()
            file.recording.write(
                replace(
                    queued_frame,
                    first_sample=queued_frame.first_sample - segment.first_sample,
                    time_s=queued_frame.time_s - segment.begin_s,
                )
            )
        except (FFmpegError, OSError, ValueError) as error:
            self.lost_frames += has_pixels
            self._give_up(file, segment, path, error)
            return None
        return file

    def _begin(self, segment: Segment, path: Path, show: ShowFormat) -> _OpenFile:
        self._config.folder.mkdir(parents=True, exist_ok=True)
        if self._retention:
            self._retention.delete_oldest()
        self._check_free_space()
        file = _OpenFile(segment, path, Recording(path, show), segment.begin_s)
        if not segment.goes_on or self._is_failing:
            self.notices.append(f"Recording to {path}.")
        self._is_failing = False
        return file

    def _check_free_space(self) -> None:
        free_bytes, wanted_bytes = shutil.disk_usage(self._config.folder).free, self._config.keep_free_bytes
        if free_bytes < wanted_bytes:
            raise OSError(
                f"only {free_bytes / 1e6:.0f} MB are free on the disk, and {wanted_bytes / 1e6:.0f} MB have to stay free"
            )

    def _finish(self, file: _OpenFile, end_sample: int | None) -> None:
        try:
            file.recording.finish(None if end_sample is None else end_sample - file.segment.first_sample)
        except (FFmpegError, OSError, ValueError) as error:
            self._give_up(file, file.segment, file.path, error)
            return
        if self._retention:
            self._retention.add(file.path)

    def _give_up(self, file: _OpenFile | None, segment: Segment, path: Path, error: Exception) -> None:
        """Give up one file. The next one is tried again, with a notice only when it works."""
        self._failed_number = segment.number
        if file:
            with contextlib.suppress(FFmpegError, OSError):
                file.recording.abandon()
        with contextlib.suppress(OSError):
            if path.stat().st_size == 0:
                path.unlink()
        # The user who has just switched `record` on wants to know; a recording that goes on by itself is told once.
        if not (self._is_failing and segment.goes_on):
            self._is_failing = True
            reason = getattr(error, "strerror", None) or error
            self.notices.append(
                f"Recording to {path} stops: {reason}. The show goes on; the next file is tried in "
                f"{self._config.segment_minutes:g} minutes, or when record is switched off and on."
            )


def _date_in_names(segment: Segment) -> str:
    """Return the date and time of its start without what some disks forbid in names."""
    return segment.date[:19].replace(":", "-")
