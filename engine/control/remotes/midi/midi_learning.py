"""MIDI learn: the next control that a hand moves drives the parameter that was chosen."""

from __future__ import annotations

from collections.abc import Sequence

from engine.control.parameter import Parameter
from engine.control.remotes.midi.control_message import Moved
from engine.control.remotes.midi.controller_file import Assignment
from engine.control.remotes.midi.device import Device
from engine.control.remotes.midi.devices import AssignedOn, Devices
from engine.control.remotes.midi.learning import Learning, Learnt, assignment_of
from engine.control.remotes.remote_access import RemoteAccess
from engine.core.errors import ConfigError, nearest_name
from engine.core.structured import shortened


class MidiLearning:
    """Learns on all open ports at once. Any thread may ask; `watch` and `look` are for the one that reads the ports."""

    def __init__(self, devices: Devices, access: RemoteAccess, name: str) -> None:
        """`name` is who learns, for the line about a locked parameter."""
        self._devices = devices
        self._access = access
        self._name = name
        self._parameter: Parameter | None = None
        self._watched: dict[str, Learning] = {}

    @property
    def learning(self) -> str:
        """The parameter that the next control moved will drive; empty while none is learnt."""
        parameter = self._parameter
        return parameter.name if parameter else ""

    def learn(self, parameter: str) -> None:
        """Learn a control for a parameter. Raises ConfigError for one that is unknown or locked, or takes a number of its own."""
        found = self._access.find(parameter)
        if found is None:
            raise ConfigError(
                f"There is no parameter '{shortened(parameter)}'.{nearest_name(parameter, self._access.parameters)}"
            )
        self._access.check(found.name, self._name)
        if found.kind == "event":
            raise ConfigError(
                f"{found.name} takes a number, which no control has; programme changes recall scenes, and a controller file may "
                "give a button a value."
            )
        with self._devices.lock:
            self._watched.clear()
            self._parameter = found

    def cancel(self) -> None:
        """Learn nothing."""
        with self._devices.lock:
            self._parameter = None
            self._watched.clear()

    def assignments(self) -> Sequence[AssignedOn]:
        """Return what the controls of all open ports do."""
        return self._devices.assignments()

    def forget(self, id: str) -> None:
        """Take an assignment away. Raises ConfigError for an unknown one, and where that cannot be written."""
        self._devices.forget(id)

    def watch(self, device: Device, moves: Sequence[Moved], at_s: float) -> bool:
        """Learn from a message; return whether it was used for that, and moves nothing."""
        if self._parameter is None:
            return False
        with self._devices.lock:
            learnt = self._watched.setdefault(device.port, Learning()).watch(moves, at_s)
        self._keep(device, learnt)
        return True

    def look(self, now_s: float) -> None:
        """Decide where a control has fallen silent."""
        for device in self._devices.all() if self._parameter else ():
            with self._devices.lock:
                learning = self._watched.get(device.port)
                learnt = learning.decide(now_s) if learning else None
            self._keep(device, learnt)

    def _keep(self, device: Device, learnt: Learnt | None) -> None:
        with self._devices.lock:
            parameter = self._parameter
            if learnt is None or parameter is None:
                return
            assignment = assignment_of(learnt, parameter)
            self._parameter = None
            self._watched.clear()
        self._access.notify(f"MIDI: {AssignedOn('', device.port, assignment).said} now {_does(assignment)}.")
        self._devices.assign(device, assignment)


def _does(assignment: Assignment) -> str:
    verb = {"press": "presses", "toggle": "switches"}.get(assignment.way_of_acting, "moves")
    return f"{verb} {assignment.parameter}"
