"""Finds the controller file of a port: given with --controller, learnt before, or shipped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from engine.control.parameter import Parameter
from engine.control.remotes.midi.controller_file import (
    ControllerFile,
    file_name,
    lasting_name,
    problem_of,
    read_controller,
    write_controller,
)
from engine.core.errors import ConfigError
from engine.core.notices import ToldOnce

SHIPPED = Path(__file__).parents[4] / "configs" / "controllers"
MOST_FILES = 200
MOST_TOLD = 32


class Found(NamedTuple):
    """The controller file of a port, and where it is written once something is learnt."""

    path: Path
    file: ControllerFile


def read_given(paths: Sequence[str]) -> list[Found]:
    """Read the files of --controller. Raises ConfigError."""
    return [Found(Path(path), read_controller(path)) for path in paths]


def check_given(
    given: Sequence[Found],
    parameters: Mapping[str, Parameter],
    locked: Container[str] = (),
    left_out: Container[str] = (),
) -> None:
    """Raise ConfigError for an assignment of an unknown parameter or of a locked one, and for a wrong value.

    Controls of the model that are `left_out` are let pass: another model may have them.
    """
    for path, file in given:
        for assignment in file.assignments:
            if assignment.parameter in left_out:
                continue
            problem = problem_of(assignment, parameters)
            if problem:
                raise ConfigError(f"The controller file {path} {problem}")
            if assignment.parameter in locked:
                raise ConfigError(
                    f"The controller file {path} gives {assignment.parameter} to {assignment.said()} and remote_lock locks it; "
                    "take it out of one of them."
                )


class ControllerFolder:
    """The controller files of a show. Any thread may call."""

    def __init__(
        self,
        given: Sequence[Found],
        folder: Path | str,
        notify: Callable[[str], None],
        shipped: Path = SHIPPED,
        left_out: Container[str] = (),
    ) -> None:
        """`given` come before those of `folder`, where learnt ones are written; `shipped` are read alone.

        Nothing is told of the controls in `left_out` that `given` name: whoever checked these has said so.
        """
        self._given = list(given)
        self._folder = Path(folder)
        self._shipped = shipped
        self._left_out = left_out
        self._told = ToldOnce(notify, MOST_TOLD)
        self._writing = threading.Lock()

    def find(self, port: str, parameters: Mapping[str, Parameter]) -> Found:
        """Return the file whose `match` is the longest part of the port's name, or an empty one. What is wrong in a file costs a line."""
        for among in (self._given, self._read(self._folder), self._read(self._shipped)):
            matching = [found for found in among if found.file.match.casefold() in port.casefold()]
            # One without a match is for every port where it was given, and for none where it lies in a folder.
            if among is not self._given:
                matching = [found for found in matching if found.file.match]
            if matching:
                found = max(matching, key=lambda one: len(one.file.match))
                self._tell_problems(found, parameters, self._left_out if among is self._given else ())
                own = found.path if found.path.parent != self._shipped else self._folder / found.path.name
                return Found(own, found.file)
        return Found(self._folder / file_name(port), ControllerFile(name=port, match=lasting_name(port)))

    def write(self, path: Path, file: Callable[[], ControllerFile]) -> None:
        """Write what `file` returns, as it is now. Raises ConfigError."""
        with self._writing:
            content = file()
            write_controller(path, content)
            self._given = [Found(path, content) if one.path == path else one for one in self._given]

    def _read(self, folder: Path) -> list[Found]:
        found = list[Found]()
        try:
            paths = sorted(folder.glob("*.yaml"))[:MOST_FILES]
        except OSError:
            return []
        for path in paths:
            try:
                found.append(Found(path, read_controller(path)))
            except ConfigError as error:
                self._told.tell(str(path), lambda error=error: f"{error} It is left out; the show goes on.")
        return found

    def _tell_problems(self, found: Found, parameters: Mapping[str, Parameter], left_out: Container[str]) -> None:
        for assignment in found.file.assignments:
            if assignment.parameter in left_out:
                continue
            problem = problem_of(assignment, parameters)
            if problem:
                line = f"The controller file {found.path} {problem} It has no effect; the show goes on."
                self._told.tell(line, lambda line=line: line)
