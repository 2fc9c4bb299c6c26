"""One open port with the controls that are assigned on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import NamedTuple

from engine.control.parameter import Parameter, Value
from engine.control.remotes.midi.assigned_control import AssignedControl
from engine.control.remotes.midi.control_message import ControlDecoder, Moved, message_of
from engine.control.remotes.midi.controller_file import Assignment, ControllerFile
from engine.control.remotes.midi.controller_folder import Found

_ids = count(1)


class Known(NamedTuple):
    """Parameters and values of a show at one moment."""

    find: Callable[[str], Parameter | None]
    values: Mapping[str, Value]


class Device:
    """A port, its decoder and its controls. For one thread at a time."""

    def __init__(self, port: str, found: Found, general: Sequence[Assignment] = ()) -> None:
        """`general` are assignments for every port, where the file has none for the same control."""
        self.port = port
        self.path = found.path
        self.has_output = False
        self.decoder = ControlDecoder()
        self._file = found.file
        self._general = tuple(general)
        self._controls: dict[str, AssignedControl] = {}
        self._by_sender: Mapping[tuple[str, int], Sequence[AssignedControl]] = {}
        self._touches: Sequence[AssignedControl] = ()
        self._rebuild()

    @property
    def file(self) -> ControllerFile:
        """The controller file as it is now, with what was learnt."""
        return self._file

    @property
    def assignments(self) -> Mapping[str, Assignment]:
        """What moves what, by an id that lasts as long as the assignment."""
        return {id: control.assignment for id, control in self._controls.items()}

    def assign(self, assignment: Assignment) -> None:
        """Add an assignment, in place of one for the same control."""
        others = [one for one in self._file.assignments if not one.is_same_control(assignment)]
        self._file = replace(self._file, assignments=(*others, assignment))
        self._rebuild()

    def forget(self, id: str) -> bool:
        """Take an assignment away; return whether there was one."""
        control = self._controls.get(id)
        if control is None:
            return False
        gone = control.assignment
        self._file = replace(self._file, assignments=tuple(a for a in self._file.assignments if a is not gone))
        self._general = tuple(one for one in self._general if one is not gone)
        self._rebuild()
        return True

    def move(self, moves: Sequence[Moved], known: Known, at_s: float) -> Iterator[tuple[str, Value]]:
        """Yield the parameters that a message sets, with their values."""
        for moved in moves:
            for control in self._touches:
                control.touch(moved)
            for control in self._by_sender.get((moved.control.sender, moved.control.number), ()):
                parameter = known.find(control.assignment.parameter)
                # Another model may play, which has no such parameter.
                if parameter is None or not control.is_of(moved) or not control.fits(parameter):
                    continue
                value = control.move(moved, parameter, known.values.get(parameter.name), at_s)
                if value is not None:
                    yield parameter.name, value

    def has_programme(self, moves: Sequence[Moved]) -> bool:
        """Return whether a programme change is assigned, and recalls no scene by its number."""
        return any(
            control.is_of(moved)
            for moved in moves
            if moved.control.sender in ("programme", "programmes")
            for control in self._by_sender.get((moved.control.sender, moved.control.number), ())
        )

    def feedback(self, known: Known, now_s: float) -> list[list[int]]:
        """Return the messages for faders and lamps that stand elsewhere than their parameters."""
        messages = list[list[int]]()
        for control in self._controls.values() if self.has_output else ():
            parameter = known.find(control.assignment.parameter)
            if parameter is None or not control.fits(parameter):
                continue
            told = control.feedback(parameter, known.values.get(parameter.name), now_s)
            if told:
                messages.extend(message_of(*told))
        return messages

    def _rebuild(self) -> None:
        """Keep the controls whose assignments are still there, and make the new ones."""
        own = self._file.assignments
        general = [one for one in self._general if not any(one.is_same_control(other) for other in own)]
        before = {id(control.assignment): (key, control) for key, control in self._controls.items()}
        self._controls = {}
        by_sender: dict[tuple[str, int], list[AssignedControl]] = defaultdict(list)
        for assignment in (*own, *general):
            key, control = before.get(id(assignment)) or (str(next(_ids)), AssignedControl(assignment))
            self._controls[key] = control
            by_sender[assignment.sender, assignment.number].append(control)
        self._by_sender = dict(by_sender)
        self._touches = [control for control in self._controls.values() if control.assignment.touch is not None]
