"""A bounded queue between one thread that must not be held up and one that writes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class BoundedQueue(Generic[Item]):
    """One thread puts, another takes. Sizes are counted in what the owner likes: frames, bytes.

    When the queue is full, `put` waits for the taker (`waits`), makes the oldest items smaller (`lighten`), or refuses.
    """

    def __init__(
        self,
        capacity: int,
        size_of: Callable[[Item], int],
        *,
        waits: bool,
        lighten: Callable[[Item], Item] | None = None,
        most_items: int | None = None,
    ) -> None:
        """`lighten` returns an item without what gives it its size. Beyond `most_items`, the oldest item is lost."""
        self._capacity = capacity
        self._size_of = size_of
        self._waits = waits
        self._lighten = None if waits else lighten
        self._most_items = None if waits else most_items
        self._items: deque[Item] = deque()
        self._size = 0
        # So many items at the front have no size.
        self._light_items = 0
        self._lost_size = 0
        # What the taker waits for.
        self._wanted_size = 0
        self._closed = self._abandoned = False
        self._changed = threading.Condition()

    @property
    def lost_size(self) -> int:
        """Size of what was put and never taken."""
        return self._lost_size

    def put(self, item: Item) -> bool:
        """Add an item; False when it was refused, or when nothing is taken any more."""
        size = self._size_of(item)
        with self._changed:
            while self._waits and self._size >= self._capacity and not self._abandoned:
                self._changed.wait()
            is_refused = not self._waits and not self._lighten and self._size + size > self._capacity
            if self._abandoned or is_refused:
                self._lost_size += size
                return False
            self._items.append(item)
            self._size += size
            self._make_room()
            if self._size >= self._wanted_size:
                self._changed.notify_all()
            return True

    def take(self) -> Item | None:
        """Wait for the oldest item; None once the queue is closed and empty."""
        portion = self.take_portion(0)
        return portion[0] if portion else None

    def take_portion(self, least_size: int) -> list[Item] | None:
        """Wait for `least_size`, or for what is left once the queue is closed; None when it is closed and empty."""
        with self._changed:
            self._wanted_size = least_size
            while not self._closed and (not self._items or self._size < least_size):
                self._changed.wait()
            portion: list[Item] = []
            taken_size = 0
            while self._items and (not portion or taken_size < least_size):
                portion.append(self._items.popleft())
                taken_size += self._size_of(portion[-1])
            self._light_items = max(0, self._light_items - len(portion))
            self._size -= taken_size
            self._changed.notify_all()
            return portion or None

    def close(self) -> None:
        """Nothing more will be put."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Nothing more will be taken: what waits and what comes is lost, and `put` waits for nobody."""
        with self._changed:
            self._abandoned = True
            self._lost_size += self._size
            self._items.clear()
            self._size = self._light_items = 0
            self._changed.notify_all()

    def _make_room(self) -> None:
        while self._lighten and self._size > self._capacity:
            item = self._items[self._light_items]
            self._items[self._light_items] = self._lighten(item)
            self._light_items += 1
            self._lose(self._size_of(item))
        if self._most_items is not None and len(self._items) > self._most_items:
            self._light_items = max(0, self._light_items - 1)
            self._lose(self._size_of(self._items.popleft()))

    def _lose(self, size: int) -> None:
        self._size -= size
        self._lost_size += size
