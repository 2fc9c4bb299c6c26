"""Calls to something that may never answer, such as a disk or a sound server: each is waited for a limited time, from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from engine.core.background_task import BackgroundTask
from engine.core.errors import ConfigError, UserError

T = TypeVar("T")

WITHIN_S = 5.0
MOST_RUNNING = 8
"""Calls at a time, those that never answered included."""


class AnsweredCalls:
    """Any thread may call."""

    def __init__(self, what: str, within_s: float = WITHIN_S) -> None:
        """`what` is called, for people, e.g. "the disk of scenes"."""
        self._what = what
        self._within_s = within_s
        self._lock = threading.Lock()
        self._running: list[BackgroundTask[object]] = []

    def run(self, name: str, call: Callable[[], T]) -> T:
        """Return what `call` returns; `name` says what it does, e.g. "renaming scene 3".

        Raises ConfigError with its sentence where it fails, and where no answer comes: it may still end later.
        """
        with self._lock:
            self._running = [task for task in self._running if not task.is_done]
            if len(self._running) >= MOST_RUNNING:
                raise ConfigError(
                    f"There is no {name} now: {self._what} has not answered the last {MOST_RUNNING} times; try again in a moment."
                )
            task = BackgroundTask(name, call)
            self._running.append(task)  # pyright: ignore[reportArgumentType]
        if not task.wait(self._within_s):
            raise ConfigError(
                f"{self._what[0].upper()}{self._what[1:]} does not answer: {name} takes longer than {self._within_s:g} s and may "
                "still end later. The show goes on as it is."
            )
        try:
            return task.result()
        except ConfigError:
            raise
        except UserError as error:
            raise ConfigError(str(error)) from error
