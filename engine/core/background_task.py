"""A slow call, such as opening a model or writing a file, in a thread of its own while the show goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from engine.core.errors import BackendError, UserError

T = TypeVar("T")


class BackgroundTask(Generic[T]):
    """One call in a thread that ends with it and does not keep the process alive."""

    def __init__(self, name: str, call: Callable[[], T]) -> None:
        self._name = name
        self._call = call
        self._result: list[T] = []
        self._error: UserError | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end, at most `timeout_s`, and return whether the task is done. Offline, in tests, and when a show closes."""
        self._thread.join(timeout_s)
        return self.is_done

    def result(self) -> T:
        """Return what the call returned, once it is done. Raises UserError where it failed."""
        assert self.is_done
        if self._error:
            raise self._error
        if not self._result:
            raise BackendError(f"{self._name} broke off for the reason printed above.")
        return self._result[0]

    def _run(self) -> None:
        try:
            self._result.append(self._call())
        except UserError as error:
            self._error = error
        except OSError as error:
            self._error = UserError(f"{self._name} failed: {error.strerror or error}.")
        except MemoryError:
            self._error = BackendError(f"{self._name} failed: this machine has too little memory.")
