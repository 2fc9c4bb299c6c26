"""What remotes may do with a show: every remote sets parameters through RemoteAccess, which refuses locked ones and limits what fills the disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterable, Mapping
from types import MappingProxyType

from engine.control.parameter import Parameter, Value
from engine.control.parameter_store import Applied, ParameterStore
from engine.control.parameter_table import ShowValues
from engine.control.subscription import StoreChange, Subscription
from engine.core.clock import Clock, WallClock
from engine.core.errors import ConfigError, nearest_name
from engine.core.notices import ToldOnce
from engine.core.structured import shortened
from engine.core.token_bucket import Bucket

RECALLS_A_SECOND, RECALLS_AT_ONCE = 4.0, 16.0
"""How often remotes may recall a scene: each beat of a fast piece, and no flood of files and lines."""
SCENES_A_SECOND, SCENES_AT_ONCE = 0.5, 8.0
"""How often remotes may save a scene."""
RECORDINGS_A_SECOND, RECORDINGS_AT_ONCE = 0.05, 3.0
"""How often remotes may begin a recording, and a take; they may always end one."""
_RECORD, _SCENE, _SAVE_SCENE = ShowValues.record.name, ShowValues.scene.name, ShowValues.save_scene.name
_NEXT_SCENE, _RECORD_TAKE = ShowValues.next_scene.name, ShowValues.record_take.name
_LOCKED_WITH = MappingProxyType({_SCENE: (_NEXT_SCENE, ShowValues.playlist.name), _RECORD: (_RECORD_TAKE,)})
"""Parameters that do what another one does, so that they are locked with it."""
_MOST_TOLD = 32


class LockedError(ConfigError):
    """A remote tried to set a locked parameter; the terminal knows."""


class RemoteAccess:
    """A ParameterStore as remotes see it. Any thread may call."""

    def __init__(
        self,
        store: ParameterStore,
        locked: Iterable[str] = (),
        notify: Callable[[str], None] = print,
        clock: Clock | None = None,
        left_out: Container[str] = (),
    ) -> None:
        """`locked` names the parameters that no remote may set, or controls of the model that are `left_out`. Raises ConfigError for an
        unknown one."""
        self.notify = notify
        """Takes lines for the terminal and the log."""
        self._store = store
        self._clock = clock or WallClock()
        self._refusals: dict[str, str] = {}
        for name in locked_names(locked, store.parameters, left_out):
            self._refusals |= {other: _refusal(other, name) for other in _LOCKED_WITH.get(name, ())}
            self._refusals[name] = _refusal(name)
        self._told = ToldOnce(notify, _MOST_TOLD)
        self._lock = threading.Lock()
        recalls = _Limit(RECALLS_A_SECOND, RECALLS_AT_ONCE, "recall {most} scenes", "recall it")
        self._limits = {
            _SCENE: recalls,
            _NEXT_SCENE: recalls,
            _SAVE_SCENE: _Limit(SCENES_A_SECOND, SCENES_AT_ONCE, "save {most} scenes", "save it"),
            _RECORD: _Limit(RECORDINGS_A_SECOND, RECORDINGS_AT_ONCE, "begin {most} recordings", "switch record on"),
            _RECORD_TAKE: _Limit(
                RECORDINGS_A_SECOND, RECORDINGS_AT_ONCE, "begin {most} takes", "switch record_take on"
            ),
        }

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """All parameters by name."""
        return self._store.parameters

    def find(self, name: str) -> Parameter | None:
        """Return the parameter of that name, which may be a former one; None where there is none."""
        return self._store.find(name)

    def values(self) -> Mapping[str, Value]:
        """Return all parameters but events as they are now; the mapping never changes afterwards."""
        return self._store.values()

    def subscribe(self, callback: Callable[[StoreChange], None], name: str) -> Subscription:
        """Call `callback` with each change, as ParameterStore.subscribe does."""
        return self._store.subscribe(callback, name)

    def is_locked(self, name: str) -> bool:
        """Return whether no remote may set the parameter of that name of now."""
        return name in self._refusals

    def check(self, name: str, who: str) -> None:
        """Raise LockedError if the parameter `name` is locked; the terminal is told once, with `who` tried to set it."""
        refusal = self._refusals.get(name)
        if refusal is None:
            return
        with self._lock:
            self._told.tell(name, lambda: f"{who} tried to set {name}. {refusal} The show goes on; this is told once.")
        raise LockedError(refusal)

    def set(self, name: str, given: object, *, origin: str, times: int = 1) -> Applied:
        """Set a parameter and return its new value; a number out of range is clipped. A trigger is given so many times.

        Raises ConfigError for one that is locked, for what comes too often, and where ParameterStore.set does.
        """
        parameter = self._store.find(name)
        if parameter is None:
            return self._store.set(name, given, origin=origin)
        self.check(parameter.name, origin)
        limit = self._limits.get(parameter.name)
        if limit and self._begins(parameter, given):
            with self._lock:
                limit.take(self._clock.now_s())
        return self._store.set(parameter.name, given, origin=origin, times=times)

    def _begins(self, parameter: Parameter, given: object) -> bool:
        """Return whether a value would recall or save a scene or begin a recording or a take. Mistakes and releases are not limited."""
        value = parameter.parse(given)
        if parameter.kind == "event":
            return parameter.low <= value <= parameter.high
        if parameter.kind == "trigger":
            return bool(value)
        return bool(value) and not self._store.values()[parameter.name]


class _Limit:
    """How often remotes may do a thing."""

    def __init__(self, times_a_second: float, most: float, thing: str, again: str) -> None:
        self._bucket = Bucket(times_a_second, most)
        pace = f"{times_a_second:g} a second" if times_a_second >= 1.0 else f"one every {1 / times_a_second:g} s"
        self._refusal = (
            f"Remotes may {thing.format(most=f'{most:g}')} at once and then {pace}; {again} again in a moment."
        )

    def take(self, now_s: float) -> None:
        """Count one. Raises ConfigError when it is too early."""
        if not self._bucket.take(now_s):
            raise ConfigError(self._refusal)


def locked_names(
    given: Iterable[str], parameters: Mapping[str, Parameter], left_out: Container[str] = ()
) -> tuple[str, ...]:
    """Return the parameters' names of now, from texts with one or several names between commas. Raises ConfigError.

    Controls of the model that are `left_out` may be named: another model may have them.
    """
    current = {former: parameter.name for parameter in parameters.values() for former in parameter.former_names}
    texts = list(given)
    if any(not text.replace(",", " ").strip() for text in texts):
        raise ConfigError("remote_lock holds a text that names no parameter; name one or leave remote_lock out.")
    names = [part.strip() for text in texts for part in text.split(",") if part.strip()]
    for name in names:
        if name not in parameters and name not in current and name not in left_out:
            raise ConfigError(
                f"remote_lock names '{shortened(name)}', which is no parameter.{nearest_name(name, parameters)}"
            )
    return tuple(current.get(name, name) for name in names)


def _refusal(name: str, locked_with: str = "") -> str:
    together, what = (f" together with {locked_with}", locked_with) if locked_with else ("", "it")
    return f"{name} is locked against remotes{together}; to open it, take {what} out of remote_lock in the show's configuration."
