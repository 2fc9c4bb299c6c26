"""What the engine asks of a backend: open a model file, take one step. State is a value (docs/design.md §3).

A backend is a module of the folder backends with `NAME`, `SUFFIXES` of the files that it plays, `obstacle() -> str | None` and
`open_model(path, threads) -> Backend`. `obstacle` is cheap; it says in one sentence why the backend cannot run here and what to
install.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import StepError
from engine.model.card import NEXT_SUFFIX, ModelCard
from engine.model.step import State, Step, StepInputs, initial_state

CHECK_EVERY_STEPS = 64
"""How often a state on a device is copied to the host to check that it is finite: about every three seconds."""


_NOT_COMPOSED: NDArray[np.uint8] = np.zeros((0, 0, 3), np.uint8)
"""The frame of a layered model, until backends/layered.py has composed it."""


class Backend(Protocol):
    """A model file, opened and ready to play."""

    @property
    def name(self) -> str:
        """The name that `--backend` takes, such as "onnx-cpu"."""
        ...

    @property
    def description(self) -> str:
        """Where it runs, in words, such as "onnx-cpu, 2 threads"."""
        ...

    @property
    def card(self) -> ModelCard: ...

    def initial_state(self) -> State:
        """Return the state before the first step."""
        ...

    def step(self, inputs: StepInputs) -> Step:
        """Take one step. `inputs` has exactly the card's names; nothing given is changed. Raises StepError when the step fails."""
        ...

    def cancel(self) -> bool:
        """Ask the running step to end, from another thread: it then fails. Return whether this backend can be asked."""
        ...


class OpenedModel:
    """The members of `Backend` that are the same in every backend that opens a file itself."""

    def __init__(self, name: str, description: str, card: ModelCard) -> None:
        self.name, self.description, self.card = name, description, card

    def initial_state(self) -> State:
        """Return the state before the first step."""
        return initial_state(self.card)

    def cancel(self) -> bool:
        """Ask the running step to end; most libraries cannot be asked."""
        return False


class WrappedBackend:
    """A backend around another one; what a subclass does not override is the inner one's."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def description(self) -> str:
        return self.inner.description

    @property
    def card(self) -> ModelCard:
        return self.inner.card

    def initial_state(self) -> State:
        """Return the state before the first step."""
        return self.inner.initial_state()

    def cancel(self) -> bool:
        """Ask the running step to end, from another thread. Return whether the inner backend can be asked."""
        return self.inner.cancel()

    def step(self, inputs: StepInputs) -> Step:
        """Take one step. Raises BackendError when it fails."""
        return self.inner.step(inputs)


class LazyState(Mapping[str, NDArray[np.float32]], ABC):
    """A state whose values may lie on a device until they are looked at."""

    @property
    @abstractmethod
    def on_device(self) -> bool:
        """Whether looking at a value copies the state to the host."""


def is_on_device(state: State) -> bool:
    """Return whether looking at the state copies it from a device."""
    return isinstance(state, LazyState) and state.on_device


def shown_step(card: ModelCard, shown: Mapping[str, Any], next_state: State) -> Step:
    """Return the step whose frame, features and further outputs are in `shown`, by name.

    Raises StepError where one of them, or a state on the host, has another shape or type than in the card: shapes may depend on
    what a step computes, and a graph's declarations are not held to by all runtimes.
    """
    for info in card.output_tensors():
        state = info.name.removesuffix(NEXT_SUFFIX)
        if info.name not in shown and is_on_device(next_state):
            continue
        came = shown[info.name] if info.name in shown else next_state[state]
        if came.shape != info.shape or came.dtype != info.dtype:
            raise StepError(
                f"{card.name}: the step failed ({info.name} came as {came.dtype} {list(came.shape)}, and the card says "
                f"{info.dtype} {list(info.shape)})."
            )
    outputs = {output.name: shown[output.name] for output in card.outputs}
    return Step(shown.get("frame", _NOT_COMPOSED), shown["features"], next_state, outputs)


def not_finite(state: State, steps: int) -> str | None:
    """Return the name of a state that is not finite, if there is one. On a device it looks only every CHECK_EVERY_STEPS steps."""
    if is_on_device(state) and steps % CHECK_EVERY_STEPS:
        return None
    # One sum finds any infinity or NaN at a tenth of the cost of looking at each element.
    return next((name for name, value in state.items() if not np.isfinite(value.sum())), None)
