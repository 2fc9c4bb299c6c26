"""What a page may ask for over /page/socket: each command once, with the fields that it takes and what it changes.

A command raises ConfigError with the sentence of its reply. Those that may take as long as a disk are called in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from engine.control.parameter_table import ShowValues
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.scenes.playlist import MOST_ENTRIES
from engine.core.errors import ConfigError, nearest_name
from engine.core.structured import parse_json, shortened, shown, structure
from engine.web.show_control import MidiControl, PlaylistEntry, ShowControl

LISTS = ("scenes", "models", "inputs", "mappings", "midi")
MOST_LISTED = 256
LONGEST_ID = 64
Message = Mapping[str, Any]
_MESSAGE = '{"id": 1, "do": "set", "values": {"brightness": 1.0}}'


@dataclass(frozen=True, slots=True)
class Command:
    """One command."""

    call: Callable[[Message, str], None]
    """Takes the message and where it came from."""
    is_slow: bool = False
    tells: tuple[str, ...] = ()
    """The lists that all pages get afterwards."""


class PageCommands:
    """The commands of one show."""

    def __init__(self, access: RemoteAccess, show: ShowControl | None, midi: MidiControl | None) -> None:
        self._access = access
        self._show_or_none = show
        self._midi_or_none = midi
        scenes, mappings, midi_list = ("scenes",), ("mappings",), ("midi",)
        self._commands: Mapping[str, Command] = MappingProxyType(
            {
                "set": Command(self._set),
                "press": Command(self._press),
                "recall": Command(self._recall),
                "save_scene": Command(self._save_scene),
                "list": Command(_check_list, is_slow=True),
                "rename_scene": Command(
                    lambda m, _: self._show.rename_scene(_whole(m, "number"), _word(m, "name")), True, scenes
                ),
                "order_scenes": Command(lambda m, _: self._show.order_scenes(_numbers(m)), True, scenes),
                "delete_scene": Command(lambda m, _: self._show.delete_scene(_whole(m, "number")), True, scenes),
                "set_playlist": Command(lambda m, _: self._show.set_playlist(_entries(m)), True, scenes),
                "play_model": Command(lambda m, _: self._show.play_model(_word(m, "choice")), True, ("models",)),
                "play_input": Command(lambda m, _: self._show.play_input(_word(m, "choice")), True, ("inputs",)),
                "check_mapping": Command(lambda m, _: self._show.check_mapping(*_mapping(m)), True),
                "set_mapping": Command(self._set_mapping, True, mappings),
                "midi_learn": Command(self._midi_learn, True, midi_list),
                "midi_cancel": Command(lambda m, _: self._midi.cancel_learning(), True, midi_list),
                "midi_forget": Command(lambda m, _: self._midi.forget(_word(m, "assignment")), True, midi_list),
            }
        )

    def find(self, message: Message) -> Command:
        """Return the command of a message. Raises ConfigError."""
        name = message.get("do")
        command = self._commands.get(name) if isinstance(name, str) else None
        if command is None:
            near = nearest_name(name, self._commands) if isinstance(name, str) else ""
            raise ConfigError(f"There is no command {shown(name)}.{near} Known are {', '.join(self._commands)}.")
        return command

    @property
    def _show(self) -> ShowControl:
        if self._show_or_none is None:
            raise ConfigError("This show changes no scenes, models, inputs and mappings while it plays.")
        return self._show_or_none

    @property
    def _midi(self) -> MidiControl:
        if self._midi_or_none is None:
            raise ConfigError("This show listens to no MIDI port; start it with --midi and a part of the port's name.")
        return self._midi_or_none

    def _set(self, message: Message, origin: str) -> None:
        """Set all that can be set; the first mistake is the reply. Where a name is unknown, nothing is set."""
        given: Any = message.get("values")
        if not isinstance(given, dict) or not given:
            raise ConfigError(
                f"values is {shown(cast(object, given))}; values by parameter were expected, e.g. {_MESSAGE}."
            )
        new = cast(dict[str, Any], given)
        unknown = [name for name in new if self._access.find(name) is None]
        mistakes = list[ConfigError]()
        for name in unknown[:1] or new:
            try:
                self._access.set(name, new[name], origin=origin)
            except ConfigError as error:
                mistakes.append(error)
        if mistakes:
            raise mistakes[0]

    def _press(self, message: Message, origin: str) -> None:
        name = _word(message, "name")
        parameter = self._access.find(name)
        if parameter is not None and parameter.kind != "trigger":
            raise ConfigError(f"{parameter.name} is no trigger; it takes {parameter.expected()}: use set.")
        self._access.set(name, True, origin=origin)

    def _recall(self, message: Message, origin: str) -> None:
        self._access.set(ShowValues.scene.name, _whole(message, "number"), origin=origin)

    def _save_scene(self, message: Message, origin: str) -> None:
        self._access.set(ShowValues.save_scene.name, _whole(message, "number"), origin=origin)

    def _set_mapping(self, message: Message, origin: str) -> None:
        parameter, expression = _mapping(message)
        self._check_lock(parameter, origin)
        self._show.set_mapping(parameter, expression)

    def _midi_learn(self, message: Message, origin: str) -> None:
        parameter = _word(message, "parameter")
        self._check_lock(parameter, origin)
        self._midi.learn(parameter)

    def _check_lock(self, name: str, origin: str) -> None:
        """Raise ConfigError where a page would drive a locked parameter by a detour."""
        parameter = self._access.find(name)
        self._access.check(parameter.name if parameter else name, origin)


def read_message(text: str) -> Message:
    """Return the fields of a message. Raises ConfigError."""
    try:
        message: Any = parse_json(text)
    except ValueError as error:
        raise ConfigError(f"The message cannot be read: {error}.") from error
    if not isinstance(message, dict):
        raise ConfigError(f"The message is {shown(message)}; an object was expected, e.g. {_MESSAGE}.")
    return cast(Message, message)


def id_of(message: Message) -> object:
    """Return the id that the reply repeats; None where it is neither a short text nor a number."""
    id: Any = message.get("id")
    is_short = isinstance(id, str) and len(id) <= LONGEST_ID
    return id if is_short or type(id) is int else None


def listed(message: Message) -> str:
    """Return the list that a message asks for. Raises ConfigError."""
    what = _word(message, "what")
    if what not in LISTS:
        raise ConfigError(
            f"There is no list '{shortened(what)}'.{nearest_name(what, LISTS)} Known: {', '.join(LISTS)}."
        )
    return what


def _check_list(message: Message, origin: str) -> None:
    del origin
    listed(message)


def _word(message: Message, field: str) -> str:
    given: Any = message.get(field)
    if not isinstance(given, str):
        raise ConfigError(f"{field} is {shown(given)}; a text was expected.")
    return given


def _whole(message: Message, field: str) -> int:
    given: Any = message.get(field)
    if type(given) is not int:
        raise ConfigError(f"{field} is {shown(given)}; a whole number was expected.")
    return given


def _numbers(message: Message) -> Sequence[int]:
    given = _list(message, "numbers")
    if any(type(one) is not int for one in given):
        raise ConfigError(f"numbers is {shown(given)}; a list of scenes' numbers was expected.")
    return given


def _entries(message: Message) -> Sequence[PlaylistEntry]:
    given = _list(message, "entries")
    if len(given) > MOST_ENTRIES:
        raise ConfigError(f"The playlist has {len(given)} entries; at most {MOST_ENTRIES} were expected.")
    return [
        structure(PlaylistEntry, one, ConfigError, where=f"entries[{index}]", noun="field")
        for index, one in enumerate(given)
    ]


def _list(message: Message, field: str) -> list[Any]:
    given: Any = message.get(field)
    if not isinstance(given, list) or len(cast(list[Any], given)) > max(MOST_LISTED, MOST_ENTRIES):
        raise ConfigError(f"{field} is {shown(cast(object, given))}; a list was expected.")
    return cast(list[Any], given)


def _mapping(message: Message) -> tuple[str, str]:
    return _word(message, "parameter"), _word(message, "expression")
