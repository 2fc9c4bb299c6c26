"""Every knob of the show, declared once: the engine's in TABLE, the model's in its card.

Flags (`--gain-db`), configuration keys (`gain_db` under `controls:`), OSC addresses (`/fluid/gain_db`) and docs/osc.md are
computed from these two. `ControlBox.set` is the one door by which a value reaches the show.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

from engine.errors import ConfigError, ModelFileError, nearest_name
from engine.model_card import ModelCard

Kind = Literal["float", "int", "bool", "trigger"]
Value = float | int | bool

_YES = ("1", "true", "on", "yes")
_NO = ("0", "false", "off", "no")


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One knob. A trigger is an event; what the show sees of it is the count of times it was given."""

    name: str
    kind: Kind
    help: str
    low: float = 0.0
    high: float = 1.0
    default: Value
    unit: str = ""

    @property
    def is_number(self) -> bool:
        """Whether it has a range."""
        return self.kind in ("float", "int")

    def parse(self, given: object) -> Value:
        """Return `given` (a number, a truth value or text that says one) in this parameter's kind, whatever its range.

        For a trigger, True means "now". Raises ConfigError for another kind and for what is not finite.
        """
        if self.is_number:
            return self._parse_number(given)
        if self.kind == "trigger" and given is None:
            return True
        text = given.strip().casefold() if isinstance(given, str) else given
        if text in (*_YES, 1):
            return True
        if text in (*_NO, 0):
            return False
        raise self._refusal(given)

    def clip(self, value: Value) -> Value:
        """Return the nearest value that is in range."""
        if not self.is_number:
            return value
        low, high = (int(self.low), int(self.high)) if self.kind == "int" else (self.low, self.high)
        return min(max(value, low), high)

    def expected(self) -> str:
        """Say in words what it takes, e.g. "a number from -60 to 40 dB"."""
        if self.kind == "trigger":
            return "nothing or 1"
        if self.kind == "bool":
            return "on or off"
        number = "a whole number" if self.kind == "int" else "a number"
        return f"{number} from {_plain(self.low)} to {_plain(self.high)}{' ' if self.unit else ''}{self.unit}"

    def out_of_range(self, given: object) -> ConfigError:
        """Return the error for a number outside the range."""
        return self._refusal(given)

    def _parse_number(self, given: object) -> Value:
        if isinstance(given, bool) or not isinstance(given, (int, float, str)):
            raise self._refusal(given)
        try:
            number = float(given)
            # Integers beyond 2**53 do not survive float.
            whole = int(given) if isinstance(given, int) else None
        except (ValueError, OverflowError) as error:
            raise self._refusal(given) from error
        if not math.isfinite(number) or (self.kind == "int" and not number.is_integer()):
            raise self._refusal(given)
        if self.kind == "float":
            return number
        return int(number) if whole is None else whole

    def _refusal(self, given: object) -> ConfigError:
        shown = repr(given)
        if len(shown) > 60:
            shown = shown[:57] + "..."
        return ConfigError(f"{self.name} takes {self.expected()}, not {shown}.")


TABLE: tuple[Parameter, ...] = (
    Parameter(
        name="gain_db",
        kind="float",
        help="how much louder the model hears the sound",
        low=-60.0,
        high=40.0,
        default=0.0,
        unit="dB",
    ),
    Parameter(name="freeze", kind="bool", help="hold the picture and what the model remembers", default=False),
    Parameter(name="reset", kind="trigger", help="let the model begin again from its initial state", default=0),
    Parameter(name="mirror", kind="bool", help="turn the picture left to right", default=False),
    Parameter(
        name="brightness",
        kind="float",
        help="how bright the picture is shown; 0 is black",
        low=0.0,
        high=2.0,
        default=1.0,
    ),
    Parameter(
        name="seed",
        kind="int",
        help="which noise the model is given; the same seed and sound give the same pictures",
        low=0,
        high=2**31 - 1,
        default=0,
    ),
)
"""The engine's own parameters; engine/session.py gives them their meaning."""


def parameters_for(card: ModelCard) -> tuple[Parameter, ...]:
    """Return the engine's parameters and the model's controls. Raises ModelFileError when the card takes an engine's name."""
    taken = {parameter.name for parameter in TABLE}
    for control in card.controls:
        if control.name in taken:
            raise ModelFileError(
                f"Model '{card.name}' declares a control '{control.name}', which is the engine's own; "
                "rename it and export the model again."
            )
    return (
        *TABLE,
        *(
            Parameter(name=c.name, kind="float", help=c.help, low=c.low, high=c.high, default=c.default, unit=c.unit)
            for c in card.controls
        ),
    )


class Applied(NamedTuple):
    """What became of a value that was given."""

    value: Value
    clipped: bool


class ControlBox:
    """The parameters of a running show. Any thread sets; the step takes one snapshot."""

    def __init__(self, parameters: Iterable[Parameter], values: Mapping[str, object] | None = None) -> None:
        """Begin with the defaults, then `values`, which must be in range. Raises ConfigError."""
        self._parameters = {parameter.name: parameter for parameter in parameters}
        self._lock = threading.Lock()
        self._snapshot: Mapping[str, Value] = MappingProxyType({p.name: p.default for p in self._parameters.values()})
        self._refused = 0
        for name, value in (values or {}).items():
            self.set(name, value, clip=False)

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """All parameters by name."""
        return MappingProxyType(self._parameters)

    @property
    def refused(self) -> int:
        """How many values were refused so far."""
        return self._refused

    def snapshot(self) -> Mapping[str, Value]:
        """Return all parameters as they are now; the mapping never changes afterwards."""
        return self._snapshot

    def set(self, name: str, given: object, *, clip: bool = True) -> Applied:
        """Set a parameter and return what it became. A number out of range is brought into it, or refused without `clip`.

        Raises ConfigError for an unknown name, the wrong kind, and what is not finite; nothing is changed then.
        """
        try:
            applied = self._admit(name, given, clip)
        except ConfigError:
            with self._lock:
                self._refused += 1
            raise
        with self._lock:
            value = applied.value
            if self._parameters[name].kind == "trigger":
                value = int(self._snapshot[name]) + int(value)
            self._snapshot = MappingProxyType({**self._snapshot, name: value})
        return Applied(value, applied.clipped)

    def _admit(self, name: str, given: object, clip: bool) -> Applied:
        parameter = self._parameters.get(name)
        if parameter is None:
            raise ConfigError(
                f"There is no parameter '{name}'.{nearest_name(name, self._parameters)} "
                f"Known are {', '.join(self._parameters)}."
            )
        parsed = parameter.parse(given)
        value = parameter.clip(parsed)
        if value != parsed and not clip:
            raise parameter.out_of_range(given)
        return Applied(value, value != parsed)


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else f"{number:g}"
