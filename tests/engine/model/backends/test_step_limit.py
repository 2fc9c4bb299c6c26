"""A step that outlasts its limit: stopped where that is possible, told where it is not, failed in both cases."""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from engine.core.errors import BackendError, StepError
from engine.model.backend import Backend, WrappedBackend
from engine.model.backends.onnx_cpu import open_model
from engine.model.backends.step_limit import MOST_LOOKS, LimitedBackend
from engine.model.file import sealed
from engine.model.step import Step, StepInputs, resting_inputs
from tests.engine.model.probe_model import CARD, program, write_known


class SlowBackend(WrappedBackend):
    """A real backend during whose steps the limit's thread looks so often."""

    def __init__(self, inner: Backend, looks: int) -> None:
        super().__init__(inner)
        self.looks = looks
        self.limited: LimitedBackend | None = None
        self.fails = False
        self.stops = False

    def cancel(self) -> bool:
        return self.stops

    def step(self, inputs: StepInputs) -> Step:
        assert self.limited
        for _ in range(self.looks):
            self.limited.look()
        if self.fails:
            raise StepError("cancelled")
        return super().step(inputs)


def slow(probe_file: Path, looks: int, told: list[str]) -> tuple[SlowBackend, LimitedBackend]:
    backend = SlowBackend(open_model(probe_file, threads=1), looks)
    backend.limited = LimitedBackend(backend, told.append)
    return backend, backend.limited


def test_a_step_within_its_limit_is_as_ever(probe_file: Path) -> None:
    told: list[str] = []
    backend, limited = slow(probe_file, MOST_LOOKS - 1, told)
    step = limited.step(resting_inputs(CARD))
    assert np.array_equal(step.pixels_HWC, backend.inner.step(resting_inputs(CARD)).pixels_HWC)
    limited.look()
    assert (limited.name, limited.description, limited.card, told) == ("onnx-cpu", "onnx-cpu, 1 thread", CARD, [])


@pytest.mark.parametrize("stops", [True, False])
def test_a_step_beyond_its_limit_has_failed(probe_file: Path, stops: bool) -> None:
    told: list[str] = []
    backend, limited = slow(probe_file, MOST_LOOKS + 3, told)
    backend.stops = backend.fails = stops
    with pytest.raises(StepError, match=r"probe: the step took longer than 2 s on onnx-cpu\."):
        limited.step(resting_inputs(CARD))
    assert [line.partition(";")[0] for line in told] == (
        [] if stops else ["probe: a step has been running for 2 s, and onnx-cpu cannot stop it"]
    )
    backend.looks, backend.fails = 0, False
    limited.step(resting_inputs(CARD))


def test_other_failures_stay_what_they_are(probe_file: Path) -> None:
    backend, limited = slow(probe_file, 1, [])
    backend.fails = True
    with pytest.raises(BackendError, match="cancelled"):
        limited.step(resting_inputs(CARD))


def test_a_backend_that_is_dropped_is_watched_no_more(probe_file: Path) -> None:
    limited = LimitedBackend(open_model(probe_file, threads=1), print)
    limited.step(resting_inputs(CARD))
    gone = weakref.ref(limited)
    del limited
    gc.collect()
    assert gone() is None


def write_slow(path: Path) -> Path:
    """Write the probe with matrix products that take a while beside its own graph."""
    model, size = program(CARD), 500
    model.graph.initializer.append(numpy_helper.from_array(np.array([size, size], np.int64), "square"))
    model.graph.node.insert(0, helper.make_node("Expand", ["gain", "square"], ["product_0"]))
    for number in range(40):
        given = f"product_{number}"
        model.graph.node.insert(number + 1, helper.make_node("MatMul", [given, given], [f"product_{number + 1}"]))
    model.graph.node.append(helper.make_node("ReduceMax", ["product_40"], ["largest"], keepdims=0))
    model.graph.node.append(helper.make_node("Mul", ["largest", "zero"], ["nothing"]))
    features = next(node for node in model.graph.node if "features" in node.output)
    features.output[0] = "own_features"
    model.graph.node.append(helper.make_node("Add", ["own_features", "nothing"], ["features"]))
    onnx.checker.check_model(model)
    return write_known(sealed(model.SerializeToString(), CARD), path)


@pytest.mark.parametrize("name", ["onnx_cpu", "openvino"])
def test_the_runtimes_stop_between_two_operators(name: str, tmp_path: Path) -> None:
    if name == "openvino":
        pytest.importorskip("openvino")
    from importlib import import_module

    backend = import_module(f"engine.model.backends.{name}").open_model(write_slow(tmp_path / "slow.onnx"), 1)
    done, failures = threading.Event(), []

    def step() -> None:
        try:
            backend.step(resting_inputs(CARD))
        except StepError as error:
            failures.append(error)
        done.set()

    threading.Thread(target=step).start()
    # Asked again until it listens: the step may not have begun.
    while not done.wait(0.05):
        assert backend.cancel()
    assert len(failures) == 1
    backend.step(resting_inputs(CARD))
