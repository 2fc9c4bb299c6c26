"""The inputs of a show: which columns of the source's blocks belong to which name, and which of them the model gets."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.errors import ConfigError, nearest_name

MIX = "mix"
"""In place of a name: the model gets all inputs, mixed."""
MOST_INPUTS = 8


@dataclass(frozen=True, slots=True)
class SoundInput:
    """One input."""

    name: str
    columns: tuple[int, ...]
    """Its channels in the source's blocks, from 0."""


@dataclass(frozen=True, slots=True)
class InputLayout:
    """The inputs in their order. Inputs may share columns.

    Raises ConfigError for a model input that is neither an input nor MIX.
    """

    inputs: tuple[SoundInput, ...] = ()
    """None for one sound without a name, which goes to the model and into films as it is."""
    model_input: str = ""
    """The name of the input that the model gets, or MIX; empty without inputs."""

    def __post_init__(self) -> None:
        check_model_input(self.model_input, self.names)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.inputs)

    def columns_of(self, name: str) -> tuple[int, ...]:
        """Return the columns of one input."""
        return next(one.columns for one in self.inputs if one.name == name)


def check_model_input(model_input: str, names: tuple[str, ...]) -> None:
    """Raise ConfigError for a model input that is none of `names`; without names it is empty."""
    if model_input in (*names, MIX) if names else not model_input:
        return
    known = ", ".join((*names, MIX))
    expected = f"one of {known} was expected" if names else "it chooses among inputs with names, and there are none"
    raise ConfigError(f"model_input is '{model_input}'; {expected}.{nearest_name(model_input, names)}")


UNNAMED = InputLayout()
"""One sound without a name."""
