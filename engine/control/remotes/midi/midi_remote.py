"""MIDI: controls of any kind set parameters, programme changes recall scenes, and a sequencer's clock gives the beat.

Everything goes through RemoteAccess.set; a message without a meaning changes nothing, and no message can stop the show.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from engine.control.parameter import Parameter, Value
from engine.control.parameter_table import ShowValues
from engine.control.remotes.midi.clock import MidiClock, TapClock, clock_message
from engine.control.remotes.midi.control_message import SEVEN_BITS
from engine.control.remotes.midi.controller_file import Assignment, find
from engine.control.remotes.midi.controller_folder import ControllerFolder, Found
from engine.control.remotes.midi.device import Known
from engine.control.remotes.midi.devices import Devices
from engine.control.remotes.midi.midi_learning import MidiLearning
from engine.control.remotes.midi.port_process import VIRTUAL
from engine.control.remotes.midi.ports import CLOSES_WITHIN_S, AskedPorts, MidiPorts
from engine.control.remotes.remote_access import LockedError, RemoteAccess
from engine.control.subscription import StoreChange, Subscription
from engine.core.clock import Clock, WallClock
from engine.core.errors import ConfigError, nearest_name
from engine.core.notices import ToldOnce
from engine.core.structured import shortened

HIGHEST = SEVEN_BITS
MOST_TOLD = 32
"""Messages that cannot be applied, of which the terminal is told."""
FEEDBACK_EVERY_S = 0.02
"""Changes in between go out together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MidiWishes:
    """What a show wants of MIDI."""

    asked: AskedPorts
    parameters: Mapping[int, str] = field(default_factory=dict[int, str])
    """Parameters by controller number, for every port."""
    given: Sequence[Found] = ()
    """Controller files that were named."""
    left_out: Container[str] = ()
    """Controls of the model that are no parameters; that these files name some was told when they were checked."""
    folder: str = "controllers"
    """Where controller files of learnt controls are."""


class MidiRemote:
    """All ports of a show, from `start` to `close`. A Remote and a PortListener."""

    def __init__(
        self,
        access: RemoteAccess,
        wishes: MidiWishes,
        follow_clock: MidiClock | None = None,
        command: Sequence[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`follow_clock` gets the clock of sequencers; without it every quarter note taps the beat.

        `command` replaces the process that opens the ports. Raises ConfigError for an unknown parameter, without the MIDI library,
        and for a port of our own on Windows.
        """
        check_controllers(wishes.parameters, access.parameters)
        if importlib.util.find_spec("rtmidi2") is None and command is None:
            raise ConfigError('MIDI needs rtmidi2; install it with: pip install -e ".[midi]"')
        if VIRTUAL in (*wishes.asked.ports, wishes.asked.clock_out) and sys.platform == "win32":
            raise ConfigError("Windows has no virtual MIDI ports; give --midi a part of a port's name.")
        self._access = access
        self._name = f"midi {', '.join(wishes.asked.ports)}".rstrip()
        self._clock = clock or WallClock()
        self._told = ToldOnce(access.notify, MOST_TOLD)
        self._follow_clock = follow_clock or TapClock(lambda: self._set(ShowValues.tap.name, True))
        general = [Assignment(control=number, parameter=name) for number, name in wishes.parameters.items()]
        self._devices = Devices(
            ControllerFolder(wishes.given, wishes.folder, access.notify, left_out=wishes.left_out),
            general,
            access.notify,
        )
        self.learning = MidiLearning(self._devices, access, self._name)
        self.ports = MidiPorts(wishes.asked, self, access.notify, command, clock)
        """The ports; the show's clock goes out through them too."""
        self._closing = threading.Event()
        self._subscription: Subscription | None = None

    @property
    def name(self) -> str:
        """The ports, as they were asked for."""
        return self._name

    @property
    def devices(self) -> Devices:
        """The open ports."""
        return self._devices

    def start(self) -> None:
        """Open the ports, now or as soon as they are there."""
        self._subscription = self._access.subscribe(self._follow, "MIDI")
        self.ports.start()

    def close(self) -> None:
        """Close the ports; safe to call twice."""
        self._closing.set()
        if self._subscription:
            self._subscription.close()
        self.ports.close()
        self._devices.close(CLOSES_WITHIN_S)

    def opened(self, port: str, wish: str, has_output: bool) -> None:
        """Take a port with the controls of its controller file, and tell its faders and lamps where they belong."""
        self._devices.opened(port, self._access.parameters, has_output)
        self._send_feedback()

    def lost(self, port: str) -> None:
        self._devices.lost(port)

    def look(self) -> None:
        """Do what waits for time to pass."""
        now_s = self._clock.now_s()
        self.learning.look(now_s)
        self._send_feedback()

    def receive(self, port: str, at_s: float, message: Sequence[int]) -> None:
        """Apply one MIDI message, given as its bytes."""
        try:
            self._apply(port, at_s, message)
        except LockedError:
            return
        except ConfigError as error:
            self._tell(str(error))

    def _apply(self, port: str, at_s: float, message: Sequence[int]) -> None:
        of_clock = clock_message(message, at_s, port)
        if of_clock:
            self._follow_clock(of_clock)
            return
        device = self._devices.find(port) or self._devices.opened(port, self._access.parameters, False)
        moves = device.decoder.decode(message)
        if not moves or self.learning.watch(device, moves, at_s):
            return
        with self._devices.lock:
            values = list(device.move(moves, Known(self._access.find, self._access.values()), at_s))
            is_free = not device.has_programme(moves)
        for name, value in values:
            self._set(name, value)
        if moves[0].control.sender == "programme" and is_free:
            self._set(ShowValues.scene.name, moves[0].control.number + 1)

    def _set(self, name: str, value: Value) -> None:
        self._access.set(name, value, origin=self.name)

    def _follow(self, change: StoreChange) -> None:
        """Tell faders and lamps of changes; those within FEEDBACK_EVERY_S go out together."""
        self._send_feedback()
        self._closing.wait(FEEDBACK_EVERY_S)

    def _send_feedback(self) -> None:
        known, now_s = Known(self._access.find, self._access.values()), self._clock.now_s()
        for device in self._devices.all():
            with self._devices.lock:
                messages = device.feedback(known, now_s)
                if messages:
                    self.ports.send(device.port, messages)

    def _tell(self, sentence: str) -> None:
        self._told.tell(sentence, lambda: f"MIDI: {sentence}")


def check_controllers(controllers: Mapping[int, str], parameters: Mapping[str, Parameter]) -> None:
    """Raise ConfigError unless controllers are numbered 0 to 127 and set known parameters, but no events."""
    for number, name in controllers.items():
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= HIGHEST:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError(
                f"midi_parameters has a controller {number!r}; a number from 0 to {HIGHEST} was expected."
            )
        parameter = find(str(name), parameters)
        if parameter is None:
            raise ConfigError(
                f"midi_parameters sets '{shortened(name)}', which is no parameter.{nearest_name(str(name), parameters)}"
            )
        if parameter.kind == "event":
            raise ConfigError(f"midi_parameters sets {name}, which takes a number; programme changes recall scenes.")
