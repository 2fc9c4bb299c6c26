"""MIDI: programme changes recall scenes, controllers set parameters, and a sequencer's clock taps the beat.

Everything goes through ParameterStore.set; a message without a meaning changes nothing, and no message can stop the show.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.control.parameter import Parameter, Value
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import ShowValues
from engine.core.errors import ConfigError, nearest_name

CLOCKS_A_BEAT = 24
"""MIDI 1.0: timing clocks in a quarter note."""
HIGHEST = 127
VIRTUAL = "virtual"
PORT_NAME = "fluid"
ALSA_SEQUENCER = Path("/dev/snd/seq")

# MIDI 1.0, table 1: status bytes. The lower half of a channel message's status is its channel.
_CONTROL_CHANGE, _PROGRAMME_CHANGE = 0xB0, 0xC0
_CLOCK, _START, _CONTINUE = 0xF8, 0xFA, 0xFB


class MidiRemote:
    """One input port, from `start` to `close`; the MIDI library has a thread of its own."""

    def __init__(
        self, store: ParameterStore, port: str, controllers: Mapping[int, str], notify: Callable[[str], None] = print
    ) -> None:
        """`port` is a part of a port's name, or "virtual" for a port of our own; `controllers` are parameters by controller number.

        Raises ConfigError for a missing port, an unknown parameter, and a machine without MIDI.
        """
        check_controllers(controllers, store.parameters)
        self._store = store
        self._controllers = dict(controllers)
        self._notify = notify
        self._virtual = port == VIRTUAL
        self._input: Any = None
        self._name = PORT_NAME if self._virtual else _choose(port, _open_input().ports)
        self._clocks = 0
        self._pressed: set[str] = set()

    @property
    def name(self) -> str:
        """The port's name."""
        return self._name

    def start(self) -> None:
        """Open the port. Raises ConfigError when that fails."""
        midi_input = _open_input()
        # RtMidi leaves out the clock unless it is asked for.
        midi_input.ignore_types(midi_sysex=True, midi_time=False, midi_sense=True)
        midi_input.callback = self._on_message
        try:
            if self._virtual:
                _open_virtual(midi_input)
            else:
                midi_input.open_port(midi_input.ports.index(self._name))
        except (RuntimeError, ValueError) as error:
            raise ConfigError(
                f"The MIDI port '{self._name}' cannot be opened ({error}); choose another with --midi."
            ) from error
        self._input = midi_input

    def close(self) -> None:
        """Close the port; safe to call twice."""
        midi_input, self._input = self._input, None
        if midi_input is not None:
            midi_input.close_port()
            midi_input.callback = None

    def receive(self, message: Sequence[int]) -> None:
        """Apply one MIDI message, given as its bytes."""
        try:
            match message:
                case [status, programme] if status & 0xF0 == _PROGRAMME_CHANGE:
                    self._set(ShowValues.scene.name, programme + 1)
                case [status, controller, position] if status & 0xF0 == _CONTROL_CHANGE:
                    if controller in self._controllers:
                        self._move(self._controllers[controller], position)
                case [status] if status in (_CLOCK, _START, _CONTINUE):
                    self._count(status)
                case _:
                    pass
        except ConfigError as error:
            self._notify(f"MIDI: {error}")

    def _on_message(self, message: list[int], delta_s: float) -> None:
        self.receive(message)

    def _set(self, name: str, value: Value) -> None:
        self._store.set(name, value, origin=self.name)

    def _move(self, name: str, position: int) -> None:
        parameter = self._store.find(name)
        if parameter is None:
            # Another model plays, which has no such control.
            return
        if parameter.happens:
            # A button sends its position when it is pressed and again when it is released.
            is_pressed = position > HIGHEST // 2
            if is_pressed and name not in self._pressed:
                self._set(name, True)
            (self._pressed.add if is_pressed else self._pressed.discard)(name)
            return
        self._set(name, value_at(parameter, position))

    def _count(self, status: int) -> None:
        """Tap on every quarter note of a sequencer's clock."""
        if status != _CLOCK:
            self._clocks = 0
            return
        if self._clocks % CLOCKS_A_BEAT == 0:
            self._set(ShowValues.tap.name, True)
        self._clocks += 1


def value_at(parameter: Parameter, position: int) -> Value:
    """Return a parameter's value for a controller's `position` from 0 to HIGHEST."""
    if parameter.kind == "bool":
        return position > HIGHEST // 2
    value = parameter.low + (parameter.high - parameter.low) * position / HIGHEST
    return round(value) if parameter.kind == "int" else value


def check_controllers(controllers: Mapping[int, str], parameters: Mapping[str, Parameter]) -> None:
    """Raise ConfigError unless controllers are numbered 0 to 127 and set known parameters, but no events."""
    for number, name in controllers.items():
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= HIGHEST:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError(
                f"midi_parameters has a controller {number!r}; a number from 0 to {HIGHEST} was expected."
            )
        parameter = parameters.get(str(name))
        if parameter is None:
            raise ConfigError(
                f"midi_parameters sets '{name}', which is no parameter.{nearest_name(str(name), parameters)}"
            )
        if parameter.kind == "event":
            raise ConfigError(f"midi_parameters sets {name}, which takes a number; programme changes recall scenes.")


def _open_input() -> Any:
    """Return an input of the MIDI library with no port open. Raises ConfigError for a machine without MIDI."""
    try:
        rtmidi2: Any = importlib.import_module("rtmidi2")
    except ImportError as error:
        raise ConfigError(f'MIDI needs rtmidi2 ({error}); install it with: pip install "fluid[midi]"') from error
    # Asked first, since the library prints several lines of its own.
    if sys.platform == "linux" and not ALSA_SEQUENCER.exists():
        raise ConfigError(f"MIDI: this machine has no sequencer ({ALSA_SEQUENCER} is missing); leave --midi out.")
    try:
        return rtmidi2.MidiIn(PORT_NAME)
    except RuntimeError as error:
        raise ConfigError(f"MIDI: this machine has no sequencer ({error}); leave --midi out.") from error


def _choose(port: str, names: Sequence[str]) -> str:
    """Return the first port whose name contains `port`. Raises ConfigError where none does."""
    for name in names:
        if port.casefold() in name.casefold():
            return name
    known = f"Ports are {', '.join(names)}." if names else "There are no ports."
    raise ConfigError(f"There is no MIDI port '{port}'.{nearest_name(port, names)} {known}")


def _open_virtual(midi_input: Any) -> None:
    if sys.platform == "win32":
        raise ValueError("Windows has no virtual ports")
    midi_input.open_virtual_port(PORT_NAME)
