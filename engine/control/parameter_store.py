"""The store of a show's parameters: any thread sets values, the step takes a snapshot once a hop, subscribers are told of changes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

from engine.audio.features.beat_clock import BeatPoint
from engine.control.former_names import FormerNames, former_names
from engine.control.parameter import Parameter, Value
from engine.control.subscription import MODEL_ORIGIN, StoreChange, Subscription
from engine.core.errors import ConfigError, nearest_name
from engine.core.structured import shortened

MOST_EVENTS = 64
"""Events that may wait for the next snapshot; older ones are lost."""
MOST_BEAT_POINTS = 16
MOST_TRIGGERS = 32
"""Events among which a trigger still finds a place: a flood of taps must not take that of a scene. All count in their values."""


class ControlEvent(NamedTuple):
    """An event with its number, e.g. scene 3, or a trigger with the samples received when it came."""

    name: str
    number: int


class ControlSnapshot(NamedTuple):
    """The parameters of one hop."""

    values: Mapping[str, Value]
    """All parameters but events; never changes afterwards."""
    events: tuple[ControlEvent, ...]
    """Events and triggers since the snapshot before, in order."""
    beat_points: tuple[BeatPoint, ...] = ()
    """Where the clock that is followed was, since the snapshot before."""


class Applied(NamedTuple):
    """The value that a parameter got."""

    value: Value
    clipped: bool


class ControlSource(Protocol):
    """Where the step loop gets its parameters from: the store of a show, or the take of a replay."""

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """All parameters by name."""
        ...

    def find(self, name: str) -> Parameter | None:
        """Return the parameter of that name, which may be a former one; None where there is none."""
        ...

    def values(self) -> Mapping[str, Value]:
        """Return all parameters but events as they are now; the mapping never changes afterwards."""
        ...

    def take_snapshot(self, index: int) -> ControlSnapshot:
        """Take the parameters of hop `index`. For the step thread alone."""
        ...

    def stamp(self, received_samples: Callable[[], int]) -> None:
        """Stamp triggers with what `received_samples` returns when they come."""
        ...

    def follow(self, point: BeatPoint) -> None:
        """Let the beat clock follow another clock, which is at `point`, from the next snapshot on."""
        ...

    def watch(self, callback: Callable[[], None]) -> None:
        """Call `callback` as soon as `values` has changed, in the thread that changed it; it must return at once."""
        ...

    def replace_parameters(self, parameters: Iterable[Parameter]) -> None:
        """Take the parameters of another model in place of these."""
        ...

    def set(self, name: str, given: object, *, clip: bool = True, origin: str = "") -> Applied:
        """Set a parameter and return its new value. Raises ConfigError."""
        ...


class ParameterStore:
    """The parameters of a running show. Any thread sets; the step takes one snapshot a hop."""

    def __init__(
        self,
        parameters: Iterable[Parameter],
        values: Mapping[str, object] | None = None,
        notify: Callable[[str], None] = print,
    ) -> None:
        """Start with the defaults, then `values`, which must be in range. Raises ConfigError."""
        self._notify = notify
        self._lock = threading.Lock()
        self._parameters: Mapping[str, Parameter] = MappingProxyType({p.name: p for p in parameters})
        self._former_names = FormerNames(former_names(self._parameters.values()), notify)
        self._snapshot = _defaults(self._parameters)
        self._missing: dict[str, Value] = {}
        """Values of parameters that the playing model lacks."""
        self._events: deque[ControlEvent] = deque(maxlen=MOST_EVENTS)
        self._beat_points: deque[BeatPoint] = deque(maxlen=MOST_BEAT_POINTS)
        self._subscriptions: tuple[Subscription, ...] = ()
        self._watchers: tuple[Callable[[], None], ...] = ()
        self._refused = 0
        self._received_samples: Callable[[], int] = int
        for name, value in (values or {}).items():
            self.set(name, value, clip=False)

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """All parameters by name: the same mapping as long as the same model plays."""
        return self._parameters

    @property
    def refused(self) -> int:
        """Number of values refused so far."""
        return self._refused

    def find(self, name: str) -> Parameter | None:
        """Return the parameter of that name, which may be a former one; None where there is none."""
        return self._parameters.get(self._former_names.current(name))

    def values(self) -> Mapping[str, Value]:
        """Return all parameters but events as they are now; the mapping never changes afterwards."""
        return self._snapshot

    def take_snapshot(self, index: int) -> ControlSnapshot:
        """Take the parameters of hop `index`. For the step thread alone."""
        with self._lock:
            events = tuple(self._events)
            points = tuple(self._beat_points)
            self._events.clear()
            self._beat_points.clear()
            return ControlSnapshot(self._snapshot, events, points)

    def stamp(self, received_samples: Callable[[], int]) -> None:
        """Stamp triggers with what `received_samples` returns when they come."""
        self._received_samples = received_samples

    def follow(self, point: BeatPoint) -> None:
        """Let the beat clock follow another clock, which is at `point`, from the next snapshot on."""
        with self._lock:
            self._beat_points.append(point)

    def watch(self, callback: Callable[[], None]) -> None:
        """Call `callback` as soon as `values` has changed, in the thread that changed it; it must return at once.

        For the window, which draws a change at once: the thread of a subscription would come a moment later.
        """
        self._watchers = (*self._watchers, callback)

    def subscribe(self, callback: Callable[[StoreChange], None], name: str) -> Subscription:
        """Call `callback` with each change, in a thread of its own, until the subscription is closed.

        The first call brings the whole table and all values. A callback that is slow misses nothing but values that were
        replaced meanwhile. One that raises UserError or OSError is called again at the next change; any other error ends its
        subscription. Both cost one notice with `name`.
        """
        with self._lock:
            subscription = Subscription(callback, name, self._whole(""), self._notify)
            # Subscribers that ended are dropped here.
            self._subscriptions = (*(s for s in self._subscriptions if s.is_open), subscription)
        return subscription

    def replace_parameters(self, parameters: Iterable[Parameter]) -> None:
        """Take the parameters of another model in place of these.

        A parameter of the same name keeps its value, within its new range; one that comes back gets the value that it had.
        """
        table = MappingProxyType({parameter.name: parameter for parameter in parameters})
        with self._lock:
            known = {**self._missing, **self._snapshot}
            values = {name: p.clip(known[name]) for name, p in table.items() if name in known}
            self._missing = {name: value for name, value in known.items() if name not in table}
            self._parameters = table
            self._snapshot = MappingProxyType({**_defaults(table), **values})
            self._hand_over(self._whole(MODEL_ORIGIN))
        self._wake_watchers()

    def set(self, name: str, given: object, *, clip: bool = True, origin: str = "", times: int = 1) -> Applied:
        """Set a parameter and return its new value. A number out of range is clipped, or refused without `clip`.

        An event out of range is always refused, and 0 is a button that was released. `origin` says who sets it. `times` is how often a
        trigger was given.
        Raises ConfigError for an unknown name, the wrong kind, and a number that is not finite; nothing changes then.
        """
        name = self._former_names.current(name)
        # Read and written under one lock: another model's parameters may come in between.
        with self._lock:
            try:
                applied = self._admit(name, given, clip)
            except ConfigError:
                self._refused += 1
                raise
            value = applied.value
            kind = self._parameters[name].kind
            if kind == "event":
                # A button of a controller sends 0 when it is released.
                if value:
                    self._events.append(ControlEvent(name, int(value)))
                return applied
            if kind == "trigger":
                given_times = int(value) * times
                room = min(given_times, MOST_TRIGGERS - len(self._events))
                if room > 0:
                    self._events.extend(room * (ControlEvent(name, self._received_samples()),))
                value = int(self._snapshot[name]) + given_times
            is_new = value != self._snapshot[name]
            self._snapshot = MappingProxyType({**self._snapshot, name: value})
            if is_new and self._subscriptions:
                self._hand_over(StoreChange({name: value}, {name: origin}))
        if is_new:
            self._wake_watchers()
        return Applied(value, applied.clipped)

    def _admit(self, name: str, given: object, clip: bool) -> Applied:
        parameter = self._parameters.get(name)
        if parameter is None:
            raise ConfigError(
                f"There is no parameter '{shortened(name)}'.{nearest_name(str(name), self._parameters)} "
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

    def _whole(self, origin: str) -> StoreChange:
        """Return the whole table with all values, as a change."""
        return StoreChange(self._snapshot, dict.fromkeys(self._snapshot, origin), self.parameters)

    def _wake_watchers(self) -> None:
        for callback in self._watchers:
            callback()

    def _hand_over(self, change: StoreChange) -> None:
        for subscription in self._subscriptions:
            subscription.hand_over(change)


def _defaults(parameters: Mapping[str, Parameter]) -> Mapping[str, Value]:
    return MappingProxyType({name: p.default for name, p in parameters.items() if p.kind != "event"})
