"""MIDI messages as the library hands them over: programmes recall scenes, controllers set parameters, the clock taps."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Iterable

import pytest

from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.remotes.midi.midi_remote import MOST_TOLD, MidiRemote, MidiWishes
from engine.control.remotes.midi.port_process import ALSA_SEQUENCER
from engine.control.remotes.midi.ports import AskedPorts
from engine.control.remotes.remote import Remote
from engine.control.remotes.remote_access import RemoteAccess
from engine.core.errors import ConfigError
from tests.engine.model.probe_model import CARD
from tests.fixtures_display import wait_until

PARAMETERS = parameters_for(CARD)
HAS_RTMIDI = importlib.util.find_spec("rtmidi2") is not None
needs_a_sequencer = pytest.mark.skipif(not (HAS_RTMIDI and ALSA_SEQUENCER.exists()), reason="needs an ALSA sequencer")


def remote(
    store: ParameterStore, controllers: dict[int, str] | None = None, lines: list[str] | None = None
) -> MidiRemote:
    access = RemoteAccess(store, (), (lines if lines is not None else []).append)
    return MidiRemote(access, wishes("virtual", controllers), command=[sys.executable])


def wishes(port: str, controllers: dict[int, str] | None = None, api: str = "auto") -> MidiWishes:
    return MidiWishes(asked=AskedPorts(ports=(port,), api=api), parameters=controllers or {}, folder="/nowhere")


def program(script: str) -> list[str]:
    """Return the command of a process that stands in for the one that opens ports."""
    return [
        sys.executable,
        "-c",
        f"import sys, time\nprint = __import__('functools').partial(print, flush=True)\n{script}",
    ]


def receive(midi: MidiRemote, messages: Iterable[tuple[int, ...]]) -> None:
    for message in messages:
        midi.receive("pad", 0.0, list(message))


def test_a_programme_change_recalls_the_scene_of_that_number() -> None:
    store = ParameterStore(PARAMETERS)
    receive(remote(store), [(0xC0, 2), (0xC5, 0)])
    assert store.take_snapshot(0).events == (("scene", 3), ("scene", 1))


def test_controllers_set_parameters_over_their_range() -> None:
    store = ParameterStore(PARAMETERS)
    midi = remote(store, {1: "brightness", 64: "freeze", 20: "reset"})
    receive(midi, [(0xB0, 1, 127), (0xBF, 64, 127), (0xB0, 20, 127), (0xB0, 20, 120), (0xB0, 20, 0), (0xB0, 20, 127)])
    receive(midi, [(0xB0, 99, 5)])
    values = store.values()
    assert (values["brightness"], values["freeze"], values["reset"]) == (2.0, True, 2)
    receive(midi, [(0xB0, 1, 0), (0xB0, 64, 0)])
    assert (store.values()["brightness"], store.values()["freeze"]) == (0.0, False)


def test_the_clock_taps_every_quarter_note_from_the_start() -> None:
    store = ParameterStore(PARAMETERS)
    receive(remote(store), [*[(0xF8,)] * 10, (0xFA,), *[(0xF8,)] * 49])
    assert store.values()["tap"] == 1 + 3


def test_a_stopped_sequencer_goes_on_where_it_stopped() -> None:
    store = ParameterStore(PARAMETERS)
    midi = remote(store)
    receive(midi, [(0xFA,), *[(0xF8,)] * 30])
    assert store.values()["tap"] == 2
    # Clocks go on while it stands.
    receive(midi, [(0xFC,), *[(0xF8,)] * 100])
    assert store.values()["tap"] == 2
    receive(midi, [(0xFB,), *[(0xF8,)] * 18])
    assert store.values()["tap"] == 2
    receive(midi, [(0xF8,)])
    assert store.values()["tap"] == 3
    receive(midi, [(0xFC,), (0xFA,), (0xF8,)])
    assert store.values()["tap"] == 4


def test_a_song_position_moves_the_count() -> None:
    store = ParameterStore(PARAMETERS)
    midi = remote(store)
    # 131 sixteenths: a sixteenth before a beat.
    receive(midi, [(0xFC,), (0xF2, 3, 1), (0xFB,), *[(0xF8,)] * 6])
    assert store.values()["tap"] == 0
    receive(midi, [(0xF8,)])
    assert store.values()["tap"] == 1


@pytest.mark.parametrize(
    ("positions", "presses"),
    [
        ((127, 0, 127, 0), 2),
        ((127, 127, 127), 3),
        ((100, 100), 2),
        ((0, 40, 70, 90, 127, 90, 20, 80), 2),
        ((0, 63, 64), 1),
    ],
)
def test_buttons_that_never_send_0_press_again_and_faders_do_not(positions, presses) -> None:
    store = ParameterStore(PARAMETERS)
    receive(remote(store, {20: "reset"}), [(0xB0, 20, position) for position in positions])
    assert store.values()["reset"] == presses


def test_a_locked_parameter_stays_and_is_told_once() -> None:
    store, lines = ParameterStore(PARAMETERS), list[str]()
    midi = MidiRemote(
        RemoteAccess(store, ["blackout"], lines.append), wishes("virtual", {1: "blackout"}), None, [sys.executable]
    )
    receive(midi, [(0xB0, 1, 127), (0xB0, 1, 0), (0xB0, 1, 127)])
    assert store.values()["blackout"] is False
    assert len(lines) == 1
    assert lines[0].startswith("midi virtual tried to set blackout. blackout is locked against remotes;")


def test_other_messages_and_cut_ones_change_nothing() -> None:
    store, lines = ParameterStore(PARAMETERS), list[str]()
    before = store.values()
    midi = remote(store, {1: "brightness"}, lines)
    receive(midi, [(), (0x90, 60, 100), (0xB0, 1), (0xB0,), (0xC0,), (0xC0, 1, 2), (0xE0, 0, 64), (0xFE,)])
    receive(midi, [(0xF0, 1, 2, 3, 0xF7)])
    assert store.values() is before
    assert store.take_snapshot(0).events == ()
    assert lines == []


def test_a_controller_of_a_parameter_that_another_model_lacks_has_no_effect() -> None:
    store = ParameterStore(PARAMETERS)
    midi = remote(store, {1: "gain"})
    store.replace_parameters([parameter for parameter in PARAMETERS if parameter.name != "gain"])
    receive(midi, [(0xB0, 1, 127)])
    assert "gain" not in store.values()


def test_random_messages_change_nothing_but_what_they_name() -> None:
    rolled, store, lines = random.Random(1), ParameterStore(PARAMETERS), list[str]()
    midi = remote(store, {1: "brightness", 64: "freeze", 20: "reset", 21: "seed"}, lines)
    before, changed = store.values(), set[str]()
    for number in range(20_000):
        status = rolled.choice((0xB0, 0xC0, 0xF2, 0xF8, 0xFA, 0xFB, 0xFC, rolled.randrange(256)))
        content = rolled.choices([1, 20, 21, 64, *range(256)], weights=4 * [60] + 256 * [1], k=rolled.randrange(4))
        midi.receive("pad", 0.0, [status, *content][rolled.randrange(20) == 0 :])
        changed |= {name for name, value in store.values().items() if value != before[name]}
        for event in store.take_snapshot(number).events:
            assert event.name in ("scene", "tap", "reset")
            assert event.name != "scene" or 1 <= event.number <= 128
    assert changed == {"brightness", "freeze", "reset", "seed", "tap"}
    assert len(lines) <= MOST_TOLD


def test_it_is_a_remote() -> None:
    midi: Remote = remote(ParameterStore(PARAMETERS))
    assert midi.name == "midi virtual"
    midi.close()
    midi.close()


@pytest.mark.parametrize(
    ("controllers", "sentence"),
    [
        ({1: "brightnes"}, "Did you mean 'brightness'"),
        ({128: "brightness"}, "from 0 to 127"),
        ({1: "scene"}, "programme changes"),
        ({1: ["brightness"]}, "which is no parameter"),
    ],
)
def test_a_faulty_controller_is_one_sentence(controllers: dict[int, str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        MidiRemote(RemoteAccess(ParameterStore(PARAMETERS)), wishes("virtual", controllers))


def test_a_port_that_goes_and_comes_is_told_and_read_again() -> None:
    store, lines = ParameterStore(PARAMETERS), list[str]()
    script = """
print("a line of the library")
print('["midi", "launch 1", 0.5, 176')
print("7")
for _ in range(3):
    print('["missing", "launch", ["other\\\\u001b[2J"]]')
print('["open", "launch 1", "launch", false]')
print('["midi", "launch 1", 0.5, 176, 7, 0]')
print('["lost", "launch 1"]')
print('["missing", "launch", []]')
print('["open", "launch 2", "launch", false]')
print('["midi", "launch 2", 0.5, 176, 7, 127]')
sys.stdin.read()
"""
    midi = MidiRemote(RemoteAccess(store, (), lines.append), wishes("launch", {7: "brightness"}), None, program(script))
    midi.start()
    wait_until(lambda: store.values()["brightness"] == 2.0, "the controller")
    midi.close()
    waits = "It is opened as soon as it is there; the show goes on."
    assert lines == [
        f"There is no MIDI port 'launch'. Ports are other\\x1b[2J. {waits}",
        "midi     launch 1",
        "The MIDI port 'launch 1' was lost; it is opened again as soon as it returns.",
        f"There is no MIDI port 'launch'. There are no ports. {waits}",
        "midi     launch 2",
    ]


@pytest.mark.skipif(not HAS_RTMIDI or sys.platform != "linux", reason="needs rtmidi2 with JACK")
def test_a_jack_server_that_does_not_run_is_told_in_one_line(monkeypatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "no such server")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    lines = list[str]()
    midi = MidiRemote(RemoteAccess(ParameterStore(PARAMETERS), (), lines.append), wishes("virtual", api="jack"))
    midi.start()
    wait_until(lambda: lines, "the line")
    midi.close()
    assert lines == [
        "MIDI: no port can be opened here, since the JACK server does not run. It is tried again every few seconds; the show goes on."
    ]


def test_the_end_of_the_process_costs_a_line() -> None:
    """rtmidi2 1.5 ends its process when a port goes while it is opened."""
    lines = list[str]()
    access = RemoteAccess(ParameterStore(PARAMETERS), (), lines.append)
    midi = MidiRemote(access, wishes("virtual"), None, program("sys.exit(134)"))
    midi.start()
    wait_until(lambda: lines, "the end of the process")
    midi.close()
    assert lines == ["MIDI: the library gave up; it is started again every few seconds. The show goes on."]


@pytest.mark.skipif(not HAS_RTMIDI or ALSA_SEQUENCER.exists(), reason="needs rtmidi2 on a machine without a sequencer")
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have their own sequencers")
@pytest.mark.parametrize("port", ["launch", "virtual"])
def test_a_machine_without_a_sequencer_is_told_in_one_line(port: str, capfd: pytest.CaptureFixture[str]) -> None:
    lines = list[str]()
    midi = MidiRemote(RemoteAccess(ParameterStore(PARAMETERS), (), lines.append), wishes(port))
    midi.start()
    wait_until(lambda: lines, "the line")
    midi.close()
    assert lines == [
        f"MIDI: no port can be opened here, since {ALSA_SEQUENCER} is missing (sudo modprobe snd-seq). It is tried again every "
        "few seconds; the show goes on."
    ]
    assert capfd.readouterr() == ("", "")


@needs_a_sequencer
def test_messages_come_from_another_program() -> None:
    import rtmidi2

    store, lines = ParameterStore(PARAMETERS), list[str]()
    midi = MidiRemote(RemoteAccess(store, (), lines.append), wishes("virtual", {7: "brightness"}))
    midi.start()
    wait_until(lambda: "midi     fluid" in lines, "the port")
    try:
        output = rtmidi2.MidiOut("sender")
        output.open_port(next(index for index, name in enumerate(output.ports) if "fluid" in name))
        output.send_raw(0xB0, 7, 127)
        wait_until(lambda: store.values()["brightness"] == 2.0, "the controller")
    finally:
        midi.close()
