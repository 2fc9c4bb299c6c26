"""MIDI learn as the page sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.app.learnt_controls import LearntControls
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import TABLE
from engine.control.remotes.midi.midi_remote import MidiRemote, MidiWishes
from engine.control.remotes.midi.ports import AskedPorts
from engine.control.remotes.remote_access import RemoteAccess
from engine.core.errors import ConfigError
from engine.web.show_control import MidiControl


def test_a_page_learns_lists_and_forgets(tmp_path: Path) -> None:
    wishes = MidiWishes(asked=AskedPorts(ports=("all",)), folder=str(tmp_path))
    midi = MidiRemote(RemoteAccess(ParameterStore(TABLE)), wishes, None, ["nothing"])
    control: MidiControl = LearntControls(midi.learning, midi.devices)
    midi.opened("pads\x1b[2J", "all", False)
    midi.opened("gone", "all", False)
    midi.lost("gone")
    assert control.ports() == {"pads\\x1b[2J": True, "gone": False}
    control.learn("glow")
    assert control.learning == "glow"
    midi.receive("pads\x1b[2J", 0.0, [0xE3, 0, 64])
    assert control.learning == ""
    (assignment,) = control.assignments()
    assert (assignment.sender, assignment.parameter) == ("pads\\x1b[2J: pitch bend, channel 4", "glow")
    control.forget(assignment.id)
    assert control.assignments() == []
    control.learn("zoom")
    control.cancel_learning()
    assert control.learning == ""
    with pytest.raises(ConfigError, match="no such MIDI assignment"):
        control.forget("7")
    midi.close()
