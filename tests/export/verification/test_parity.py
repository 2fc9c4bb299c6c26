"""What the parity check measures, what it lets through and what it blames."""

import functools
import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from engine.core.errors import ModelFileError
from engine.model.card import Provenance
from export.targets.onnx.model import export_model
from export.targets.onnx.trace import trace
from export.verification.graph import FLOAT_FRAME_OUTPUT, StepGraph
from export.verification.parity import PROBE_SOUND, MeasuredParity, check_parity, measure_parity
from tests.training.models import VARIANTS, small_model, unsteady_model
from training.core.front_end import FrontEndConfig
from training.core.streaming import StreamingModel

STEPS = 16
STATE = "motion_0"


@functools.cache
def exported() -> tuple[StreamingModel, bytes]:
    model = small_model()
    return model, trace(StepGraph(model)).SerializeToString()


def changed(content: bytes, output: str, operator: str, value: float) -> bytes:
    """Return a graph whose `output` is changed by one operation more."""
    program = onnx.ModelProto.FromString(content)
    graph = program.graph
    for node in graph.node:
        node.output[:] = [f"{name}_before" if name == output else name for name in node.output]
        node.input[:] = [f"{name}_before" if name == output else name for name in node.input]
    graph.initializer.append(onnx.numpy_helper.from_array(np.array(value, np.float32), "changed_by"))
    graph.node.append(onnx.helper.make_node(operator, [f"{output}_before", "changed_by"], [output]))
    return bytes(program.SerializeToString())


def measured(output: str, operator: str, value: float) -> MeasuredParity:
    """Measure a graph whose `output` is changed by one operation more."""
    model, content = exported()
    return measure_parity(StepGraph(model), changed(content, output, operator, value), STEPS)


def changed_bytes(levels: int) -> MeasuredParity:
    """Measure a graph whose frame is `levels` brighter, or less where it would be above 255."""
    model, content = exported()
    program = onnx.ModelProto.FromString(content)
    graph = program.graph
    (last,) = (node for node in graph.node if "frame" in node.output)
    last.output[:] = ["bytes"]
    limits = {"added": np.array(levels, np.int32), "white": np.array(255, np.int32)}
    graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in limits.items())
    make = onnx.helper.make_node
    graph.node.extend(
        [
            make("Cast", ["bytes"], ["whole"], to=onnx.TensorProto.INT32),
            make("Add", ["whole", "added"], ["brighter"]),
            make("Min", ["brighter", "white"], ["clipped"]),
            make("Cast", ["clipped"], ["frame"], to=onnx.TensorProto.UINT8),
        ]
    )
    return measure_parity(StepGraph(model), program.SerializeToString(), STEPS)


def test_an_exported_graph_is_within_the_limits() -> None:
    model, content = exported()
    found = measure_parity(StepGraph(model), content, STEPS)
    assert found.within_limits
    assert found.recorded.steps == STEPS


def test_bytes_may_be_one_level_apart_and_no_more() -> None:
    assert changed_bytes(1).within_limits
    found = changed_bytes(2)
    assert found.levels_max == 2
    assert not found.within_limits


def test_states_are_judged_by_their_own_size() -> None:
    name = f"{STATE}_next"
    assert measured(name, "Mul", 1.001).within_limits
    found = measured(name, "Mul", 1.1)
    assert found.state_error > 0.05
    assert not found.within_limits


def test_a_sound_checkpoint_is_not_blamed() -> None:
    model, _ = exported()
    found = measured(f"{STATE}_next", "Mul", 1.5)
    with pytest.raises(ModelFileError, match=r"The checkpoint is sound: the export is at fault.*onnxruntime \d"):
        check_parity(found, Path("x.onnx"), StepGraph(model))
    with pytest.raises(ModelFileError, match=r"without --for and --passes: a rewrite may be at fault \(root_two\)"):
        check_parity(found, Path("x.onnx"), StepGraph(model), ("root_two",))


def test_a_graph_that_is_not_finite_is_refused_whatever_its_bytes() -> None:
    model, _ = exported()
    found = measured(FLOAT_FRAME_OUTPUT, "Mul", float("nan"))
    assert found.levels_max <= 1
    with pytest.raises(ModelFileError, match=r"differs from torch by values that are not finite.*checkpoint is sound"):
        check_parity(found, Path("x.onnx"), StepGraph(model))


def test_a_checkpoint_with_weights_that_are_not_finite_is_blamed(tmp_path: Path) -> None:
    model = small_model()
    with torch.no_grad():
        model.generator.to_rgb[0].weight.fill_(float("nan"))  # type: ignore[union-attr]
    provenance = Provenance(source="", licence="", config="", commit="", iterations=0)
    with pytest.raises(ModelFileError, match=r"was not written.*checkpoint is at fault: torch's own values") as caught:
        export_model(model, provenance, tmp_path / "bad.onnx")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_amplifies_rounding_is_blamed() -> None:
    graph = StepGraph(unsteady_model())
    found = measure_parity(graph, trace(graph).SerializeToString())
    assert not found.within_limits
    with pytest.raises(ModelFileError, match="at fault: it amplifies rounding, so that torch in 32 bits differs"):
        check_parity(found, Path("x.onnx"), graph)


def test_one_that_is_made_to_amplify_rounding_is_compared_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    model = unsteady_model()
    graph = StepGraph(model)
    content = trace(graph).SerializeToString()
    assert not measure_parity(graph, content).within_limits
    monkeypatch.setattr(type(model), "amplifies_rounding", True)
    found = measure_parity(graph, content)
    assert found.within_limits
    assert found.recorded.sound.endswith("each step from the states of torch")
    wrong = changed(content, f"{STATE}_next", "Mul", 1.1)
    assert not measure_parity(graph, wrong).within_limits, "a wrong graph is still found"


def test_one_that_may_amplify_rounding_and_does_not_carries_its_states(monkeypatch: pytest.MonkeyPatch) -> None:
    model, content = exported()
    monkeypatch.setattr(type(model), "amplifies_rounding", True)
    assert measure_parity(StepGraph(model), content, STEPS).recorded.sound == PROBE_SOUND
    found = measured(f"{STATE}_next", "Mul", 1.1)
    assert not found.within_limits
    assert found.recorded.sound == PROBE_SOUND


@pytest.mark.parametrize("kind", ["mel", "lms", "mfcc"])
def test_features_of_any_size_pass(kind: str) -> None:
    """Untrained weights meet decibels and powers far from 1 here."""
    front_end = FrontEndConfig(kind=kind, mel_bands=20, sample_rate_hz=22000)  # type: ignore[arg-type]
    graph = StepGraph(small_model(front_end=front_end))
    assert measure_parity(graph, trace(graph).SerializeToString()).within_limits


@pytest.mark.parametrize("variant", ["full", "prediction_everywhere"])
def test_the_exporter_has_nothing_to_say(variant: str, caplog: pytest.LogCaptureFixture) -> None:
    trace(StepGraph(small_model(**VARIANTS[variant])))
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
