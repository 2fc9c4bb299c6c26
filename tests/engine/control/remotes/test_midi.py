"""MIDI messages as the library hands them over: programmes recall scenes, controllers set parameters, the clock taps."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

import pytest

from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.remotes.midi import ALSA_SEQUENCER, MidiRemote, value_at
from engine.control.remotes.remote import Remote
from engine.core.errors import ConfigError
from tests.engine.model.probe_model import CARD
from tests.fixtures_display import wait_until

PARAMETERS = parameters_for(CARD)
HAS_RTMIDI = importlib.util.find_spec("rtmidi2") is not None
needs_a_sequencer = pytest.mark.skipif(not (HAS_RTMIDI and ALSA_SEQUENCER.exists()), reason="needs an ALSA sequencer")


def remote(
    store: ParameterStore, controllers: dict[int, str] | None = None, lines: list[str] | None = None
) -> MidiRemote:
    return MidiRemote(store, "virtual", controllers or {}, (lines if lines is not None else []).append)


def receive(midi: MidiRemote, messages: Iterable[tuple[int, ...]]) -> None:
    for message in messages:
        midi.receive(list(message))


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
    gain = next(parameter for parameter in PARAMETERS if parameter.name == "gain_db")
    assert (value_at(gain, 0), value_at(gain, 127)) == (-60.0, 40.0)


def test_the_clock_taps_every_quarter_note_from_the_start() -> None:
    store = ParameterStore(PARAMETERS)
    receive(remote(store), [*[(0xF8,)] * 10, (0xFA,), *[(0xF8,)] * 49])
    assert store.values()["tap"] == 1 + 3


def test_other_messages_and_cut_ones_change_nothing() -> None:
    store, lines = ParameterStore(PARAMETERS), list[str]()
    before = store.values()
    midi = remote(store, {1: "brightness"}, lines)
    receive(midi, [(), (0x90, 60, 100), (0xB0, 1), (0xB0,), (0xC0,), (0xC0, 1, 2), (0xE0, 0, 64), (0xFC,), (0xFE,)])
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


def test_it_is_a_remote() -> None:
    midi: Remote = remote(ParameterStore(PARAMETERS))
    assert midi.name == "fluid"
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
        MidiRemote(ParameterStore(PARAMETERS), "virtual", controllers)


@pytest.mark.skipif(not HAS_RTMIDI or ALSA_SEQUENCER.exists(), reason="needs rtmidi2 on a machine without a sequencer")
@pytest.mark.parametrize("port", ["launch", "virtual"])
def test_a_machine_without_a_sequencer_is_told_in_one_line(port: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match=r"MIDI: this machine has no sequencer .* leave --midi out\.") as caught:
        MidiRemote(ParameterStore(PARAMETERS), port, {}).start()
    assert "\n" not in str(caught.value)
    # The library prints lines of its own when it is asked.
    assert capfd.readouterr() == ("", "")


@needs_a_sequencer
def test_a_port_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match="There is no MIDI port 'no such port'"):
        MidiRemote(ParameterStore(PARAMETERS), "no such port", {})


@needs_a_sequencer
def test_messages_come_from_another_program() -> None:
    import rtmidi2

    store = ParameterStore(PARAMETERS)
    midi = remote(store, {7: "brightness"})
    midi.start()
    try:
        output = rtmidi2.MidiOut("sender")
        output.open_port(next(index for index, name in enumerate(output.ports) if "fluid" in name))
        output.send_raw(0xB0, 7, 127)
        wait_until(lambda: store.values()["brightness"] == 2.0, "the controller")
    finally:
        midi.close()
