"""MIDI: a controller's programme changes recall scenes, its knobs move parameters, and a sequencer's clock taps the beat.

Everything goes through ParameterStore.set; what makes no sense changes nothing, and nothing that arrives can stop the show.
"""

# mido and its back end ship no types.
# pyright: basic

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from engine.control.parameter import Parameter, Value
from engine.control.parameter_store import ParameterStore
from engine.core.errors import ConfigError, nearest_name

CLOCKS_A_BEAT = 24
"""MIDI 1.0: timing clocks in a quarter note."""
HIGHEST = 127
VIRTUAL = "virtual"
PORT_NAME = "fluid"


class MidiRemote:
    """Listens to one input port from `start` to `close`, in the MIDI library's own thread."""

    def __init__(
        self, store: ParameterStore, port: str, knobs: Mapping[int, str], notify: Callable[[str], None] = print
    ) -> None:
        """`port` is a part of a port's name, or "virtual" for a port of our own; `knobs` are parameters by controller number.

        Raises ConfigError for a port that is not there, an unknown parameter, and where MIDI is missing.
        """
        check_knobs(knobs, store.parameters)
        self._store = store
        self._knobs = dict(knobs)
        self._notify = notify
        self._mido = _load_mido()
        self._name = self._choose(port)
        self._virtual = port == VIRTUAL
        self._port: Any = None
        self._clocks = 0
        self._down: set[str] = set()

    @property
    def name(self) -> str:
        return self._name

    def start(self) -> None:
        """Begin to listen. Raises ConfigError when the port cannot be opened."""
        try:
            self._port = self._mido.open_input(self._name, virtual=self._virtual, callback=self.hear)
        except _failures() as error:
            raise ConfigError(
                f"The MIDI port '{self._name}' cannot be opened ({error}); choose another with --midi."
            ) from error

    def close(self) -> None:
        """Stop; safe to call twice."""
        port, self._port = self._port, None
        if port is not None:
            port.close()

    def hear(self, message: Any) -> None:
        """Obey one message."""
        try:
            if message.type == "program_change":
                self._store.set("scene", message.program + 1)
            elif message.type == "control_change" and message.control in self._knobs:
                self._snapshot(self._knobs[message.control], message.value)
            elif message.type in ("clock", "start", "continue"):
                self._count(message.type)
        except ConfigError as error:
            self._notify(f"MIDI: {error}")

    def _snapshot(self, name: str, position: int) -> None:
        parameter = self._store.parameters.get(name)
        if parameter is None:
            # Another model plays, which has no such control.
            return
        if parameter.happens:
            # A button sends its position when it is pressed and again when it is let go.
            pressed = position > HIGHEST // 2
            if pressed and name not in self._down:
                self._store.set(name, True)
            (self._down.add if pressed else self._down.discard)(name)
            return
        self._store.set(name, value_at(parameter, position))

    def _count(self, kind: str) -> None:
        """Tap on every quarter note of a sequencer's clock."""
        if kind != "clock":
            self._clocks = 0
            return
        if self._clocks % CLOCKS_A_BEAT == 0:
            self._store.set("tap", True)
        self._clocks += 1

    def _choose(self, port: str) -> str:
        if port == VIRTUAL:
            return PORT_NAME
        try:
            names: list[str] = self._mido.get_input_names()
        except _failures() as error:
            raise ConfigError(f"This machine has no MIDI ({error}); leave --midi out.") from error
        for name in names:
            if port.casefold() in name.casefold():
                return name
        there = f"There are {', '.join(names)}." if names else "No port is there."
        raise ConfigError(f"There is no MIDI port '{port}'.{nearest_name(port, names)} {there}")


def value_at(parameter: Parameter, position: int) -> Value:
    """Return a parameter's value when its knob stands at `position` of HIGHEST."""
    if parameter.kind == "bool":
        return position > HIGHEST // 2
    value = parameter.low + (parameter.high - parameter.low) * position / HIGHEST
    return round(value) if parameter.kind == "int" else value


def check_knobs(knobs: Mapping[int, str], parameters: Mapping[str, Parameter]) -> None:
    """Raise ConfigError unless controllers are numbered 0 to 127 and move parameters that there are, but no events."""
    for number, name in knobs.items():
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= HIGHEST:
            raise ConfigError(f"midi_knobs has a controller {number!r}; a number from 0 to {HIGHEST} was expected.")
        parameter = parameters.get(str(name))
        if parameter is None:
            raise ConfigError(f"midi_knobs moves '{name}', which is no parameter.{nearest_name(str(name), parameters)}")
        if parameter.kind == "event":
            raise ConfigError(
                f"midi_knobs moves {name}, which takes a number; scenes are recalled by programme changes."
            )


def _load_mido() -> Any:
    try:
        mido: Any = importlib.import_module("mido")
        # mido loads it late, with an error of its own.
        importlib.import_module("rtmidi")
    except ImportError as error:
        raise ConfigError(
            f'MIDI needs mido and python-rtmidi ({error}); install them with: pip install "fluid[midi]"'
        ) from error
    return mido


def _failures() -> tuple[type[Exception], ...]:
    """What the libraries raise where a machine has no MIDI, or a port is taken."""
    rtmidi: Any = importlib.import_module("rtmidi")
    return (OSError, ValueError, rtmidi.SystemError, rtmidi.InvalidPortError, rtmidi.NoDevicesError, rtmidi.RtMidiError)
