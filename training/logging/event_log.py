"""TensorBoard's event file, written by this thread: an event is there whole or not at all, and a full disk is an OSError here.

The usual writers hand events to a thread of their own, which dies with a stack trace when the disk is full.
"""

from __future__ import annotations

import io
import os
import socket
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard import summary

from engine.core.atomic_files import append_bytes

# N pictures, H W rows and columns, S samples of sound

FILE_VERSION = "brain.Event:2"


class EventLog:
    """One event file, made with the first event."""

    def __init__(self, folder: Path, first_step: int) -> None:
        """Earlier files' events from `first_step` on are forgotten by TensorBoard: a resumed run makes them again."""
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.fluid"
        self.path, self.first_step = folder / name, first_step

    def scalar(self, tag: str, value: float, step: int) -> None:
        """Add one point of a curve. Raises OSError."""
        self._add(summary.scalar(tag, value), step)

    def picture(self, tag: str, picture_HWC: NDArray[np.uint8], step: int) -> None:
        """Add one RGB picture. Raises OSError."""
        self._add(summary.image(tag, picture_HWC, dataformats="HWC"), step)

    def video(self, tag: str, frames_NHWC: NDArray[np.uint8], fps: float, step: int) -> None:
        """Add moving RGB pictures, which TensorBoard shows among the pictures. Raises OSError."""
        height, width = frames_NHWC.shape[1:3]
        image = Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=animated_gif(frames_NHWC, fps)
        )
        self._add(Summary(value=[Summary.Value(tag=tag, image=image)]), step)

    def sound(self, tag: str, sound_S: NDArray[np.float32], sample_rate_hz: int, step: int) -> None:
        """Add mono sound in [-1, 1]. Raises OSError."""
        self._add(summary.audio(tag, np.clip(sound_S, -1.0, 1.0), sample_rate_hz), step)

    def _add(self, what: Summary, step: int) -> None:
        events = [Event(wall_time=time.time(), step=step, summary=what)]
        if not self.path.exists() or not self.path.stat().st_size:
            start = SessionLog(status=SessionLog.START)
            events = [
                Event(wall_time=time.time(), file_version=FILE_VERSION),
                Event(wall_time=time.time(), step=self.first_step, session_log=start),
                *events,
            ]
        buffer = io.BytesIO()
        writer = RecordWriter(buffer)
        for event in events:
            writer.write(event.SerializeToString())
        append_bytes(self.path, buffer.getvalue())


def animated_gif(frames_NHWC: NDArray[np.uint8], fps: float) -> bytes:
    """Return pictures as an endless animation; its clock has steps of 10 ms."""
    pictures = [Image.fromarray(frame).quantize(dither=Image.Dither.NONE) for frame in frames_NHWC]
    buffer = io.BytesIO()
    pictures[0].save(buffer, "GIF", save_all=True, append_images=pictures[1:], duration=round(100 / fps) * 10, loop=0)
    return buffer.getvalue()
