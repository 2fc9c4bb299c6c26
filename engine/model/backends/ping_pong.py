"""Two sets of state buffers on a device, read and written in turn: which set a step reads, and whose state must be saved first.

State stays a value. A step reads one set and writes the other, so the state given to it is still whole afterwards; the step
after next would overwrite it. If anybody still holds it then, it is copied to the host first, and nobody notices. In a show
nobody does, and nothing is copied. This file knows neither device nor runtime.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from engine.model.backends.backend import State

Fetch = Callable[[int], dict[str, NDArray[np.float32]]]
"""Copies set 0 or 1 to the host."""
Load = Callable[[int, State], None]
"""Copies a state from the host into set 0 or 1."""


class DeviceState(Mapping[str, NDArray[np.float32]]):
    """A state in one of the two sets; its values are fetched, all at once, when one is first looked at."""

    def __init__(self, names: tuple[str, ...], fetch: Callable[[], dict[str, NDArray[np.float32]]]) -> None:
        self._names = names
        self._fetch = fetch
        self._values: dict[str, NDArray[np.float32]] | None = None

    @property
    def on_device(self) -> bool:
        """Say whether looking at a value would fetch it."""
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
    """Which of the two sets holds whose state. `fetch` and `load` do the copying."""

    def __init__(self, names: tuple[str, ...], fetch: Fetch, load: Load) -> None:
        self._names = names
        self._fetch = fetch
        self._load = load
        # Weak: a state that nobody holds any more is not worth saving.
        self._holders: list[weakref.ref[DeviceState] | None] = [None, None]

    def begin(self, state: State) -> tuple[int, int]:
        """Make ready for a step from `state` and return the set to read and the set to write.

        A state in neither set, such as an initial one, is loaded into one.
        """
        read = next((index for index in (0, 1) if self._holder(index) is state), None)
        if read is None:
            read = 0 if self._holder(0) is None else 1
            self._vacate(read)
            self._load(read, state)
        self._vacate(1 - read)
        return read, 1 - read

    def finish(self, written: int) -> DeviceState:
        """Return the state that a step has written into the set `written`."""
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
