"""The one door by which a value reaches the show: any thread sets, the step takes one turn a hop."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

from engine.control.parameter import Parameter, Value
from engine.core.errors import ConfigError, nearest_name

MOST_EVENTS = 64
"""Events that may wait for the next turn; older ones are lost."""


class Event(NamedTuple):
    """Something that happened: an event with its number, e.g. scene 3, or a trigger with the moment of the sound it came at."""

    name: str
    number: int


class ControlSnapshot(NamedTuple):
    """What one hop is played with."""

    values: Mapping[str, Value]
    """All parameters but events; never changes afterwards."""
    events: tuple[Event, ...]
    """What happened since the turn before, in order."""


class Applied(NamedTuple):
    """What became of a value that was given."""

    value: Value
    clipped: bool


class ControlSource(Protocol):
    """Where the loop finds what remotes want."""

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """All parameters by name."""
        ...

    def values(self) -> Mapping[str, Value]:
        """Return all parameters but events as they are now; the mapping never changes afterwards."""
        ...

    def take_snapshot(self, index: int) -> ControlSnapshot:
        """Take what hop `index` is played with. For the step thread alone."""
        ...

    def stamp(self, moment: Callable[[], int]) -> None:
        """Let triggers carry what `moment` returns when they come: samples heard by then."""
        ...

    def adopt(self, parameters: Iterable[Parameter]) -> None:
        """Go on with other parameters, those of another model."""
        ...

    def set(self, name: str, given: object, *, clip: bool = True) -> Applied:
        """Set a parameter and return what it became. Raises ConfigError."""
        ...


class ParameterStore:
    """The parameters of a running show. Any thread sets; the step takes one snapshot."""

    def __init__(self, parameters: Iterable[Parameter], values: Mapping[str, object] | None = None) -> None:
        """Begin with the defaults, then `values`, which must be in range. Raises ConfigError."""
        self._parameters = {parameter.name: parameter for parameter in parameters}
        self._lock = threading.Lock()
        self._snapshot = _defaults(self._parameters)
        self._away: dict[str, Value] = {}
        """Values of knobs that the playing model lacks."""
        self._events: deque[Event] = deque(maxlen=MOST_EVENTS)
        self._refused = 0
        self._moment: Callable[[], int] = int
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

    def values(self) -> Mapping[str, Value]:
        """Return all parameters but events as they are now; the mapping never changes afterwards."""
        return self._snapshot

    def take_snapshot(self, index: int) -> ControlSnapshot:
        """Take what hop `index` is played with. For the step thread alone."""
        with self._lock:
            events = tuple(self._events)
            self._events.clear()
            return ControlSnapshot(self._snapshot, events)

    def stamp(self, moment: Callable[[], int]) -> None:
        """Let triggers carry what `moment` returns when they come: samples heard by then."""
        self._moment = moment

    def adopt(self, parameters: Iterable[Parameter]) -> None:
        """Go on with other parameters, those of another model; what keeps its name keeps its value, within its new range, and
        what comes back has the value that it had."""
        adopted = {parameter.name: parameter for parameter in parameters}
        with self._lock:
            known = {**self._away, **self._snapshot}
            kept = {n: p.clip(known[n]) for n, p in adopted.items() if n in known}
            self._away = {n: value for n, value in known.items() if n not in adopted}
            self._parameters = adopted
            self._snapshot = MappingProxyType({**_defaults(adopted), **kept})

    def set(self, name: str, given: object, *, clip: bool = True) -> Applied:
        """Set a parameter and return what it became. A number out of range is brought into it, or refused without `clip`.

        An event out of range is always refused, and 0 is a button that was let go.
        Raises ConfigError for an unknown name, the wrong kind, and what is not finite; nothing is changed then.
        """
        # Read and written in one go: meanwhile another model's parameters may take the place of these.
        with self._lock:
            try:
                applied = self._admit(name, given, clip)
            except ConfigError:
                self._refused += 1
                raise
            value = applied.value
            kind = self._parameters[name].kind
            if kind == "event":
                # A button of a desk sends 0 when it is let go.
                if value:
                    self._events.append(Event(name, int(value)))
                return applied
            if kind == "trigger" and value:
                self._events.append(Event(name, self._moment()))
            if kind == "trigger":
                value = int(self._snapshot[name]) + int(value)
            self._snapshot = MappingProxyType({**self._snapshot, name: value})
        return Applied(value, applied.clipped)

    def _admit(self, name: str, given: object, clip: bool) -> Applied:
        parameter = self._parameters.get(name)
        if parameter is None:
            raise ConfigError(
                f"There is no parameter '{name}'.{nearest_name(str(name), self._parameters)} "
                f"Known are {', '.join(self._parameters)}."
            )
        parsed = parameter.parse(given)
        if parameter.kind == "event" and parsed == 0:
            return Applied(0, False)
        value = parameter.clip(parsed)
        # The nearest scene is not the one that was meant.
        if value != parsed and (parameter.kind == "event" or not clip):
            raise parameter.out_of_range(given)
        return Applied(value, value != parsed)


def _defaults(parameters: Mapping[str, Parameter]) -> Mapping[str, Value]:
    return MappingProxyType({name: p.default for name, p in parameters.items() if p.kind != "event"})
