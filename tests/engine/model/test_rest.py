"""The state of rest: where silence brings a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.model.backend import WrappedBackend
from engine.model.backends.onnx_cpu import open_model
from engine.model.rest import REST_S, RestingBackend
from engine.model.session import Session
from engine.model.step import Step, StepInputs
from tests.engine.model.probe_model import CARD, DECAY, write_looking_probe, write_probe
from tests.engine.model.test_session import FailingBackend

RINGING = replace(CARD, states=(replace(CARD.states[0], initial=1.0),))


@pytest.fixture
def ringing_file(tmp_path: Path) -> Path:
    return write_probe(tmp_path / "ringing.onnx", RINGING)


def test_a_show_begins_where_silence_leads_and_a_reset_leads_back_there(ringing_file: Path) -> None:
    backend = RestingBackend(open_model(ringing_file, 1))
    steps = round(REST_S * CARD.fps)
    assert backend.initial_state()["memory"] == pytest.approx(DECAY**steps, rel=1e-3)
    session = Session(backend)
    assert session.snapshot()["memory"] == backend.initial_state()["memory"]
    session.step(np.full(CARD.window_samples, 0.5, np.float32), {}, 0)
    assert session.snapshot()["memory"] > 0.4
    silent = np.zeros(CARD.window_samples, np.float32)
    session.step(silent, {"reset": 1}, 1)
    assert session.snapshot()["memory"] < 1e-4


def test_the_state_of_rest_is_a_value(ringing_file: Path) -> None:
    backend = RestingBackend(open_model(ringing_file, 1))
    first = backend.initial_state()
    assert np.array_equal(first["memory"], backend.initial_state()["memory"])


def test_where_a_step_fails_the_initial_state_is_taken(ringing_file: Path) -> None:
    failing = FailingBackend(open_model(ringing_file, 1))
    failing.fails = True
    assert RestingBackend(failing).initial_state()["memory"] == 1.0


class DivergingBackend(WrappedBackend):
    """Silence leads it to no number."""

    def step(self, inputs: StepInputs) -> Step:
        step = self.inner.step(inputs)
        return step._replace(next_state={name: np.full_like(x, np.nan) for name, x in step.next_state.items()})


def test_where_silence_leads_to_no_number_the_initial_state_is_taken(ringing_file: Path) -> None:
    assert RestingBackend(DivergingBackend(open_model(ringing_file, 1))).initial_state()["memory"] == 1.0


class CountingBackend(WrappedBackend):
    """Counts its steps."""

    steps = 0

    def step(self, inputs: StepInputs) -> Step:
        self.steps += 1
        return self.inner.step(inputs)


def test_a_model_that_is_given_a_picture_begins_there_and_not_after_silence(tmp_path: Path) -> None:
    looking = CountingBackend(open_model(write_looking_probe(tmp_path / "looking.onnx"), 1))
    plain = CountingBackend(open_model(write_probe(tmp_path / "probe.onnx"), 1))
    RestingBackend(looking)
    RestingBackend(plain)
    assert looking.steps == 0
    assert plain.steps == round(REST_S * CARD.fps)
