"""MIDI messages as the library parses them: programmes recall scenes, knobs move parameters, the clock taps."""

from __future__ import annotations

import pytest

from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.remotes.midi import MidiRemote, value_at
from engine.core.errors import ConfigError
from tests.engine.model.probe_model import CARD

mido = pytest.importorskip("mido")
PARAMETERS = parameters_for(CARD)


def remote(store: ParameterStore, knobs: dict[int, str] | None = None, lines: list[str] | None = None) -> MidiRemote:
    return MidiRemote(store, "virtual", knobs or {}, (lines if lines is not None else []).append)


def messages(*octets: int) -> list:
    """Return what a stream of octets says, parsed as it is when it comes from a device."""
    return mido.parse_all(octets)


def test_a_programme_change_recalls_the_scene_of_that_number() -> None:
    store = ParameterStore(PARAMETERS)
    for message in messages(0xC0, 2, 0xC5, 0):
        remote(store).hear(message)
    assert store.take_snapshot(0).events == (("scene", 3), ("scene", 1))


def test_knobs_move_parameters_over_their_range() -> None:
    store = ParameterStore(PARAMETERS)
    midi = remote(store, {1: "brightness", 64: "freeze", 20: "reset"})
    for message in messages(
        0xB0, 1, 127, 0xB0, 64, 127, 0xB0, 20, 127, 0xB0, 20, 120, 0xB0, 20, 0, 0xB0, 20, 127, 0xB0, 99, 5
    ):
        midi.hear(message)
    values = store.values()
    assert (values["brightness"], values["freeze"], values["reset"]) == (2.0, True, 2)
    for message in messages(0xB0, 1, 0, 0xB0, 64, 0):
        midi.hear(message)
    assert (store.values()["brightness"], store.values()["freeze"]) == (0.0, False)
    gain = next(parameter for parameter in PARAMETERS if parameter.name == "gain_db")
    assert (value_at(gain, 0), value_at(gain, 127)) == (-60.0, 40.0)


def test_the_clock_taps_every_quarter_note_from_the_start() -> None:
    store = ParameterStore(PARAMETERS)
    midi = remote(store)
    for message in messages(*[0xF8] * 10, 0xFA, *[0xF8] * 49):
        midi.hear(message)
    assert store.values()["tap"] == 1 + 3


def test_a_knob_that_another_model_lacks_rests() -> None:
    store = ParameterStore(PARAMETERS)
    midi = remote(store, {1: "gain"})
    store.adopt([parameter for parameter in PARAMETERS if parameter.name != "gain"])
    for message in messages(0xB0, 1, 127):
        midi.hear(message)
    assert "gain" not in store.values()


@pytest.mark.parametrize(
    ("port", "knobs", "sentence"),
    [
        ("virtual", {1: "brightnes"}, "Did you mean 'brightness'"),
        ("virtual", {128: "brightness"}, "from 0 to 127"),
        ("virtual", {1: "scene"}, "programme changes"),
        ("virtual", {1: ["brightness"]}, "which is no parameter"),
        ("no such desk", {}, "no MIDI"),
    ],
)
def test_what_cannot_be_is_one_sentence(port: str, knobs: dict[int, str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        MidiRemote(ParameterStore(PARAMETERS), port, knobs)
