"""The bounded queue between the step and a sink's own thread: live it loses pictures rather than time, offline it waits."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

# H W C picture rows, columns, channels; T audio samples, C channels

PICTURES = 40
"""Pictures that may wait."""
PARCELS = 1200
"""Parcels that may wait once their pictures are lost: a minute of sound at 20 fps."""


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
    """Whether it follows the one before without a gap."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QueuedFrame:
    """One frame on its way to a file; without a picture when that was lost."""

    pixels_HWC: NDArray[np.uint8] | None
    sound_TC: NDArray[np.float32]
    first_sample: int
    """Where its sound begins, in samples since the start of the show."""
    time_s: float
    segment: Segment | None = None
    """Of a segmented recording: the file it belongs to; None where nothing is recorded."""


class WriteQueue:
    """One thread puts, another takes."""

    def __init__(self, live: bool, pictures: int = PICTURES, queued_frames: int = PARCELS) -> None:
        self._live = live
        self._capacity = pictures
        self._parcel_capacity = queued_frames
        self._queued_frames: deque[QueuedFrame] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._abandoned = False
        self._lost_pictures = 0
        self._bare = 0

    @property
    def lost_pictures(self) -> int:
        """Pictures that were put and never taken."""
        return self._lost_pictures

    def put(self, queued_frame: QueuedFrame) -> None:
        """Add one. When full: live, the oldest picture is lost and its sound kept; offline, wait for the taker."""
        with self._changed:
            while not self._live and len(self._queued_frames) >= self._capacity and not self._abandoned:
                self._changed.wait()
            if self._abandoned:
                self._lost_pictures += 1
                return
            self._queued_frames.append(queued_frame)
            if len(self._queued_frames) - self._bare > self._capacity:
                # Pictures are lost from the front, so those without one are all there.
                self._queued_frames[self._bare] = replace(self._queued_frames[self._bare], pixels_HWC=None)
                self._bare += 1
                self._lost_pictures += 1
            if len(self._queued_frames) > self._parcel_capacity:
                self._pop()
            self._changed.notify_all()

    def take(self) -> QueuedFrame | None:
        """Wait for the oldest; None once the box is closed and empty."""
        with self._changed:
            while not self._queued_frames and not self._closed:
                self._changed.wait()
            if not self._queued_frames:
                return None
            self._changed.notify_all()
            return self._pop()

    def close(self) -> None:
        """Nothing more will be put."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Nothing more will be taken: what waits and what comes is lost, and nobody is kept waiting."""
        with self._changed:
            self._abandoned = True
            self._lost_pictures += len(self._queued_frames) - self._bare
            self._queued_frames.clear()
            self._bare = 0
            self._changed.notify_all()

    def _pop(self) -> QueuedFrame:
        self._bare = max(0, self._bare - 1)
        return self._queued_frames.popleft()
