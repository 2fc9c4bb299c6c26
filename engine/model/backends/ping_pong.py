"""Ping-pong buffers: two state buffers on a device, read and written alternately.

State stays a value. A step reads one buffer and writes the other, so the state given to it is intact afterwards; the step
after that would overwrite it. If anyone still holds that state, it is copied to the host first. In a show nobody does, and
nothing is copied. This module knows neither device nor runtime.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from engine.model.backend import LazyState
from engine.model.step import State

Fetch = Callable[[int], dict[str, NDArray[np.float32]]]
"""Copies buffer 0 or 1 to the host."""
Load = Callable[[int, State], None]
"""Copies a state from the host into buffer 0 or 1."""


class DeviceState(LazyState):
    """A state in one of the two buffers. Looking at one value copies all of them to the host, once."""

    def __init__(self, names: tuple[str, ...], fetch: Callable[[], dict[str, NDArray[np.float32]]]) -> None:
        self._names = names
        self._fetch = fetch
        self._values: dict[str, NDArray[np.float32]] | None = None

    @property
    def on_device(self) -> bool:
        """Whether looking at a value copies the state to the host."""
        return self._values is None

    def save(self) -> dict[str, NDArray[np.float32]]:
        """Copy the state to the host, unless it is there, and return it."""
        if self._values is None:
            self._values = self._fetch()
        return self._values

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        return self.save()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class PingPong:
    """Keeps track of which buffer holds which state. `fetch` and `load` do the copying."""

    def __init__(self, names: tuple[str, ...], fetch: Fetch, load: Load) -> None:
        self._names = names
        self._fetch = fetch
        self._load = load
        # Weak: a state that nobody holds is not saved.
        self._holders: list[weakref.ref[DeviceState] | None] = [None, None]

    def begin(self, state: State) -> tuple[int, int]:
        """Prepare a step from `state` and return the buffer to read and the buffer to write.

        A state in neither buffer, such as the initial one, is loaded into one of them.
        """
        read = next((index for index in (0, 1) if self._holder(index) is state), None)
        if read is None:
            read = 0 if self._holder(0) is None else 1
            self._vacate(read)
            self._load(read, state)
        self._vacate(1 - read)
        return read, 1 - read

    def finish(self, written: int) -> DeviceState:
        """Return the state that a step has written into the buffer `written`."""
        state = DeviceState(self._names, lambda: self._fetch(written))
        self._holders[written] = weakref.ref(state)
        return state

    def _holder(self, index: int) -> DeviceState | None:
        reference = self._holders[index]
        return reference() if reference else None

    def _vacate(self, index: int) -> None:
        holder = self._holder(index)
        if holder is not None:
            holder.save()
        self._holders[index] = None
