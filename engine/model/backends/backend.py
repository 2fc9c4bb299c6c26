"""What the engine asks of a backend: open a model file, take one step. State is a value (docs/design.md §3).

A module of this folder that is a backend has `NAME`, `SUFFIXES` of the files it plays, `obstacle() -> str | None`, which costs
next to nothing and says in one sentence why it cannot run here and what to install, and `open_model(path, threads) -> Backend`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.model.card import ModelCard

# T audio samples; H W C picture rows, columns, channels; F feature bands

Arrays = Mapping[str, NDArray[np.float32]]
State = Arrays
"""What the model remembers, by name. A state on a device is fetched when its values are looked at; see `ping_pong.py`."""

LOOK_EVERY_STEPS = 64
"""How often a state on a device is fetched only to see whether it is finite: about every three seconds."""


class Step(NamedTuple):
    """What one step gives."""

    pixels_HWC: NDArray[np.uint8]
    features_F: NDArray[np.float32]
    next_state: State


class Backend(Protocol):
    """A model file, opened and ready to play."""

    @property
    def name(self) -> str:
        """Name as demanded on the command line, e.g. "onnx-cpu"."""
        ...

    @property
    def description(self) -> str:
        """Where it runs, in words, e.g. "onnx-cpu, 2 threads"."""
        ...

    @property
    def card(self) -> ModelCard: ...

    def initial_state(self) -> State:
        """Return what the model remembers before it has heard anything."""
        ...

    def step(self, audio_T: NDArray[np.float32], controls: Mapping[str, float], noise: Arrays, state: State) -> Step:
        """Take one step. `controls` and `noise` hold just the card's names; nothing given is changed.

        Raises BackendError when the step fails.
        """
        ...


class OpenedModel:
    """What every backend says of itself; the rest of `Backend` is its own."""

    def __init__(self, name: str, description: str, card: ModelCard) -> None:
        self.name, self.description, self.card = name, description, card

    def initial_state(self) -> State:
        """Return what the model remembers before it has heard anything."""
        return initial_state(self.card)


def initial_state(card: ModelCard) -> dict[str, NDArray[np.float32]]:
    """Return the state before anything was heard, with the axis of rooms where the card has several."""
    shapes = {info.name: info.shape for info in card.inputs()}
    return {spec.name: np.full(shapes[spec.name], spec.initial, np.float32) for spec in card.states}


def resting_inputs(card: ModelCard) -> dict[str, NDArray[np.float32]]:
    """Return an input for every name: silence, controls at their defaults, noise of zero and the initial state."""
    defaults = {spec.name: spec.default for spec in card.controls}
    inputs = {info.name: np.full(info.shape, defaults.get(info.name, 0.0), np.float32) for info in card.inputs()}
    return {**inputs, **initial_state(card)}


def step_inputs(
    audio_T: NDArray[np.float32], controls: Mapping[str, float], noise: Arrays, state: Arrays
) -> dict[str, NDArray[np.float32]]:
    """Return the inputs of one step under their names, controls as arrays."""
    knobs = {name: np.asarray(value, np.float32) for name, value in controls.items()}
    return {"audio": audio_T, **knobs, **noise, **state}


def check_names(given: Iterable[str], expected: Iterable[str]) -> None:
    """Raise ValueError for a name too many or too few; where buffers stay, one left out would keep its last value unnoticed."""
    for name in set(expected) ^ set(given):
        raise ValueError(f"'{name}' is {'missing' if name in set(expected) else 'no input of this model'}")


def astray(state: State, steps: int) -> str | None:
    """Return the name of a state that is no longer finite, if there is one; on a device only every LOOK_EVERY_STEPS steps."""
    if getattr(state, "on_device", False) and steps % LOOK_EVERY_STEPS:
        return None
    # One sum finds any infinity or NaN at a tenth of the cost of looking at each element.
    return next((name for name, value in state.items() if not np.isfinite(value.sum())), None)
