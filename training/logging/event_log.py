"""TensorBoard's event file, written in this thread: each event is written completely or not at all, and a full disk is an OSError.

The usual writers use a thread of their own, which dies with a stack trace when the disk is full.
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

# N frames, H W rows and columns, S samples of sound

FILE_VERSION = "brain.Event:2"


class EventLog:
    """One event file, created with the first event."""

    def __init__(self, folder: Path, first_step: int) -> None:
        """TensorBoard drops the events of earlier files from `first_step` on; a resumed run writes them again."""
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.fluid"
        self.path, self.first_step = folder / name, first_step

    def scalar(self, tag: str, value: float, step: int) -> None:
        """Add one point of a curve. Raises OSError."""
        self._add(summary.scalar(tag, value), step)

    def image(self, tag: str, image_HWC: NDArray[np.uint8], step: int) -> None:
        """Add one RGB image. Raises OSError."""
        self._add(summary.image(tag, image_HWC, dataformats="HWC"), step)

    def video(self, tag: str, frames_NHWC: NDArray[np.uint8], fps: float, step: int) -> None:
        """Add RGB frames as an animation, which TensorBoard shows among the images. Raises OSError."""
        height, width = frames_NHWC.shape[1:3]
        image = Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=animated_gif(frames_NHWC, fps)
        )
        self._add(Summary(value=[Summary.Value(tag=tag, image=image)]), step)

    def sound(self, tag: str, sound_S: NDArray[np.float32], sample_rate_hz: int, step: int) -> None:
        """Add mono sound in [-1, 1]. Raises OSError."""
        self._add(summary.audio(tag, np.clip(sound_S, -1.0, 1.0), sample_rate_hz), step)

    def _add(self, content: Summary, step: int) -> None:
        events = [Event(wall_time=time.time(), step=step, summary=content)]
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
    """Return frames as an endless GIF; frame times are multiples of 10 ms."""
    images = [Image.fromarray(frame).quantize(dither=Image.Dither.NONE) for frame in frames_NHWC]
    buffer = io.BytesIO()
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], duration=round(100 / fps) * 10, loop=0)
    return buffer.getvalue()
