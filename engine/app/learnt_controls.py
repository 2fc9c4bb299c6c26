"""MIDI learn as a page asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from engine.core.printable import printable_name
from engine.web.show_control import MidiAssignment

if TYPE_CHECKING:
    from engine.control.remotes.midi.devices import Devices
    from engine.control.remotes.midi.midi_learning import MidiLearning


class LearntControls:
    """A MidiControl."""

    def __init__(self, learning: MidiLearning, devices: Devices) -> None:
        self._learning = learning
        self._devices = devices

    def ports(self) -> Mapping[str, bool]:
        """Return the ports by name, and whether each is open."""
        return {printable_name(name): is_open for name, is_open in self._devices.ports().items()}

    def assignments(self) -> Sequence[MidiAssignment]:
        return [MidiAssignment(one.id, one.said, one.assignment.parameter) for one in self._learning.assignments()]

    @property
    def learning(self) -> str:
        """The parameter that the next control moved will drive; empty while none is learnt."""
        return self._learning.learning

    def learn(self, parameter: str) -> None:
        """Raises ConfigError."""
        self._learning.learn(parameter)

    def cancel_learning(self) -> None:
        self._learning.cancel()

    def forget(self, id: str) -> None:
        """Raises ConfigError."""
        self._learning.forget(id)
