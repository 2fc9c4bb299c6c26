"""A show that was left to choose its backend goes on with the next one when the first runs out of memory or loses its device.

The state is carried over through the host, so the picture goes on where it was. A backend that was demanded is not left: its
failing steps hold the last picture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import BackendError
from engine.model.backends.backend import Arrays, Backend, State, Step
from engine.model.card import ModelCard

# T audio samples

LOST_FOR_GOOD = re.compile(
    r"out of (device )?memory|outofmemory|not enough (free )?memory|bad[_ ]?alloc|failed to allocate|unable to allocate|"
    r"alloc_failed|memory ?allocation|allocaterawinternal|device (was )?(lost|removed|hung)|fallen off the bus|"
    r"devices?_?unavailable|no ?(cuda-capable )?device|illegal ?(memory )?(address|access)|launch ?(failure|failed|timeout)|"
    r"uncorrectable",
    re.IGNORECASE,
)
"""How runtimes say that memory or device are gone: CUDA, ONNX Runtime, TensorRT, torch, OpenVINO and the C++ library."""


class FallbackBackend:
    """Plays with `first`, and from a step on that ends it, with the next that `others` open."""

    def __init__(self, first: Backend, others: Iterator[Backend], notify: Callable[[str], None]) -> None:
        """`others` opens further backends of the same model, one each time it is asked, and ends when none is left."""
        self._current = first
        self._others = others
        self._notify = notify

    @property
    def name(self) -> str:
        return self._current.name

    @property
    def description(self) -> str:
        return self._current.description

    @property
    def card(self) -> ModelCard:
        return self._current.card

    @property
    def current(self) -> Backend:
        """The backend that plays now."""
        return self._current

    def initial_state(self) -> State:
        return self._current.initial_state()

    def step(self, audio_T: NDArray[np.float32], controls: Mapping[str, float], noise: Arrays, state: State) -> Step:
        """Take one step, with another backend if this one is lost. Raises BackendError when none is left, or for other failures."""
        while True:
            try:
                return self._current.step(audio_T, controls, noise, state)
            except MemoryError as error:
                failure = BackendError(f"{self.name}: the step failed (out of memory: {error}).")
            except BackendError as error:
                if not is_lost(error):
                    raise
                failure = error
            state = self._fall(failure, state)

    def _fall(self, failure: BackendError, state: State) -> State:
        """Go on with the next backend and return the state for it. Raises `failure` when there is no other."""
        card = self._current.card
        carried = on_host(state, card)
        following = next(self._others, None)
        if following is None:
            raise failure
        self._current = following
        begins = "" if carried is not None else ", from its initial state"
        self._notify(f"{failure} The show goes on with {following.description}{begins}.")
        return following.initial_state() if carried is None else carried


def is_lost(error: BackendError) -> bool:
    """Tell whether a failing step means that memory or device are gone, so that the next step would fail as well."""
    return isinstance(error.__cause__, MemoryError) or bool(LOST_FOR_GOOD.search(str(error)))


def on_host(state: State, card: ModelCard) -> dict[str, NDArray[np.float32]] | None:
    """Return a copy of the state in the host's memory; None when it cannot be fetched any more, or is not finite."""
    try:
        copied = {spec.name: np.array(state[spec.name], np.float32) for spec in card.states}
    except (BackendError, RuntimeError, MemoryError, ValueError):
        return None
    return copied if all(np.isfinite(value).all() for value in copied.values()) else None
