"""Controls that nobody sees are no parameters: what names one goes on without it, and is told once."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.app.command_line import parse_command
from engine.control.left_out import left_out_controls
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for, replayed_parameters
from engine.control.remotes.midi.controller_folder import ControllerFolder, read_given
from engine.control.remotes.remote_access import LockedError, RemoteAccess
from engine.control.scenes.scene_files import Scene
from engine.model.backends.onnx_cpu import open_model
from engine.model.control_effect import ControlEffect
from engine.model.session import Session
from tests.engine.control.scenes.test_scene_controller import Show
from tests.engine.model.probe_model import CARD, write_probe
from tests.engine.model.switchers import window

WITHOUT = replace(
    CARD,
    controls=(),
    fixed_controls=CARD.controls,
    control_effects=(ControlEffect(name="gain", levels=0.4, least_levels=2.0),),
)
SENTENCE = "gain is no parameter of the model probe: over its whole range it changes the frames by 0.4 of 255 levels, less than the 2 that a parameter has to; it is left out."


@pytest.fixture
def without(tmp_path: Path) -> Path:
    return write_probe(tmp_path / "without.onnx", WITHOUT)


def test_it_has_a_sentence_and_no_parameter() -> None:
    assert left_out_controls(WITHOUT) == {"gain": SENTENCE}
    assert left_out_controls(CARD) == {}
    names = [parameter.name for parameter in parameters_for(WITHOUT)]
    assert "gain" not in names
    assert [parameter.name for parameter in replayed_parameters(WITHOUT)] == [*names, "gain"]


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ("--gain 3", ""),
        ("--map gain=level", ""),
        ("--gain 3 --map gain=level", "controls: {gain: 2}"),
        ("", "mappings: {gain: level}"),
        ("", "midi_parameters: {1: gain, 2: zoom}"),
        ("--remote-lock gain,zoom --gain 3", ""),
    ],
)
def test_configurations_that_name_it_are_read_with_one_notice(without: Path, flags: str, text: str) -> None:
    file = without.with_name("show.yaml")
    file.write_text(text)
    command = parse_command(["--model", str(without), "--config", str(file), *shlex.split(flags)])
    assert not isinstance(command, str)
    config = command.resolved.config
    assert command.resolved.notices == (SENTENCE,)
    assert (config.controls, config.mappings) == ({}, {})
    assert "gain" not in config.midi_parameters.values()


def test_a_controller_file_that_names_it_is_used_with_one_notice(without: Path) -> None:
    file = without.with_name("pad.yaml")
    file.write_text(
        "assignments: [{control: 1, parameter: gain, high: 2}, {control: 2, parameter: zoom}, {note: 3, parameter: gain}]"
    )
    command = parse_command(["--model", str(without), "--midi", "all", "--controller", str(file)])
    assert not isinstance(command, str)
    assert command.resolved.notices == (SENTENCE,)
    assert command.resolved.config.controller == (str(file),)
    lines = list[str]()
    parameters = {parameter.name: parameter for parameter in parameters_for(WITHOUT)}
    given = ControllerFolder(read_given([str(file)]), "none", lines.append, left_out=left_out_controls(WITHOUT))
    found = given.find("pad", parameters)
    assert [assignment.parameter for assignment in found.file.assignments] == ["gain", "zoom", "gain"]
    assert lines == []


def test_a_learnt_controller_file_that_names_it_is_told_with_its_control(without: Path) -> None:
    file = without.with_name("pad.yaml")
    file.write_text("{match: pad, assignments: [{control: 1, parameter: gain}, {control: 2, parameter: zoom}]}")
    lines = list[str]()
    parameters = {parameter.name: parameter for parameter in parameters_for(WITHOUT)}
    ControllerFolder((), without.parent, lines.append, left_out=left_out_controls(WITHOUT)).find("pad", parameters)
    (line,) = lines
    assert "moves 'gain' with control 1, which is no parameter." in line
    assert line.endswith("It has no effect; the show goes on.")


def test_a_lock_that_names_it_holds_when_a_model_has_it() -> None:
    store, told = ParameterStore(parameters_for(WITHOUT)), list[str]()
    access = RemoteAccess(store, ["gain"], told.append, left_out=left_out_controls(WITHOUT))
    store.replace_parameters(parameters_for(CARD))
    with pytest.raises(LockedError):
        access.set("gain", 2.0, origin="OSC")


def test_a_scene_that_names_it_is_recalled_with_one_notice(without: Path, tmp_path: Path) -> None:
    show = Show(without, tmp_path / "scenes")
    show.scenes.save(Scene(number=1, values={"gain": 3.0, "zoom": 1.5}))
    for _ in range(2):
        show.store.set("scene", 1)
        show.play_on(2)
    assert show.told == [SENTENCE]
    assert len(show.recalled) == 2
    assert show.store.values()["zoom"] == 1.5


def test_a_step_has_its_default_unless_a_take_gives_it_a_value(without: Path, probe_file: Path) -> None:
    def frame(model: Path, **values: float) -> np.ndarray:
        return Session(open_model(model, 1)).step(window(3), values, 0).pixels_HWC

    assert np.array_equal(frame(without), frame(probe_file))
    assert np.array_equal(frame(without, gain=3.0), frame(probe_file, gain=3.0))
    assert not np.array_equal(frame(without), frame(without, gain=3.0))
