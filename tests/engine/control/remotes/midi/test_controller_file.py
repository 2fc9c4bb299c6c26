"""Controller files: read strictly, found by the port's name, written when something is learnt."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import TABLE
from engine.control.remotes.midi.controller_file import (
    Assignment,
    ControllerFile,
    file_name,
    problem_of,
    read_controller,
    write_controller,
)
from engine.control.remotes.midi.controller_folder import SHIPPED, ControllerFolder, check_given, read_given
from engine.control.remotes.midi.midi_remote import MidiRemote, MidiWishes
from engine.control.remotes.midi.ports import AskedPorts
from engine.control.remotes.remote_access import LockedError, RemoteAccess
from engine.core.errors import ConfigError

PARAMETERS = {parameter.name: parameter for parameter in TABLE}


def written(folder: Path, text: str, name: str = "pad.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_files_fit_the_parameters(path: Path) -> None:
    file = read_controller(path)
    assert file.name
    assert file.match
    assert [problem_of(assignment, PARAMETERS) for assignment in file.assignments] == [""] * len(file.assignments)
    for number, one in enumerate(file.assignments):
        assert not any(one.is_same_control(other) for other in file.assignments[number + 1 :]), one


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("assignments: [{control: 1, parameter: brightnes}]", "Did you mean 'brightness'"),
        ("assignments: [{contrl: 1, parameter: zoom}]", "Did you mean 'assignments[0].control'|Did you mean 'control'"),
        ("assignments: [{parameter: zoom}]", "names no control; exactly one of"),
        ("assignments: [{control: 1, note: 2, parameter: zoom}]", "names control and note; exactly one of"),
        ("assignments: [{control: 128, parameter: zoom}]", "a whole number from 0 to 127"),
        ("assignments: [{control14: 32, parameter: zoom}]", "a whole number from 0 to 31"),
        ("assignments: [{control: 1, channel: 0, parameter: zoom}]", "a whole number from 1 to 16"),
        ("assignments: [{control: 1, curve: steep, parameter: zoom}]", "one of 'linear', 'exponential', 's-curve'"),
        ("assignments: [{note: 1, acts: signed_bit, parameter: zoom}]", "encoders send control, not note"),
        ("assignments: [{control: 1, parameter: zoom, high: 9}]", "zoom takes a number from 1 to 4"),
        ("assignments: [{note: 1, parameter: scene}]", "add value: 1"),
        ("[1]", "a mapping was expected"),
        ("a: [", "not valid YAML"),
        ("mach: x", "Did you mean 'match'"),
    ],
)
def test_a_mistake_in_a_file_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=sentence) as caught:
        check_given(read_given([str(path)]), PARAMETERS)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_and_a_locked_parameter_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Cannot read the controller file"):
        read_given([str(tmp_path / "none.yaml")])
    path = written(tmp_path, "assignments: [{control: 1, parameter: record}]")
    with pytest.raises(ConfigError, match="remote_lock locks it"):
        check_given(read_given([str(path)]), PARAMETERS, ["record"])


def test_a_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    file = ControllerFile(
        name="Pad",
        match="pad",
        assignments=(
            Assignment(control=0, channel=3, parameter="zoom", curve="exponential", low=4.0, high=1.0),
            Assignment(pitch_bend=True, parameter="glow", touch=104, pickup=True),
        ),
    )
    write_controller(tmp_path / "new" / "pad.yaml", file)
    assert read_controller(tmp_path / "new" / "pad.yaml") == file


def test_given_files_come_before_learnt_and_those_before_shipped_ones(tmp_path: Path) -> None:
    lines, shipped, own = list[str](), tmp_path / "shipped", tmp_path / "own"
    shipped.mkdir()
    own.mkdir()
    written(shipped, "{match: pad, name: shipped}")
    written(shipped, "{match: pad two, name: longer}", "two.yaml")
    folder = ControllerFolder((), own, lines.append, shipped)
    found = folder.find("Pad One 20:0", PARAMETERS)
    assert (found.file.name, found.path) == ("shipped", own / "pad.yaml")
    assert folder.find("PAD TWO", PARAMETERS).file.name == "longer"
    written(own, "{match: pad, name: learnt}")
    assert folder.find("Pad One 20:0", PARAMETERS).file.name == "learnt"
    given = written(tmp_path, "{name: given}", "given.yaml")
    folder = ControllerFolder(read_given([str(given)]), own, lines.append, shipped)
    assert folder.find("anything", PARAMETERS).path == given
    assert lines == []


def test_a_damaged_file_in_a_folder_costs_a_line(tmp_path: Path) -> None:
    lines = list[str]()
    written(tmp_path, "match: [")
    written(tmp_path, "{match: pad, assignments: [{control: 1, parameter: brightnes}]}", "other.yaml")
    folder = ControllerFolder((), tmp_path, lines.append, tmp_path / "none")
    for _ in range(2):
        assert len(folder.find("pad", PARAMETERS).file.assignments) == 1
    assert len(lines) == 2
    assert "not valid YAML" in lines[0]
    assert "Did you mean 'brightness'? It has no effect; the show goes on." in lines[1]


@pytest.mark.parametrize("port", ["../../etc/passwd", "\x1b[2J", "", "nano 20:0", "x" * 300])
def test_a_port_names_no_place_outside_the_folder(port: str) -> None:
    assert Path(file_name(port)).name == file_name(port)
    assert len(file_name(port)) < 80


def learning(store: ParameterStore, folder: Path, lines: list[str], locked: tuple[str, ...] = ()) -> MidiRemote:
    wishes = MidiWishes(asked=AskedPorts(ports=("pad",)), folder=str(folder), parameters={7: "zoom"})
    return MidiRemote(RemoteAccess(store, locked, lines.append), wishes, None, ["nothing"])


def test_what_is_learnt_is_written_replaced_and_forgotten(store: ParameterStore, tmp_path: Path) -> None:
    lines = list[str]()
    midi = learning(store, tmp_path, lines)
    midi.learning.learn("brightness")
    for position in (30, 40, 50):
        midi.receive("pad 20:0", 0.0, [0xB0, 7, position])
    # Nothing moves while a control is learnt.
    assert store.values()["brightness"] == 1.0
    assert store.values()["zoom"] == 1.0
    midi.receive("pad 20:0", 0.1, [0xB0, 7, 127])
    assert (store.values()["brightness"], store.values()["zoom"]) == (2.0, 1.0)
    midi.close()
    saved = read_controller(tmp_path / "pad.yaml")
    assert saved == ControllerFile(
        name="pad 20:0",
        match="pad",
        assignments=(Assignment(control=7, channel=1, parameter="brightness", acts="position"),),
    )
    # The next show knows it, and the controller of midi_parameters is for other ports.
    again = learning(store, tmp_path, lines)
    again.receive("pad 24:0", 0.0, [0xB0, 7, 0])
    assert store.values()["brightness"] == 0.0
    (known,) = again.learning.assignments()
    again.learning.forget(known.id)
    assert read_controller(tmp_path / "pad.yaml").assignments == ()
    with pytest.raises(ConfigError, match="no such MIDI assignment"):
        again.learning.forget(known.id)


def test_learning_is_cancelled_and_refused(store: ParameterStore, tmp_path: Path) -> None:
    midi = learning(store, tmp_path, [], ("record",))
    midi.learning.learn("glow")
    assert midi.learning.learning == "glow"
    midi.learning.cancel()
    assert midi.learning.learning == ""
    midi.receive("pad", 0.0, [0xB0, 7, 127])
    assert store.values()["zoom"] == 4.0
    with pytest.raises(ConfigError, match="Did you mean 'glow'"):
        midi.learning.learn("glov")
    with pytest.raises(LockedError):
        midi.learning.learn("record")
    with pytest.raises(ConfigError, match="scene takes a number"):
        midi.learning.learn("scene")


def test_a_folder_that_cannot_be_written_costs_a_line_and_the_control_works(
    store: ParameterStore, tmp_path: Path
) -> None:
    lines, no_folder = list[str](), written(tmp_path, "a file")
    midi = learning(store, no_folder, lines)
    midi.learning.learn("blackout")
    midi.receive("pad", 0.0, [0x90, 40, 100])
    midi.receive("pad", 0.1, [0x80, 40, 0])
    midi.receive("pad", 0.2, [0x90, 40, 100])
    assert store.values()["blackout"] is True
    midi.close()
    assert lines[0] == "MIDI: pad: note 40, channel 1 now switches blackout."
    assert "cannot be written" in lines[1]
