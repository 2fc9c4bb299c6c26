"""Controls are measured when a file is made; those that nobody sees are folded into the graph and told."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from engine.core.errors import run_main
from engine.model.backends.onnx_cpu import open_model
from engine.model.card import ControlSpec
from engine.model.step import resting_inputs
from export.measure_controls import main
from export.targets.onnx.model import Form, export_model
from export.to_onnx import report
from export.verification.control_effects import LEAST_LEVELS, backend_effects, effects, model_effects, shows
from tests.engine.model.probe_model import CARD, write_probe
from tests.export.test_to_onnx import PROVENANCE
from tests.training.models import small_model
from training.core.streaming import StreamingModel

LIGHT = ControlSpec(name="light", help="", low=0.0, high=2.0, default=1.0)
SHADE = ControlSpec(name="shade", help="", low=0.0, high=1.0, default=0.0)


def without_grain() -> StreamingModel:
    """Return a small model whose injected noise has no weight."""
    model = small_model()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("grain"):
                parameter.zero_()
    return model


def test_the_effect_is_the_largest_difference_of_two_places_of_the_range() -> None:
    assert shows((LIGHT, SHADE)) == [{}, {}, {"light": 0.0}, {"light": 2.0}, {"shade": 0.0}, {"shade": 1.0}]
    levels = np.array([100, 101, 90, 120, 100, 116], np.uint8)
    frames = iter([np.broadcast_to(levels[:, None, None, None], (6, 2, 2, 3))] * 3)
    light, shade = effects((LIGHT, SHADE), frames)
    assert (light.name, light.levels, light.is_seen) == ("light", 30.0, True)
    assert (shade.name, shade.levels, shade.least_levels, shade.is_seen) == ("shade", 16.0, LEAST_LEVELS, True)


def test_beside_a_control_of_the_noise_all_are_measured_without_noise() -> None:
    """Where other noise changes frames by more than half of their levels, nothing is twice as much."""
    assert shows((LIGHT, SHADE), "shade") == [
        {"shade": 0.0},
        {"shade": 0.0},
        {"light": 0.0, "shade": 0.0},
        {"light": 2.0, "shade": 0.0},
        {"shade": 0.0},
        {"shade": 1.0},
    ]


def test_a_small_part_of_the_frame_counts() -> None:
    shown = np.zeros((4, 20, 20, 3), np.uint8)
    shown[3, :4, :5] = 60
    (light,) = effects((LIGHT,), iter([shown]))
    assert light.levels == 60.0


def test_what_moves_less_than_other_noise_is_not_seen() -> None:
    levels = np.array([100, 110, 100, 119], np.uint8)
    frames = iter([np.broadcast_to(levels[:, None, None, None], (4, 2, 2, 3))])
    (light,) = effects((LIGHT,), frames)
    assert (light.levels, light.least_levels, light.is_seen) == (19.0, 20.0, False)


def test_a_control_without_effect_is_measured_and_left_out(tmp_path: Path) -> None:
    card = export_model(without_grain(), PROVENANCE, tmp_path / "small.onnx")
    grain = next(effect for effect in card.control_effects if effect.name == "grain")
    assert (grain.levels, grain in card.left_out) == (0.0, True)
    graph = onnx.load(str(tmp_path / "small.onnx")).graph
    assert "grain" not in [given.name for given in graph.input]
    assert "grain" not in [control.name for control in card.controls]
    lines = "\n".join(report(card, tmp_path / "small.onnx"))
    assert "control grain changes the frames by 0.0 of 255 levels where they change most, less than" in lines
    backend = open_model(tmp_path / "small.onnx")
    assert backend.step(resting_inputs(backend.card)).pixels_HWC.shape == (16, 16, 3)


def test_a_file_is_measured_like_its_model_and_loses_what_nobody_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, other = tmp_path / "small.onnx", tmp_path / "other.onnx"
    whole = export_model(without_grain(), PROVENANCE, file, Form(all_controls=True))
    assert "grain" in [control.name for control in whole.controls]
    monkeypatch.setattr(sys, "argv", ["measure_controls", str(file), "-o", str(other)])
    with pytest.raises(SystemExit) as left:
        run_main(main)
    assert left.value.code == 0
    assert "control grain changes the frames by 0.0 of 255 levels" in capsys.readouterr().out
    backend = open_model(other)
    assert "grain" in [control.name for control in backend.card.fixed_controls]
    # The graph is the same, so scenes and takes of the file go on.
    assert backend.card.graph_sha256 == whole.graph_sha256
    again, inputs = open_model(file), resting_inputs(backend.card)
    assert np.array_equal(backend.step(inputs).pixels_HWC, again.step(inputs).pixels_HWC)


def test_torch_and_a_file_agree_on_an_effect(tmp_path: Path) -> None:
    model = small_model()
    export_model(model, PROVENANCE, tmp_path / "small.onnx", Form(all_controls=True))
    came = backend_effects(open_model(tmp_path / "small.onnx"), steps=8)
    expected = model_effects(model, steps=8)
    assert [effect.name for effect in came] == [effect.name for effect in expected]
    # Their noises differ.
    for one, other in zip(came, expected, strict=True):
        assert one.levels == pytest.approx(other.levels, rel=0.5, abs=1.0)


@pytest.mark.parametrize(("output", "part"), [("absent/x.onnx", "there is no such folder"), (".", "it is a folder")])
def test_a_place_that_cannot_be_written_is_refused_before_measuring(
    output: str, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_probe(tmp_path / "probe.onnx", CARD)
    monkeypatch.setattr(sys, "argv", ["measure_controls", str(model), "-o", str(tmp_path / output)])
    with pytest.raises(SystemExit) as left:
        run_main(main)
    said, complained = capsys.readouterr()
    assert (left.value.code, said) == (2, "")
    assert part in complained
