"""A limit for the steps of a live show: a step that outlasts it is stopped where the library can be asked, and counts as failed.

A step on its way through native code cannot be broken off from outside. ONNX Runtime and OpenVINO look between two operators whether
they shall stop; the others end when they end, and until then the last frame stays and a line says why.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

from engine.core.errors import BackendError, StepError
from engine.model.backend import Backend, WrappedBackend
from engine.model.step import Step, StepInputs

LOOK_EVERY_S = 0.5
MOST_LOOKS = 4
"""Looks are counted, not seconds: a process that was stopped or a machine that slept has not let a model compute."""
LIMIT_S = LOOK_EVERY_S * MOST_LOOKS


class LimitedBackend(WrappedBackend):
    """A backend whose steps are watched by a thread of its own, from the first step until the backend is dropped."""

    def __init__(self, inner: Backend, tell: Callable[[str], None]) -> None:
        super().__init__(inner)
        self._tell = tell
        self._looks = 0
        self._is_stepping = False
        self._is_watched = False

    def step(self, inputs: StepInputs) -> Step:
        """Take one step. Raises StepError when it fails or outlasts the limit."""
        if not self._is_watched:
            self._is_watched = True
            threading.Thread(target=_watch, args=(weakref.ref(self),), name="step limit", daemon=True).start()
        self._looks, self._is_stepping = 0, True
        try:
            step = self.inner.step(inputs)
        except BackendError as error:
            if self._looks < MOST_LOOKS:
                raise
            raise self._too_long() from error
        else:
            if self._looks >= MOST_LOOKS:
                raise self._too_long()
            return step
        finally:
            self._is_stepping = False

    def look(self) -> None:
        """Notice that a step is running; at the limit, ask it to stop."""
        if not self._is_stepping:
            return
        self._looks += 1
        if self._looks == MOST_LOOKS and not self.cancel():
            self._tell(
                f"{self.card.name}: a step has been running for {LIMIT_S:g} s, and {self.name} cannot stop it; the last frame stays "
                "until it ends."
            )

    def _too_long(self) -> StepError:
        return StepError(f"{self.card.name}: the step took longer than {LIMIT_S:g} s on {self.name}.")


def _watch(reference: weakref.ref[LimitedBackend]) -> None:
    pause = threading.Event()
    while not pause.wait(LOOK_EVERY_S):
        backend = reference()
        if backend is None:
            return
        backend.look()
        del backend
