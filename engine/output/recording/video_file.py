"""Records a show to one file, on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from av.error import FFmpegError

from engine.core.errors import SinkError
from engine.output.frame import Frame, ShowFormat
from engine.output.recording.video_writer import Recording
from engine.output.recording.write_queue import (
    MOST_WAITING_FRAMES,
    MOST_WAITING_OFFLINE,
    QueuedFrame,
    WriteQueue,
    make_write_queue,
)
from engine.output.sink import FrameRate

CLOSE_WITHIN_S = 30.0
"""So long may writing stand still at the end; as long as it goes on, it may take any time."""


class VideoFileSink:
    """Video and sound in one file. Live, a slow disk or encoder drops frames, and counts them; offline, none is dropped."""

    rate: FrameRate = "file"
    with_effects = True
    standby = False

    def __init__(self, path: Path | str, way_out: str = "choose another place with --out") -> None:
        """`way_out` ends the sentence about a place that cannot be written: it names the argument that the path came from."""
        self._path = Path(path)
        self._way_out = way_out
        self._write_queue: WriteQueue | None = None
        self._writer: threading.Thread | None = None
        self._failure: SinkError | None = None
        self._written = 0

    @property
    def name(self) -> str:
        return str(self._path)

    @property
    def lost_frames(self) -> int:
        return self._write_queue.lost_size if self._write_queue else 0

    def open(self, show: ShowFormat) -> None:
        """Begin the file; one of that name is overwritten. Raises SinkError."""
        try:
            recording = Recording(self._path, show)
        except (FFmpegError, OSError, ValueError) as error:
            raise SinkError(f"Cannot write {self._path}: {_reason(error)}; {self._way_out}.") from error
        self._write_queue = make_write_queue(show.live, MOST_WAITING_FRAMES if show.live else MOST_WAITING_OFFLINE)
        self._writer = threading.Thread(
            target=self._write, args=(recording, self._write_queue), name="recorder", daemon=True
        )
        self._writer.start()

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        return True

    def show(self, frame: Frame) -> None:
        self._raise_failure()
        assert self._write_queue, "open comes first"
        self._write_queue.put(
            QueuedFrame(
                pixels_HWC=frame.pixels_HWC,
                sound_TC=frame.sound_TC,
                first_sample=frame.first_sample,
                time_s=frame.time_s,
            )
        )

    def close(self) -> None:
        """Write the frames that wait and finish the file. Raises SinkError, once, if not all could be written."""
        if self._write_queue and self._writer:
            self._write_queue.close()
            written = -1
            while self._writer.is_alive() and written != self._written:
                written = self._written
                self._writer.join(CLOSE_WITHIN_S)
            if self._writer.is_alive() and not self._failure:
                self._write_queue.abandon()
                self._failure = SinkError(
                    f"Writing {self._path} did not end: its disk does not answer; what it has taken so far is in the file."
                )
            self._writer = None
        self._raise_failure()

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure:
            raise failure

    def _write(self, recording: Recording, write_queue: WriteQueue) -> None:
        try:
            while (queued_frame := write_queue.take()) is not None:
                recording.write(queued_frame)
                self._written += 1
            recording.finish()
        except (FFmpegError, OSError, ValueError) as error:
            self._failure = SinkError(
                f"Writing {self._path} failed: {_reason(error)}; the frames before are in the file."
            )
            write_queue.abandon()
            _release(recording)


def _release(recording: Recording) -> None:
    try:
        recording.abandon()
    except (FFmpegError, OSError):
        # Closing meets the same error again.
        return


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
