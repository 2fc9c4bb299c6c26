"""With `--backend auto` a show goes on with the next backend when the first runs out of memory or loses its device.

The state is copied through the host, so the frames continue where they were. With `--backend NAME` there is no fall-back: a
failing step holds the last frame.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import BackendError
from engine.model.backend import Backend, WrappedBackend
from engine.model.card import ModelCard
from engine.model.step import State, Step, StepInputs

LOST_FOR_GOOD = re.compile(
    r"out of (device )?memory|outofmemory|not enough (free )?memory|bad[_ ]?alloc|failed to allocate|unable to allocate|"
    r"alloc_failed|memory ?allocation|allocaterawinternal|device (was )?(lost|removed|hung)|fallen off the bus|"
    r"devices?_?unavailable|no ?(cuda-capable )?device|illegal ?(memory )?(address|access)|launch ?(failure|failed|timeout)|"
    r"uncorrectable",
    re.IGNORECASE,
)
"""How CUDA, ONNX Runtime, TensorRT, torch, OpenVINO and the C++ library say that the memory or the device is gone."""


class FallbackBackend(WrappedBackend):
    """Plays with `first` and, after a step that loses it, with the next backend of `others`, which is then `inner`."""

    def __init__(self, first: Backend, others: Iterator[Backend], notify: Callable[[str], None]) -> None:
        """`others` opens further backends of the same model, one at a time, and ends when none is left."""
        super().__init__(first)
        self._others = others
        self._notify = notify

    def step(self, inputs: StepInputs) -> Step:
        """Take one step, with another backend if this one is lost. Raises BackendError when none is left, or for other failures."""
        while True:
            try:
                return self.inner.step(inputs)
            except MemoryError as error:
                failure = BackendError(f"{self.name}: the step failed (out of memory: {error}).")
            except BackendError as error:
                if not is_lost(error):
                    raise
                failure = error
            inputs = inputs.with_states(self._open_next(failure, inputs.states))

    def _open_next(self, failure: BackendError, state: State) -> State:
        """Change to the next backend and return the state for it. Raises `failure` when there is none."""
        card = self.inner.card
        carried = on_host(state, card)
        following = next(self._others, None)
        if following is None:
            raise failure
        self.inner = following
        begins = "" if carried is not None else ", from its initial state"
        self._notify(f"{failure} The show goes on with {following.description}{begins}.")
        return following.initial_state() if carried is None else carried


def is_lost(error: BackendError) -> bool:
    """Return whether the failure means that the memory or the device is gone, so that the next step would fail too."""
    return isinstance(error.__cause__, MemoryError) or bool(LOST_FOR_GOOD.search(str(error)))


def on_host(state: State, card: ModelCard) -> dict[str, NDArray[np.float32]] | None:
    """Return a copy of the state in host memory; None when it can no longer be copied or is not finite."""
    try:
        copied = {spec.name: np.array(state[spec.name], np.float32) for spec in card.states}
    except (BackendError, RuntimeError, MemoryError, ValueError):
        return None
    return copied if all(np.isfinite(value).all() for value in copied.values()) else None
