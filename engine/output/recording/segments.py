"""A recording that `record` switches on and off while the show runs, in files of a few minutes each, for shows that last for months.

Every file begins and ends on a frame, and its sound begins with the sample after the last one of the file before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import numpy as np

from engine.core.clock import WallClock
from engine.output.frame import Frame, ShowFormat
from engine.output.recording.segment_writer import RecordingConfig, SegmentWriter
from engine.output.recording.write_queue import (
    MOST_WAITING_FRAMES,
    QueuedFrame,
    Segment,
    WriteQueue,
    make_write_queue,
)
from engine.output.sink import FrameRate

RECORD = "record"
"""The parameter that switches it."""
WAITING_BYTES = 256 << 20
"""Memory for frames that wait while a file is finished, as far as they are more than MOST_WAITING_FRAMES."""
MOST_SMALL_FRAMES = 600
"""Frames that wait at most, however small they are."""
CLOSE_WITHIN_S = 30.0


class SegmentedRecorder:
    """Records while the frame's value `record` is on. A failure costs a notice and a file, never the show."""

    name = "recordings"
    rate: FrameRate = "file"
    with_effects = True

    def __init__(
        self,
        config: RecordingConfig,
        *,
        date: Callable[[], str] = WallClock.date,
        notify: Callable[[str], None] = print,
    ) -> None:
        """`date` fills in the {date} of file names."""
        self._config = config
        self._date = date
        self._notify = notify
        self._writer = SegmentWriter(config)
        self._queue: WriteQueue | None = None
        self._thread: threading.Thread | None = None
        self._fps = 0.0
        self._segment_hops = 0
        self._segment: Segment | None = None
        self._segments = 0
        self._end_sample = 0

    @property
    def standby(self) -> bool:
        """Whether nothing is recorded."""
        return self._segment is None

    @property
    def lost_frames(self) -> int:
        return self._writer.lost_frames + (self._queue.lost_size if self._queue else 0)

    def open(self, show: ShowFormat) -> None:
        """Get ready; nothing is written before the first recording."""
        frame_bytes = 3 * show.width * show.height
        waiting = max(MOST_WAITING_FRAMES, min(MOST_SMALL_FRAMES, WAITING_BYTES // frame_bytes))
        self._queue = make_write_queue(show.live, waiting)
        self._fps = show.fps
        self._segment_hops = max(1, round(60.0 * self._config.segment_minutes * show.fps))
        self._thread = threading.Thread(
            target=self._writer.write_all, args=(self._queue, show), name="segments", daemon=True
        )
        self._thread.start()

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        """Want every frame while `record` is on, the one after it, which ends the file, and one to pass the writer's notices on."""
        return bool(values.get(RECORD, False)) or self._segment is not None or bool(self._writer.notices)

    def show(self, frame: Frame) -> None:
        assert self._queue, "open comes first"
        self._pass_notices_on()
        segment = self._choose_segment(frame) if frame.values.get(RECORD, False) else None
        if segment:
            self._queue.put(
                QueuedFrame(
                    pixels_HWC=frame.pixels_HWC,
                    sound_TC=frame.sound_TC,
                    first_sample=frame.first_sample,
                    time_s=frame.time_s,
                    segment=segment,
                )
            )
        elif self._segment:
            self._queue.put(end_at(frame.first_sample))
        self._segment = segment
        self._end_sample = frame.first_sample + len(frame.sound_TC)

    def close(self) -> None:
        """Write the frames that wait and finish the file; safe to call twice."""
        if self._queue and self._thread:
            if self._segment:
                self._queue.put(end_at(self._end_sample))
            self._queue.close()
            self._thread.join(CLOSE_WITHIN_S)
            if self._thread.is_alive():
                self._notify(f"The disk of {self._config.folder} does not answer; the recording may lack its end.")
            self._thread = None
        self._pass_notices_on()

    def _choose_segment(self, frame: Frame) -> Segment:
        """Return the file that a frame belongs to: the current one, unless that is full or there is none."""
        current = self._segment
        # The sound of skipped hops came with this frame, so a new file begins with them.
        begin_s = frame.time_s - (1 + frame.skipped_hops) / self._fps
        if current and round((begin_s - current.begin_s) * self._fps) < self._segment_hops:
            return current
        self._segments += 1
        return Segment(
            number=self._segments,
            first_sample=frame.first_sample,
            begin_s=begin_s,
            date=self._date(),
            goes_on=current is not None,
        )

    def _pass_notices_on(self) -> None:
        while self._writer.notices:
            self._notify(self._writer.notices.pop(0))


def end_at(sample: int) -> QueuedFrame:
    """Return what tells the writer that the file ends before `sample`."""
    return QueuedFrame(pixels_HWC=None, sound_TC=np.zeros((0, 1), np.float32), first_sample=sample, time_s=0.0)
