"""One step: its inputs, by name, and what it gives. Backends, batches and exported graphs all take and give these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.model.card import StepSignature
from engine.model.layers import Layers

# H W C frame rows, columns, channels; F feature bands

Arrays = Mapping[str, NDArray[Any]]
State = Mapping[str, NDArray[np.float32]]
"""What the model carries from step to step, by name. Looking at a state on a device copies it to the host; see ping_pong.py."""

_NONE: Arrays = MappingProxyType({})


class Step(NamedTuple):
    """What one step gives."""

    pixels_HWC: NDArray[np.uint8]
    features_F: NDArray[np.float32]
    next_state: State
    outputs: Arrays = _NONE
    """The card's further outputs, by name."""
    layers: Layers | None = None
    """Of a layered model: what the frame was composed of."""


@dataclass(frozen=True, slots=True, eq=False)
class StepInputs(Mapping[str, NDArray[Any]]):
    """Every input of one step under its name in the card.

    The states stay a value of their own: a device backend recognises the state that it wrote and reads it where it lies.
    """

    without_states: Arrays
    """Audio, controls, noises and pictures."""
    states: State
    hop: int = 0
    """Number of the hop, by which the context of a model is looked up; no input of the model."""

    def with_values(
        self, values: Mapping[str, NDArray[Any] | float], states: State, hop: int | None = None
    ) -> StepInputs:
        """Return inputs with `values` in place of those of the same names and with other states. Numbers become float32 arrays."""
        arrays = {n: v if isinstance(v, np.ndarray) else np.asarray(v, np.float32) for n, v in values.items()}
        number = self.hop if hop is None else hop
        return StepInputs(MappingProxyType({**self.without_states, **arrays}), states, number)

    def with_states(self, states: State) -> StepInputs:
        """Return the same inputs with other states."""
        return StepInputs(self.without_states, states, self.hop)

    def as_dict(self) -> dict[str, NDArray[Any]]:
        """Return all inputs in one dictionary, which copies states on a device to the host."""
        return {**self.without_states, **self.states}

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.without_states[name] if name in self.without_states else self.states[name]

    def __iter__(self) -> Iterator[str]:
        yield from self.without_states
        yield from self.states

    def __len__(self) -> int:
        return len(self.without_states) + len(self.states)


def resting_inputs(signature: StepSignature) -> StepInputs:
    """Return an input for every name: silence, default controls, noise of zero, black pictures and the initial state.

    All inputs of all steps are made from these with `with_values`, so an input without a source keeps its value at rest.
    """
    at_rest: dict[str, float] = {spec.name: spec.default for spec in (*signature.controls, *signature.fixed_controls)}
    at_rest |= {spec.name: spec.initial for spec in signature.states}
    arrays = {
        info.name: np.full(info.shape, at_rest.get(info.name, 0.0), info.dtype) for info in signature.input_tensors()
    }
    states = {spec.name: arrays.pop(spec.name) for spec in signature.states}
    return StepInputs(MappingProxyType(arrays), states)


def initial_state(signature: StepSignature) -> dict[str, NDArray[np.float32]]:
    """Return a new initial state, with the batch axis where there is one."""
    return dict(resting_inputs(signature).states)


def check_names(given: Iterable[str], expected: Iterable[str]) -> None:
    """Raise ValueError for an unknown or a missing name. A backend's buffer would keep its last value without notice."""
    for name in set(expected) ^ set(given):
        raise ValueError(f"'{name}' is {'missing' if name in set(expected) else 'no input of this model'}")
