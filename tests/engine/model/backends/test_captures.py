"""CUDA graphs are captured by the thread that plays. ONNX Runtime on the processor ignores the number of a graph, and is given it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.core.clock import WallClock
from engine.model.backends import onnx_session
from engine.model.backends.onnx_device import CAPTURE_AFTER_STEPS, HOST, OnnxDeviceBackend
from engine.model.capture_gate import CAPTURES
from engine.model.loading import load_model
from engine.model.step import resting_inputs
from tests.engine.model.probe_model import CARD

PLAIN = "-1"


class Watched:
    """A session of ONNX Runtime that notes with which graph each step ran, and in which thread."""

    def __init__(self, path: Path) -> None:
        runtime = onnx_session.load_runtime("test", "live")
        options = onnx_session.session_options(runtime, 1)
        self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.graphs: list[str] = []
        self.threads: list[int] = []
        self.can_capture = True

    def io_binding(self) -> Any:
        return self._session.io_binding()

    def run_with_iobinding(self, binding: Any, options: Any) -> None:
        self.graphs.append(options.get_run_config_entry("gpu_graph_id"))
        self.threads.append(threading.get_ident())
        if not self.can_capture and self.graphs[-1] != PLAIN:
            # As ONNX Runtime raises it: a binding without its inputs.
            binding = self._session.io_binding()
        self._session.run_with_iobinding(binding, options)


@pytest.fixture
def session(probe_file: Path) -> Watched:
    return Watched(probe_file)


def opened(session: Watched, graphs: bool = True) -> OnnxDeviceBackend:
    backend = OnnxDeviceBackend(session, CARD, "test", "test", HOST, graphs)
    backend.warm_up()
    return backend


def take_steps(backend: OnnxDeviceBackend, steps: int) -> None:
    inputs = resting_inputs(CARD)
    for _ in range(steps):
        inputs = inputs.with_states(backend.step(inputs).next_state)


def in_another_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_a_thread_that_loads_captures_nothing(session: Watched) -> None:
    def load() -> None:
        load_model("probe.onnx", lambda path, is_stopped: opened(session), CARD, CARD.window_samples, WallClock())

    in_another_thread(load)
    assert 0 < len(session.graphs) <= CAPTURE_AFTER_STEPS
    assert set(session.graphs) == {PLAIN}


def test_the_thread_that_plays_captures_each_direction_and_replays_it(session: Watched) -> None:
    backends: list[OnnxDeviceBackend] = []
    in_another_thread(lambda: backends.append(opened(session)))
    session.graphs.clear()
    take_steps(backends[0], CAPTURE_AFTER_STEPS + 4)
    assert session.graphs[:CAPTURE_AFTER_STEPS] == [PLAIN] * CAPTURE_AFTER_STEPS
    assert sorted(session.graphs[CAPTURE_AFTER_STEPS:]) == ["1", "1", "2", "2"]


def test_another_thread_does_not_replay_what_it_has_not_captured(session: Watched) -> None:
    backend = opened(session)
    take_steps(backend, CAPTURE_AFTER_STEPS + 2)
    assert session.graphs[-1] != PLAIN
    session.graphs.clear()
    in_another_thread(lambda: take_steps(backend, CAPTURE_AFTER_STEPS))
    assert set(session.graphs) == {PLAIN}


def test_while_a_model_is_opened_steps_run_without_a_graph_or_with_one_they_have(session: Watched) -> None:
    backend = opened(session)
    with CAPTURES.opening():
        take_steps(backend, CAPTURE_AFTER_STEPS + 2)
        assert set(session.graphs) == {PLAIN}
    take_steps(backend, 2)
    assert sorted(session.graphs[-2:]) == ["1", "2"]
    with CAPTURES.opening():
        take_steps(backend, 2)
    assert sorted(session.graphs[-2:]) == ["1", "2"]


def test_what_cannot_be_captured_plays_without_graphs(session: Watched) -> None:
    backend = opened(session)
    session.can_capture = False
    take_steps(backend, CAPTURE_AFTER_STEPS + 4)
    assert len([graph for graph in session.graphs if graph != PLAIN]) == 1
    assert session.graphs[-4:] == [PLAIN] * 4


def test_without_graphs_nothing_is_captured(session: Watched) -> None:
    take_steps(opened(session, graphs=False), CAPTURE_AFTER_STEPS + 4)
    assert set(session.graphs) == {PLAIN}
