"""A recording that is switched on and off while the show runs, in files of a few minutes each, for shows that last for months.

Every file begins and ends on a frame, and the sound of each begins with the sample after the last one of the file before.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from av.error import FFmpegError

from engine.core.clock import WallClock
from engine.core.errors import ConfigError
from engine.output.frame import Frame, ShowFormat
from engine.output.recording.retention import DATE, SegmentRetention
from engine.output.recording.video_writer import Recording
from engine.output.recording.write_queue import PICTURES, QueuedFrame, Segment, WriteQueue
from engine.output.sink import FrameRate

PATTERN = f"show-{DATE}.mp4"
SEGMENT_MINUTES = 10.0
KEEP_FREE_BYTES = 500_000_000
"""What is left for everything else on the disk."""
LOOK_EVERY_S = 10.0
"""How much is recorded between two looks at the room on the disk."""
WAITING_BYTES = 256 << 20
"""Pictures that may wait while a file is finished, as far as they are more than PICTURES."""
MOST_PICTURES = 600
RECORD = "record"
"""The parameter that switches it."""
CLOSE_WITHIN_S = 30.0


@dataclass(slots=True)
class _Open:
    """The file being written."""

    segment: Segment
    path: Path
    recording: Recording
    looked_s: float


class SegmentedRecorder:
    """Records while the frame's value `record` is on. What fails costs a notice and a file, never the show."""

    name = "recordings"
    rate: FrameRate = "hop"
    with_effects = True

    def __init__(
        self,
        folder: Path | str,
        *,
        segment_minutes: float = SEGMENT_MINUTES,
        pattern: str = PATTERN,
        keep_hours: float | None = None,
        keep_free_bytes: int = KEEP_FREE_BYTES,
        date: Callable[[], str] = WallClock.date,
        notify: Callable[[str], None] = print,
    ) -> None:
        """Files are called after `pattern`, whose suffix says the format and whose {date} is filled in with `date()`.

        With `keep_hours`, the oldest are deleted once the others hold so many hours. Raises ConfigError for a pattern without
        {date}.
        """
        if pattern.count(DATE) != 1 or Path(pattern).name != pattern:
            raise ConfigError(
                f"'{pattern}' is no name for recordings; a file name with one {DATE} was expected, e.g. {PATTERN}."
            )
        self._folder = Path(folder)
        self._segment_s = 60.0 * segment_minutes
        self._pattern = pattern
        self._old = SegmentRetention(self._folder, pattern, keep_hours) if keep_hours else None
        self._keep_free_bytes = keep_free_bytes
        self._date = date
        self._notify = notify
        self._show: ShowFormat | None = None
        self._write_queue: WriteQueue | None = None
        self._writer: threading.Thread | None = None
        self._end_sample = 0
        self._segment: Segment | None = None
        self._segments = 0
        self._hops = 0
        self._untold: list[str] = []
        self._dropped = 0
        self._failed_number = 0
        self._is_failing = False

    @property
    def standby(self) -> bool:
        """Whether nothing is recorded."""
        return self._segment is None

    @property
    def lost_frames(self) -> int:
        return self._dropped + (self._write_queue.lost_pictures if self._write_queue else 0)

    def open(self, show: ShowFormat) -> None:
        """Get ready; nothing is written before the first recording."""
        self._show = show
        frame_bytes = 3 * show.width * show.height
        pictures = max(PICTURES, min(MOST_PICTURES, WAITING_BYTES // frame_bytes))
        self._write_queue = WriteQueue(show.live, pictures)
        self._hops = max(1, round(self._segment_s * show.fps))
        self._writer = threading.Thread(
            target=self._write, args=(show, self._write_queue), name="segments", daemon=True
        )
        self._writer.start()

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        """Want every frame while `record` is on, the one after it, which ends the file, and one to tell what the writer met."""
        return bool(values.get(RECORD, False)) or self._segment is not None or bool(self._untold)

    def show(self, frame: Frame) -> None:
        assert self._write_queue, "open comes first"
        self._tell()
        segment = self._choose(frame) if frame.values.get(RECORD, False) else None
        if segment or self._segment:
            self._write_queue.put(
                QueuedFrame(
                    pixels_HWC=frame.pixels_HWC if segment else None,
                    sound_TC=frame.sound_TC if segment else frame.sound_TC[:0],
                    first_sample=frame.first_sample,
                    time_s=frame.time_s,
                    segment=segment,
                )
            )
        self._segment = segment
        self._end_sample = frame.first_sample + len(frame.sound_TC)

    def close(self) -> None:
        """Write what waits and finish the file; safe to call twice."""
        if self._write_queue and self._writer:
            if self._segment:
                nothing = np.zeros((0, 1), np.float32)
                self._write_queue.put(
                    QueuedFrame(pixels_HWC=None, sound_TC=nothing, first_sample=self._end_sample, time_s=0.0)
                )
            self._write_queue.close()
            self._writer.join(CLOSE_WITHIN_S)
            if self._writer.is_alive():
                self._untold.append(f"The disk of {self._folder} does not answer; the recording may lack its end.")
            self._writer = None
        self._tell()

    def _choose(self, frame: Frame) -> Segment:
        """Return the file that a frame belongs to: the one before, unless that is full or there is none."""
        assert self._show
        before = self._segment
        # Hops that were skipped left their sound to this frame, so the file begins with them.
        begin_s = frame.time_s - (1 + frame.skipped_hops) / self._show.fps
        if before and round((begin_s - before.begin_s) * self._show.fps) < self._hops:
            return before
        self._segments += 1
        return Segment(
            number=self._segments,
            first_sample=frame.first_sample,
            begin_s=begin_s,
            date=self._date(),
            goes_on=before is not None,
        )

    def _tell(self) -> None:
        while self._untold:
            self._notify(self._untold.pop(0))

    def _write(self, show: ShowFormat, write_queue: WriteQueue) -> None:
        opened: _Open | None = None
        while (queued_frame := write_queue.take()) is not None:
            opened = self._write_parcel(opened, queued_frame, show)
        if opened:
            self._finish(opened, None)

    def _write_parcel(self, opened: _Open | None, queued_frame: QueuedFrame, show: ShowFormat) -> _Open | None:
        """Write one parcel into its file, which may be a new one; return what is open then."""
        segment = queued_frame.segment
        if opened and (segment is None or segment.number != opened.segment.number):
            self._finish(opened, queued_frame.first_sample)
            opened = None
        if segment is None:
            return None
        if segment.number == self._failed_number:
            self._dropped += queued_frame.pixels_HWC is not None
            return None
        path = opened.path if opened else self._folder
        try:
            if opened is None:
                path = self._free_path(segment)
                opened = self._begin(segment, path, show)
            if queued_frame.time_s - opened.looked_s >= LOOK_EVERY_S:
                opened.looked_s = queued_frame.time_s
                self._check_room()
            opened.recording.write(
                replace(
                    queued_frame,
                    first_sample=queued_frame.first_sample - segment.first_sample,
                    time_s=queued_frame.time_s - segment.begin_s,
                )
            )
        except (FFmpegError, OSError, ValueError) as error:
            self._dropped += queued_frame.pixels_HWC is not None
            self._fail(opened, segment, path, error)
            return None
        return opened

    def _begin(self, segment: Segment, path: Path, show: ShowFormat) -> _Open:
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._old:
            self._old.make_room()
        self._check_room()
        opened = _Open(segment, path, Recording(path, show), segment.begin_s)
        if not segment.goes_on or self._is_failing:
            self._untold.append(f"Recording to {path}.")
        self._is_failing = False
        return opened

    def _free_path(self, segment: Segment) -> Path:
        """Return a name that is not taken; a clock that was set back costs a number, never a file."""
        # Date and time of day alone, without what some disks forbid in names.
        date = segment.date[:19].replace(":", "-")
        number = 1
        while True:
            path = self._folder / self._pattern.replace(DATE, date if number == 1 else f"{date}-{number}")
            if not path.exists():
                return path
            number += 1

    def _check_room(self) -> None:
        free_bytes = shutil.disk_usage(self._folder).free
        if free_bytes < self._keep_free_bytes:
            raise OSError(
                f"only {free_bytes / 1e6:.0f} MB are free and {self._keep_free_bytes / 1e6:.0f} MB are kept for the rest"
            )

    def _finish(self, opened: _Open, end_sample: int | None) -> None:
        try:
            opened.recording.finish(None if end_sample is None else end_sample - opened.segment.first_sample)
        except (FFmpegError, OSError) as error:
            self._fail(opened, opened.segment, opened.path, error)
            return
        if self._old:
            self._old.add(opened.path)

    def _fail(self, opened: _Open | None, segment: Segment, path: Path, error: Exception) -> None:
        """Give up one file; the next one is tried again, and told of only when it works."""
        self._failed_number = segment.number
        if opened:
            with contextlib.suppress(FFmpegError, OSError):
                opened.recording.abandon()
        with contextlib.suppress(OSError):
            if path.stat().st_size == 0:
                path.unlink()
        # Whoever switches it on wants to know; a show that goes on by itself is told once.
        if not (self._is_failing and segment.goes_on):
            self._is_failing = True
            reason = getattr(error, "strerror", None) or error
            self._untold.append(
                f"Recording to {path} stops: {reason}. The show goes on; the next file is tried in "
                f"{self._segment_s / 60:g} minutes, or when record is switched off and on."
            )
