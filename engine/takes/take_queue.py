"""The bounded queue between the step and the thread that writes a take: live it refuses rather than wait, offline it waits."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np
from numpy.typing import NDArray

from engine.takes.take_log import HopLine

Item = NDArray[np.float32] | HopLine
"""Samples [T, channels], or a line of the log."""


class TakeQueue:
    """Room for `most_bytes`. Items are handed on in portions of `portion_bytes`, or sooner once nothing more comes."""

    def __init__(self, live: bool, most_bytes: int, portion_bytes: int) -> None:
        self._live = live
        self._most_bytes = most_bytes
        self._portion_bytes = portion_bytes
        self._items: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._closed = False
        self._abandoned = False
        self._changed = threading.Condition()

    def put(self, item: Item, size_bytes: int) -> bool:
        """Add one; False when there is no room for it and never will be in time, or nobody takes any more."""
        with self._changed:
            while not self._live and self._bytes >= self._most_bytes and not self._abandoned:
                self._changed.wait()
            if self._abandoned or (self._live and self._bytes + size_bytes > self._most_bytes):
                return False
            self._items.append((item, size_bytes))
            self._bytes += size_bytes
            if self._bytes >= self._portion_bytes:
                self._changed.notify_all()
            return True

    def take(self) -> list[Item] | None:
        """Wait for a portion; None once the queue is closed and empty."""
        with self._changed:
            while self._bytes < self._portion_bytes and not self._closed:
                self._changed.wait()
            if not self._items:
                return None
            portion: list[Item] = []
            taken_bytes = 0
            while self._items and taken_bytes < self._portion_bytes:
                item, size_bytes = self._items.popleft()
                portion.append(item)
                taken_bytes += size_bytes
            self._bytes -= taken_bytes
            self._changed.notify_all()
            return portion

    def close(self) -> None:
        """Nothing more will be put."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Nothing more will be taken: what waits and what comes is lost, and nobody is kept waiting."""
        with self._changed:
            self._abandoned = True
            self._items.clear()
            self._bytes = 0
            self._changed.notify_all()
