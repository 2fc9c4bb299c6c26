"""Thousands of random hostile MIDI messages, by a fixed seed, while controls are learnt and told of changes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.midi_hostile import hostile
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.remotes.midi.controller_file import RELATIVE, Assignment, ControllerFile
from engine.control.remotes.midi.controller_folder import Found
from engine.control.remotes.midi.device import Known
from engine.control.remotes.midi.midi_remote import MidiRemote, MidiWishes
from engine.control.remotes.midi.ports import AskedPorts
from engine.control.remotes.remote_access import RemoteAccess
from tests.engine.app.shows import InventedClock
from tests.engine.model.probe_model import CARD

MESSAGES = 6000
LOCKED = ("flash_guard", "scene", "save_scene", "record")
MOST_LINES = 80


def every_control(names: list[str]) -> ControllerFile:
    """Return a file in which every kind of control moves something."""
    made = list[Assignment]()
    for number in range(100):
        name = names[number % len(names)]
        made += [Assignment(control=number, parameter=name, acts=RELATIVE[number % 3] if number % 4 else None)]
        made += [Assignment(note=number, parameter=name, acts=("press", "toggle", "position")[number % 3])]
    made += [
        Assignment(pitch_bend=True, parameter="zoom", curve="exponential", pickup=True, touch=9),
        Assignment(aftertouch=True, parameter="glow", curve="s-curve"),
        Assignment(key_pressure=60, parameter="trail"),
        Assignment(control14=1, parameter="brightness"),
        Assignment(nrpn=261, parameter="zoom"),
        Assignment(rpn=1, parameter="zoom"),
        Assignment(programmes=True, parameter="glow"),
    ]
    return ControllerFile(assignments=tuple(made))


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_comes_locked_parameters_stay_and_the_others_keep_their_ranges(seed: int, tmp_path: Path) -> None:
    rolled, clock, lines = random.Random(seed), InventedClock(), list[str]()
    store = ParameterStore(parameters_for(CARD), notify=lines.append)
    begun, access = dict(store.values()), RemoteAccess(store, LOCKED, lines.append, clock)
    names = [p.name for p in store.parameters.values() if p.kind != "event" and not access.is_locked(p.name)]
    found = Found(tmp_path / "every.yaml", every_control(names))
    wishes = MidiWishes(asked=AskedPorts(ports=("all",)), given=[found], folder=str(tmp_path))
    midi = MidiRemote(access, wishes, None, ["nothing"], clock)
    midi.opened("first", "all", True)
    midi.opened("second", "all", True)
    for number in range(MESSAGES):
        clock.sleep(0.0005)
        midi.receive(rolled.choice(("first", "second")), clock.now_s(), hostile(rolled))
        if number % 1500 == 0:
            midi.learning.learn(rolled.choice(names))
        if number % 100 == 0:
            midi.look()
            for device in midi.devices.all():
                for message in device.feedback(Known(access.find, access.values()), clock.now_s()):
                    assert message[0] >= 0x80
                    assert all(0 <= byte < 128 for byte in message[1:])
    midi.close()
    for name, value in store.values().items():
        parameter = store.parameters[name]
        assert parameter.clip(value) == value
        assert name not in LOCKED or value == begun[name]
    assert any(value != begun[name] for name, value in store.values().items())
    assert len(lines) <= MOST_LINES
