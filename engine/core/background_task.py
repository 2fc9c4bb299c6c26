"""Something slow, such as opening a model or writing a file, done beside the show, which looks whether it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from engine.core.errors import BackendError, UserError

T = TypeVar("T")


class BackgroundTask(Generic[T]):
    """One call in a thread of its own, which ends with it. It does not keep the process from ending."""

    def __init__(self, name: str, do: Callable[[], T]) -> None:
        self._name = name
        self._do = do
        self._outcome: list[T] = []
        self._error: UserError | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end, at most so long, and say whether it has come. Offline, in tests, and when a show closes."""
        self._thread.join(timeout_s)
        return self.is_over

    def outcome(self) -> T:
        """Return what the call returned. Raises UserError where it failed; to be asked once it is over."""
        assert self.is_over
        if self._error:
            raise self._error
        if not self._outcome:
            raise BackendError(f"{self._name} broke off for the reason printed above.")
        return self._outcome[0]

    def _run(self) -> None:
        try:
            self._outcome.append(self._do())
        except UserError as error:
            self._error = error
        except OSError as error:
            self._error = UserError(f"{self._name} failed: {error.strerror or error}.")
        except MemoryError:
            self._error = BackendError(f"{self._name} failed: this machine's memory does not suffice.")
