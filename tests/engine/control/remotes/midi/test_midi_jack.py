"""MIDI devices in a real JACK server: moved, learnt, unplugged, fed back to and given the clock."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.control.parameter_store import ParameterStore
from engine.control.remotes.midi.clock_out import MidiClockOut
from engine.control.remotes.midi.midi_remote import MidiRemote, MidiWishes
from engine.control.remotes.midi.ports import AskedPorts
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.telemetry import Telemetry
from engine.core.clock import WallClock
from tests.engine.control.remotes.midi.conftest import JackDevice
from tests.fixtures_display import wait_until

Plug = Callable[[str], JackDevice]
SHIPPED_NAME = "nanoKONTROL2"


def remote(store: ParameterStore, folder: Path, lines: list[str], **more: Any) -> MidiRemote:
    asked = AskedPorts(ports=("all",), api="jack", **more)
    return MidiRemote(RemoteAccess(store, (), lines.append), MidiWishes(asked=asked, folder=str(folder)))


def test_a_control_is_learnt_comes_back_after_unplugging_and_follows_the_parameter(
    plug: Plug, store: ParameterStore, tmp_path: Path
) -> None:
    lines = list[str]()
    device, midi = plug("pads"), remote(store, tmp_path, lines)
    midi.start()
    try:
        wait_until(lambda: "midi     pads:out" in lines, "the port")
        midi.learning.learn("brightness")
        moves = [[0xB1, 21, position] for position in (40, 41, 43)]
        device.send_until(lambda: not midi.learning.learning, "learning", *moves)
        assert lines[-1] == "MIDI: pads:out: control 21, channel 2 now moves brightness."
        device.send_until(lambda: store.values()["brightness"] == 2.0, "the control", [0xB1, 21, 127])
        wait_until(lambda: list(tmp_path.glob("*.yaml")), "the controller file")
        # Another remote sets it: the fader follows once no hand is on it.
        store.set("brightness", 1.0, origin="osc")
        wait_until(lambda: [0xB1, 21, 64] in device.received, "the feedback")
        device.close()
        wait_until(lambda: midi.devices.ports() == {"pads:out": False}, "the end of the port")
        plug("pads")
        wait_until(lambda: midi.devices.ports() == {"pads:out": True}, "the return of the port")
        assert [one.said for one in midi.learning.assignments()] == ["pads:out: control 21, channel 2"]
    finally:
        midi.close()


def test_every_port_is_opened_and_each_has_its_shipped_file(plug: Plug, store: ParameterStore, tmp_path: Path) -> None:
    first, second, lines = plug(SHIPPED_NAME), plug("LPD8"), list[str]()
    midi = remote(store, tmp_path, lines)
    midi.start()
    try:
        wait_until(lambda: len(midi.devices.ports()) == 2, "both ports")
        # The fader has to pass the value before it takes hold.
        first.send_until(lambda: store.values()["brightness"] == 2.0, "the first", [0xB0, 0, 0], [0xB0, 0, 127])
        second.send_until(lambda: store.values()["glow"] == 1.0, "the second", [0xB0, 2, 127])
        assert not [line for line in lines if not line.startswith("midi     ")]
    finally:
        midi.close()


def test_the_clock_starts_at_a_bar_and_stops_with_the_show(plug: Plug, store: ParameterStore, tmp_path: Path) -> None:
    device, clock, lines = plug("drums"), WallClock(), list[str]()
    midi = remote(store, tmp_path, lines, clock_out="drums")

    def telemetry() -> Telemetry:
        return Telemetry(beats=clock.now_s() * 4.0, tempo_bpm=240.0)

    clock_out = MidiClockOut(midi.ports, telemetry, store.values, clock)
    midi.start()
    clock_out.start()
    try:
        wait_until(lambda: device.clocks > 12, "the clock")
        store.set("transport", True)
        wait_until(lambda: [0xFA] in device.received, "the start")
        store.set("transport", False)
        wait_until(lambda: [0xFC] in device.received, "the stop")
        store.set("transport", True)
        wait_until(lambda: [0xFB] in device.received, "going on")
    finally:
        clock_out.close()
        midi.close()
    wait_until(lambda: device.received.count([0xFC]) == 2, "the stop at the end")


def test_the_end_of_the_server_costs_a_line_and_the_ports(
    jack: subprocess.Popen[bytes], plug: Plug, store: ParameterStore, tmp_path: Path
) -> None:
    lines = list[str]()
    plug("pads")
    midi = remote(store, tmp_path, lines)
    midi.start()
    try:
        wait_until(lambda: midi.devices.ports(), "the port")
        jack.terminate()
        wait_until(lambda: midi.devices.ports() == {"pads:out": False}, "the end of the port")
        assert lines[1:] == ["MIDI: the library gave up; it is started again every few seconds. The show goes on."]
    finally:
        midi.close()


@pytest.mark.parametrize("length", [1, 3])
def test_a_device_that_sends_rubbish_moves_nothing(
    plug: Plug, store: ParameterStore, tmp_path: Path, length: int
) -> None:
    device, lines = plug("noise"), list[str]()
    midi = remote(store, tmp_path, lines)
    midi.start()
    try:
        wait_until(lambda: midi.devices.ports(), "the port")
        before = store.values()
        rubbish = [[0xF0, *range(length)], [0xF0, 1, 2, 0xF7], [0x90], [0xB0, 1], [0xFE]]
        device.send_until(lambda: store.take_snapshot(0).events, "the programme change after them", *rubbish, [0xC0, 0])
        assert store.values() == before
        assert json.dumps(lines).count("Traceback") == 0
    finally:
        midi.close()
