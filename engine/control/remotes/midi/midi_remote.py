"""MIDI: programme changes recall scenes, controllers set parameters, and a sequencer's clock taps the beat.

Everything goes through RemoteAccess.set; a message without a meaning changes nothing, and no message can stop the show.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence

from engine.control.parameter import Parameter, Value
from engine.control.parameter_table import ShowValues
from engine.control.remotes.midi.clock import CLOCKS_A_BEAT, CLOCKS_A_SIXTEENTH
from engine.control.remotes.midi.port_process import VIRTUAL
from engine.control.remotes.midi.port_reader import MidiPort
from engine.control.remotes.remote_access import LockedError, RemoteAccess
from engine.core.errors import ConfigError, nearest_name
from engine.core.notices import ToldOnce
from engine.core.structured import shortened

HIGHEST = 127
MOST_TOLD = 32
"""Messages that cannot be applied, of which the terminal is told."""

# MIDI 1.0, table 1: status bytes. The lower half of a channel message's status is its channel.
_CONTROL_CHANGE, _PROGRAMME_CHANGE = 0xB0, 0xC0
_SONG_POSITION, _CLOCK, _START, _CONTINUE, _STOP = 0xF2, 0xF8, 0xFA, 0xFB, 0xFC


class MidiRemote:
    """One input port, from `start` to `close`. A Remote."""

    def __init__(
        self,
        access: RemoteAccess,
        port: str,
        controllers: Mapping[int, str],
        command: Sequence[str] | None = None,
    ) -> None:
        """`port` is a part of a port's name, or "virtual" for a port of our own; `controllers` are parameters by controller number.

        `command` replaces the process that opens the port. Raises ConfigError for an unknown parameter, without the MIDI library,
        and for a port of our own on Windows.
        """
        check_controllers(controllers, access.parameters)
        if importlib.util.find_spec("rtmidi2") is None and command is None:
            raise ConfigError('MIDI needs rtmidi2; install it with: pip install "fluid[midi]"')
        if port == VIRTUAL and sys.platform == "win32":
            raise ConfigError("Windows has no virtual MIDI ports; give --midi a part of a port's name.")
        self._access = access
        self._controllers = dict(controllers)
        self._port = MidiPort(port, self.receive, access.notify, command)
        self._name = f"midi {port}"
        self._told = ToldOnce(access.notify, MOST_TOLD)
        self._clocks = 0
        self._is_running = True
        self._positions: dict[str, int] = {}
        """Where buttons were last."""

    @property
    def name(self) -> str:
        """The port, as it was asked for."""
        return self._name

    def start(self) -> None:
        """Open the port, now or as soon as it is there."""
        self._port.start()

    def close(self) -> None:
        """Close the port; safe to call twice."""
        self._port.close()

    def receive(self, message: Sequence[int]) -> None:
        """Apply one MIDI message, given as its bytes."""
        try:
            match message:
                case [status, programme] if status & 0xF0 == _PROGRAMME_CHANGE:
                    self._set(ShowValues.scene.name, programme + 1)
                case [status, controller, position] if status & 0xF0 == _CONTROL_CHANGE:
                    if controller in self._controllers:
                        self._move(self._controllers[controller], position)
                case [status, low, high] if status == _SONG_POSITION:
                    self._clocks = (low + 128 * high) * CLOCKS_A_SIXTEENTH
                case [status]:
                    self._count(status)
                case _:
                    pass
        except LockedError:
            return
        except ConfigError as error:
            self._tell(str(error))

    def _set(self, name: str, value: Value) -> None:
        self._access.set(name, value, origin=self.name)

    def _move(self, name: str, position: int) -> None:
        parameter = self._access.find(name)
        if parameter is None:
            # Another model plays, which has no such control.
            return
        if parameter.happens:
            # A button sends its position when it is pressed and again when it is released; some send each press alone, always the
            # same. A fader that moves on above the middle presses nothing.
            before, self._positions[name] = self._positions.get(name, 0), position
            if _is_pressed(position) and (not _is_pressed(before) or position == before):
                self._set(name, True)
            return
        self._set(name, value_at(parameter, position))

    def _count(self, status: int) -> None:
        """Tap on every quarter note of a sequencer's clock while it runs."""
        if status == _START:
            self._clocks, self._is_running = 0, True
        elif status in (_CONTINUE, _STOP):
            # It goes on where it stopped, or at the song position that it sends meanwhile. Clocks go on during a stop.
            self._is_running = status == _CONTINUE
        elif status == _CLOCK and self._is_running:
            if self._clocks % CLOCKS_A_BEAT == 0:
                self._set(ShowValues.tap.name, True)
            self._clocks += 1

    def _tell(self, sentence: str) -> None:
        self._told.tell(sentence, lambda: f"MIDI: {sentence}")


def _is_pressed(position: int) -> bool:
    return position > HIGHEST // 2


def value_at(parameter: Parameter, position: int) -> Value:
    """Return a parameter's value for a controller's `position` from 0 to HIGHEST."""
    if parameter.kind == "bool":
        return _is_pressed(position)
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
                f"midi_parameters sets '{shortened(name)}', which is no parameter.{nearest_name(str(name), parameters)}"
            )
        if parameter.kind == "event":
            raise ConfigError(f"midi_parameters sets {name}, which takes a number; programme changes recall scenes.")
