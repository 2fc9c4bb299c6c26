"""Controller files: which control of a device moves which parameter, and how. One YAML file a device; docs/midi.md has its keys."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from engine.control.parameter import Parameter
from engine.control.remotes.midi.control_message import (
    CHANNELS,
    FOURTEEN_BITS,
    NUMBERED,
    PAIRS,
    SEVEN_BITS,
    WIDE,
    Control,
    Sender,
)
from engine.control.remotes.midi.curve import CurveName
from engine.core.atomic_files import write_text
from engine.core.errors import ConfigError, nearest_name
from engine.core.structured import plain_values, shortened, shown, structure

Acts = Literal["position", "press", "toggle", "twos_complement", "binary_offset", "signed_bit"]
RELATIVE: tuple[Acts, ...] = ("twos_complement", "binary_offset", "signed_bit")
SENDERS: tuple[Sender, ...] = get_args(Sender)
MOST_ASSIGNMENTS = 1024
LARGEST_FILE_BYTES = 128 << 10
_LONGEST_NAME = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """One control and the parameter that it moves. Exactly one of the senders, `control` to `programmes`, is given."""

    control: int | None = None
    control14: int | None = None
    nrpn: int | None = None
    rpn: int | None = None
    note: int | None = None
    pitch_bend: bool | None = None
    aftertouch: bool | None = None
    key_pressure: int | None = None
    programme: int | None = None
    programmes: bool | None = None
    channel: int | None = None
    """1 to 16; None: any."""
    parameter: str
    low: float | None = None
    """The value at the control's lowest position; None: the parameter's own."""
    high: float | None = None
    curve: CurveName = "linear"
    acts: Acts | None = None
    """None: a note and a programme press, every other control has a position."""
    value: float | None = None
    """What a press sets, e.g. the number of a scene."""
    steps: int | None = None
    """How many steps of an encoder the whole range takes."""
    pickup: bool = False
    """Whether a control that stands elsewhere moves nothing until it passes the parameter's value."""
    feedback: bool = True
    lit: int = SEVEN_BITS
    """What a lamp is sent while the parameter is on, and off."""
    dark: int = 0
    touch: int | None = None
    """The note that a motor fader sends while it is held."""

    def __post_init__(self) -> None:
        given = [name for name in SENDERS if _is_given(getattr(self, name))]
        if len(given) != 1:
            raise ConfigError(
                f"The assignment of '{shortened(self.parameter)}' names {' and '.join(given) or 'no control'}; "
                f"exactly one of {', '.join(SENDERS)} was expected."
            )
        sender = self.sender
        most = {"control14": PAIRS - 1, "nrpn": FOURTEEN_BITS, "rpn": FOURTEEN_BITS}.get(sender, SEVEN_BITS)
        self._check(sender, self.number, 0, most)
        self._check("channel", self.channel, 1, CHANNELS)
        self._check("steps", self.steps, 1, FOURTEEN_BITS)
        for name in ("lit", "dark", "touch"):
            self._check(name, getattr(self, name), 0, SEVEN_BITS)
        if self.acts in RELATIVE and sender != "control":
            raise ConfigError(
                f"The assignment of '{shortened(self.parameter)}' has acts: {self.acts}; encoders send control, not {sender}."
            )
        if any(end is not None and not math.isfinite(end) for end in (self.low, self.high, self.value)):
            raise ConfigError(f"The assignment of '{shortened(self.parameter)}' holds a number that is not finite.")

    @property
    def sender(self) -> Sender:
        """The kind of control."""
        return next(name for name in SENDERS if _is_given(getattr(self, name)))

    @property
    def number(self) -> int:
        """Number of the control; 0 for the senders that have none."""
        return int(getattr(self, self.sender)) if self.sender in NUMBERED else 0

    @property
    def way_of_acting(self) -> Acts:
        """How the control moves the parameter."""
        return self.acts or ("press" if self.sender in ("note", "programme") else "position")

    @property
    def highest(self) -> int:
        """Highest position of the control."""
        return FOURTEEN_BITS if self.sender in WIDE else SEVEN_BITS

    def target(self, channel: int) -> Control:
        """Return the control to send feedback to, on the channel on which it was heard last if any will do."""
        return Control(self.sender, channel if self.channel is None else self.channel - 1, self.number)

    def is_same_control(self, other: Assignment) -> bool:
        """Return whether both are about the same control."""
        return (self.sender, self.number) == (other.sender, other.number) and (
            None in (self.channel, other.channel) or self.channel == other.channel
        )

    def said(self) -> str:
        """Return the control in words."""
        words = Control(self.sender, (self.channel or 1) - 1, self.number).said()
        return words if self.channel else words.rpartition(",")[0]

    def _check(self, key: str, given: int | None, low: int, high: int) -> None:
        if given is not None and not low <= given <= high:
            raise ConfigError(
                f"The assignment of '{shortened(self.parameter)}' has {key}: {shown(given)}; a whole number from {low} to {high} "
                "was expected."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class ControllerFile:
    """What the controls of one device do."""

    name: str = ""
    match: str = ""
    """A part of the name of the device's port; empty: given with --controller, for every port."""
    assignments: tuple[Assignment, ...] = ()

    def __post_init__(self) -> None:
        if len(self.assignments) > MOST_ASSIGNMENTS:
            raise ConfigError(
                f"It holds {len(self.assignments)} assignments; at most {MOST_ASSIGNMENTS} were expected."
            )


def read_controller(path: Path | str) -> ControllerFile:
    """Read a controller file. Raises ConfigError, which names it."""
    from engine.core.yaml_reading import read_yaml

    try:
        content: Any = read_yaml(path, LARGEST_FILE_BYTES)
    except OSError as error:
        raise ConfigError(
            f"Cannot read the controller file {path}: {error.strerror}; give the path of a YAML file, see docs/midi.md."
        ) from error
    except ValueError as error:
        raise ConfigError(f"The controller file {path} is not valid YAML ({error}); see docs/midi.md.") from error
    return structure(ControllerFile, content or {}, ConfigError, before=f"The controller file {path}: ")


def write_controller(path: Path, file: ControllerFile) -> None:
    """Write a controller file atomically. Raises ConfigError where that fails; the old file then stays as it was."""
    import yaml

    plain = {key: value for key, value in plain_values(dataclasses.replace(file, assignments=())).items() if value}
    plain["assignments"] = [_changed(assignment) for assignment in file.assignments]
    try:
        write_text(path, yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))
    except OSError as error:
        raise ConfigError(
            f"The controller file {path} cannot be written ({error.strerror}); free some space or choose another folder with "
            "--controllers. What was learnt holds until the show ends."
        ) from error


def problem_of(assignment: Assignment, parameters: Mapping[str, Parameter]) -> str:
    """Return what is wrong with an assignment while these parameters are there, as the rest of a sentence; empty where nothing is."""
    name = assignment.parameter
    parameter = find(name, parameters)
    if parameter is None:
        return f"moves '{shortened(name)}' with {assignment.said()}, which is no parameter.{nearest_name(name, parameters)}"
    if parameter.kind == "event" and assignment.value is None and assignment.way_of_acting != "position":
        return f"gives {name} with {assignment.said()}, which takes a number; add value: {int(parameter.low)}."
    for end in (assignment.low, assignment.high, assignment.value):
        if end is not None and not (parameter.is_number and parameter.low <= end <= parameter.high):
            return f"moves {name} with {assignment.said()} to {end:g}; {name} takes {parameter.expected()}."
    return ""


def find(name: str, parameters: Mapping[str, Parameter]) -> Parameter | None:
    """Return the parameter of a name, which may be a former one."""
    return parameters.get(name) or next((p for p in parameters.values() if name in p.former_names), None)


def file_name(port: str) -> str:
    """Return a file's name for a port's name, of letters, digits and hyphens alone: a port may have any name."""
    words = re.sub(r"[^a-z0-9]+", "-", lasting_name(port).casefold()).strip("-")
    return f"{words[:_LONGEST_NAME] or 'controller'}.yaml"


def lasting_name(port: str) -> str:
    """Return a port's name without the numbers at its end, which change when it is plugged in again."""
    return re.sub(r"\s+\d+:\d+$", "", port)


def _is_given(value: int | None) -> bool:
    """Return whether a sender is named: controller 0 is one."""
    return value is not None and value is not False


def _changed(assignment: Assignment) -> dict[str, Any]:
    """Return the values of an assignment that are not the default ones."""
    return {
        field.name: getattr(assignment, field.name)
        for field in dataclasses.fields(cast(Any, assignment))
        if getattr(assignment, field.name) != field.default
    }
