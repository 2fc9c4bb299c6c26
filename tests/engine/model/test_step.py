"""The inputs of a step by name, among them pictures, and outputs beside the frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.model.backend import Backend
from engine.model.backends import onnx_cpu, openvino
from engine.model.session import Session
from engine.model.step import initial_state, resting_inputs
from tests.conftest import require
from tests.engine.model.backends.backend_contract import promises
from tests.engine.model.backends.test_backend_contract import open_bound
from tests.engine.model.probe_model import CARD, LOOKING_CARD, write_looking_probe


@pytest.fixture(params=["onnx-cpu", "openvino", "onnx-device"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    path = write_looking_probe(tmp_path / "looking.onnx")
    if request.param == "openvino":
        require(openvino.obstacle() is None, str(openvino.obstacle()))
        return openvino.open_model(path, threads=1)
    return open_bound(path) if request.param == "onnx-device" else onnx_cpu.open_model(path, threads=1)


def test_the_inputs_at_rest_are_silence_defaults_black_and_the_initial_state() -> None:
    inputs = resting_inputs(replace(LOOKING_CARD, states=(replace(CARD.states[0], initial=0.5),)))
    assert list(inputs) == ["audio", "gain", "jitter", "still", "memory"]
    assert len(inputs) == 5
    assert (float(inputs["gain"]), inputs["memory"].tolist()) == (1.0, [0.5])
    assert (inputs["still"].dtype, inputs["still"].shape) == (np.uint8, (CARD.height, CARD.width, 3))
    assert not any(inputs[name].any() for name in ("audio", "jitter", "still"))


def test_a_batch_has_its_axis_on_every_input() -> None:
    inputs = resting_inputs(replace(LOOKING_CARD, batch=3))
    assert {len(value) for value in inputs.values()} == {3}
    assert initial_state(replace(CARD, batch=3))["memory"].shape == (3, 1)


def test_other_values_leave_the_inputs_as_they_were() -> None:
    resting = resting_inputs(CARD)
    state = {"memory": np.ones(1, np.float32)}
    louder = resting.with_values({"gain": 2.0}, state)
    assert (float(louder["gain"]), louder["gain"].dtype) == (2.0, np.float32)
    assert louder.states is state
    assert float(resting["gain"]) == 1.0
    assert louder["audio"] is resting["audio"]
    with pytest.raises(TypeError):
        louder.without_states["gain"] = np.float32(3.0)  # type: ignore[index]


@promises
def test_a_backend_with_a_picture_keeps(check: Callable[[Backend], None], backend: Backend) -> None:
    check(backend)


def test_a_picture_reaches_the_model_and_its_output_comes_back(backend: Backend) -> None:
    still_HWC = np.zeros((CARD.height, CARD.width, 3), np.uint8)
    still_HWC[2, 3] = (10, 200, 30)
    dark = resting_inputs(LOOKING_CARD)
    step = backend.step(dark.with_values({"still": still_HWC}, dark.states))
    assert step.pixels_HWC[2, 3].tolist() == [10, 200, 30]
    assert step.outputs["brightest"].tolist() == [200]
    assert backend.step(dark).outputs["brightest"].tolist() == [0]


def test_without_a_source_a_session_gives_black(backend: Backend, probe_file: Path) -> None:
    window = np.full(CARD.window_samples, 0.25, np.float32)
    ours, plain = Session(backend, seed=3), Session(onnx_cpu.open_model(probe_file, threads=1), seed=3)
    for index in range(3):
        frame, expected = ours.step(window, {}, index), plain.step(window, {}, index)
        assert np.abs(frame.pixels_HWC.astype(int) - expected.pixels_HWC).max() <= 1
