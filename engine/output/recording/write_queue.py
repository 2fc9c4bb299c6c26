"""The write queue between the step loop and a recorder's own thread: live it drops pixels rather than time, offline it waits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.core.bounded_queue import BoundedQueue

# H W C rows, columns, channels of pixels; T audio samples, C channels

MOST_WAITING_FRAMES = 40
"""Frames that may wait with their pixels."""
MOST_WAITING_OFFLINE = 8
"""Frames that may wait with their pixels where nothing is lost: the show waits then, so more would only take memory."""
MOST_QUEUED_FRAMES = 1200
"""Frames that may wait, with or without pixels: a minute of sound at 20 fps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """One of the files that a long recording is cut into."""

    number: int
    first_sample: int
    begin_s: float
    """Where it begins, in samples and seconds since the start of the show."""
    date: str
    """When it began, for its name."""
    goes_on: bool
    """Whether it follows the file before without a gap."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QueuedFrame:
    """One frame on its way to a file; without pixels when they were dropped."""

    pixels_HWC: NDArray[np.uint8] | None
    sound_TC: NDArray[np.float32]
    first_sample: int
    """Index of its first sample of sound, counted from the start of the show."""
    time_s: float
    segment: Segment | None = None
    """Of a segmented recording: the file it belongs to; None where nothing is recorded."""


WriteQueue = BoundedQueue[QueuedFrame]


def make_write_queue(
    live: bool, most_waiting: int = MOST_WAITING_FRAMES, most_queued: int = MOST_QUEUED_FRAMES
) -> WriteQueue:
    """Return a queue whose size counts frames with pixels. Live, the oldest frame loses its pixels and keeps its sound."""
    return WriteQueue(
        most_waiting,
        lambda frame: int(frame.pixels_HWC is not None),
        waits=not live,
        lighten=lambda frame: replace(frame, pixels_HWC=None),
        most_items=most_queued,
    )
