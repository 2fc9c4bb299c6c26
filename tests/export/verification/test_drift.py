"""Drift: measured at the steps asked for, each side with its own states."""

import dataclasses

import numpy as np
import pytest

from engine.model.card import MOST_PSNR_DB, Drift
from engine.model.step import Step, StepInputs
from export.verification.drift import difference, draw_drift, drift_record, measure_drift, psnr_db, spread_steps
from export.verification.players import OnnxPlayer, TorchPlayer
from export.verification.sound import made_sound
from tests.export.precise import program, traced
from tests.training.clips import RATE_HZ


def test_the_float32_graph_stands_in_for_torch() -> None:
    graph = traced()[0]
    drifts = measure_drift(graph, TorchPlayer(graph), OnnxPlayer(graph, program()), made_sound(RATE_HZ), (1, 5, 20))
    assert [drift.step for drift in drifts] == [1, 5, 20]
    assert all(drift.state_max < 1e-4 and drift.psnr_db > 60 for drift in drifts)


class Stateless(TorchPlayer):
    """A player that starts each step from the initial state."""

    def step(self, inputs: StepInputs) -> Step:
        return TorchPlayer(self.graph).step(inputs)


def test_a_side_that_loses_its_states_is_noticed() -> None:
    graph = traced()[0]
    first, later = measure_drift(graph, TorchPlayer(graph), Stateless(graph), made_sound(RATE_HZ), (1, 8))
    assert first == Drift(step=1, psnr_db=MOST_PSNR_DB, frame_max=0.0, state_max=0.0)
    assert later.state_max > 1e-2
    assert later.psnr_db < 60


def test_one_that_is_made_to_amplify_rounding_is_compared_from_the_same_states(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = traced()[0]
    sound, other = made_sound(RATE_HZ), TorchPlayer(graph)
    other.state = {name: value + 0.5 for name, value in other.state.items()}
    assert measure_drift(graph, TorchPlayer(graph), other, sound, (3,))[0].state_max > 1e-2
    monkeypatch.setattr(type(graph.model), "amplifies_rounding", True)
    assert measure_drift(graph, TorchPlayer(graph), other, sound, (3,))[0].state_max == 0.0
    (lost,) = measure_drift(graph, TorchPlayer(graph), Stateless(graph), sound, (8,))
    assert lost.state_max > 1e-2


def given(level: int, state: float) -> Step:
    return Step(np.full((4, 4, 3), level, np.uint8), np.zeros(2, np.float32), {"s": np.full(3, state, np.float32)})


def test_figures_of_one_step() -> None:
    found = difference(7, given(200, 1.0), given(198, 1.5))
    assert found.psnr_db == pytest.approx(20 * np.log10(255 / 2))
    assert dataclasses.astuple(found)[2:] == (2.0, 0.5)
    assert difference(1, given(0, 0.0), given(255, float("nan"))) == Drift(
        step=1, psnr_db=0.0, frame_max=255.0, state_max=float("inf")
    )
    assert psnr_db(given(3, 0).pixels_HWC, given(3, 0).pixels_HWC) == MOST_PSNR_DB


@pytest.mark.parametrize("last", [1, 2, 64, 20000])
def test_steps_are_spread_over_the_decades(last: int) -> None:
    steps = spread_steps(last)
    assert steps[0] == 1
    assert steps[-1] == last
    assert list(steps) == sorted(set(steps))
    assert len(steps) <= 8 * 5


def test_the_curve_is_a_frame_and_a_record() -> None:
    drifts = [difference(step, given(10, 0.0), given(11, 0.1)) for step in (1, 10)]
    assert draw_drift({"int8": drifts}, "drift").startswith(b"\x89PNG")
    assert [record["step"] for record in drift_record(drifts)] == [1, 10]
