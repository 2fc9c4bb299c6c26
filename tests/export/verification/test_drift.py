"""Drift: measured at the steps asked for, each side with its own states."""

import dataclasses

import numpy as np
import pytest

from engine.model.card import MOST_PSNR_DB, Drift
from engine.model.step import Step, StepInputs, resting_inputs
from export.verification.drift import difference, draw_drift, drift_record, measure_drift, psnr_db, spread_steps
from export.verification.graph import StepGraph
from export.verification.players import OnnxPlayer, TorchPlayer
from export.verification.sound import made_sound
from tests.export.precise import program, traced
from tests.training.clips import RATE_HZ
from tests.training.models import unsteady_model


def test_the_float32_graph_stands_in_for_torch() -> None:
    graph = traced()[0]
    drifts = measure_drift(graph, TorchPlayer(graph), OnnxPlayer(graph, program()), made_sound(RATE_HZ), (1, 5, 20))
    assert [drift.step for drift in drifts] == [1, 5, 20]
    assert all(drift.state_max < 1e-4 and drift.psnr_db > 60 for drift in drifts)


class Stateless(TorchPlayer):
    """A player that starts each step from the initial state."""

    def step(self, inputs: StepInputs) -> Step:
        return super().step(inputs.with_states(resting_inputs(self.graph.signature).states))


def test_a_side_that_loses_its_states_is_noticed() -> None:
    graph = traced()[0]
    first, later = measure_drift(graph, TorchPlayer(graph), Stateless(graph), made_sound(RATE_HZ), (1, 8))
    assert first == Drift(step=1, psnr_db=MOST_PSNR_DB, frame_max=0.0, state_max=0.0)
    assert later.state_max > 1e-2
    assert later.psnr_db < 60


class MovedAtFirst(TorchPlayer):
    """A player whose states are off after its first step."""

    steps = 0

    def step(self, inputs: StepInputs) -> Step:
        self.steps += 1
        step = super().step(inputs)
        moved = {name: value + 0.5 for name, value in step.next_state.items()}
        return step._replace(next_state=moved) if self.steps == 1 else step


def test_only_where_torch_parts_by_rounding_does_each_step_begin_with_the_states_of_torch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steady, unsteady = traced()[0], StepGraph(unsteady_model())
    sound = made_sound(RATE_HZ)

    def apart(graph: StepGraph, player: TorchPlayer) -> float:
        return measure_drift(graph, TorchPlayer(graph), player, sound, (3,))[0].state_max

    assert min(apart(graph, MovedAtFirst(graph)) for graph in (steady, unsteady)) > 1e-2
    monkeypatch.setattr(type(steady.model), "amplifies_rounding", True)
    assert apart(steady, MovedAtFirst(steady)) > 1e-2
    assert apart(unsteady, MovedAtFirst(unsteady)) == 0.0
    assert apart(unsteady, Stateless(unsteady)) > 1e-2, "a side that loses its states is still noticed"


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
