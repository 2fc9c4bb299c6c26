"""How a parameter store tells others what changed, without waiting for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

from engine.control.parameter import Parameter, Value
from engine.core.errors import UserError

CLOSES_WITHIN_S = 1.0
MODEL_ORIGIN = "model"
"""Origin of the values that come with another model's parameters."""


class StoreChange(NamedTuple):
    """What changed in a store since the last time."""

    values: Mapping[str, Value]
    """New values by name, the last one of each."""
    origins: Mapping[str, str]
    """Who set each of them, so that a remote can ignore its own echo."""
    parameters: Mapping[str, Parameter] | None = None
    """The new table where it changed with the model; `values` then holds all values."""


class Subscription:
    """One subscriber: a thread of its own, and what it has not been told yet.

    The store only hands over; it never waits for a subscriber. What waits is bounded by the number of parameters.
    """

    def __init__(
        self, callback: Callable[[StoreChange], None], name: str, first: StoreChange, notify: Callable[[str], None]
    ) -> None:
        self.name = name
        self._callback = callback
        self._notify = notify
        self._waiting = _Waiting(first)
        self._handed_over = threading.Condition()
        self._closed = False
        self._has_failed = False
        self._thread = threading.Thread(target=self._run, name=f"subscriber {name}", daemon=True)
        self._thread.start()

    @property
    def is_open(self) -> bool:
        """Whether it is still told of changes."""
        return self._thread.is_alive() and not self._closed

    def hand_over(self, change: StoreChange) -> None:
        """Take a change and return at once. The store calls it under its lock, so that changes stay in order."""
        with self._handed_over:
            self._waiting.add(change)
            self._handed_over.notify()

    def close(self) -> None:
        """End the subscription: nothing is told afterwards, except to a callback that has hung for CLOSES_WITHIN_S. Safe to call twice."""
        with self._handed_over:
            self._closed = True
            self._handed_over.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSES_WITHIN_S)

    def _run(self) -> None:
        try:
            while (change := self._take()) is not None:
                self._tell(change)
        finally:
            # A fault in the callback ends this thread, and nothing else.
            if not self._closed:
                self._notify(f"{self.name} failed and is no longer told of changes. The show goes on.")

    def _take(self) -> StoreChange | None:
        """Wait for the next change; None at the end."""
        with self._handed_over:
            while not (self._closed or self._waiting.has_change):
                self._handed_over.wait()
            return None if self._closed else self._waiting.take()

    def _tell(self, change: StoreChange) -> None:
        try:
            self._callback(change)
        except (UserError, OSError) as error:
            # A remote that is away fails at each change; one line is enough.
            if not self._has_failed:
                self._notify(f"{self.name} could not follow a change ({error}). The show goes on.")
            self._has_failed = True


class _Waiting:
    """Changes put together until they are told."""

    def __init__(self, first: StoreChange) -> None:
        self.has_change = True
        self._parameters: Mapping[str, Parameter] | None = first.parameters
        self._values, self._origins = dict(first.values), dict(first.origins)

    def add(self, change: StoreChange) -> None:
        self.has_change = True
        if change.parameters is not None:
            self._parameters = change.parameters
            self._values.clear()
            self._origins.clear()
        self._values.update(change.values)
        self._origins.update(change.origins)

    def take(self) -> StoreChange:
        taken = StoreChange(self._values, self._origins, self._parameters)
        self.has_change, self._parameters = False, None
        self._values, self._origins = {}, {}
        return taken
