"""Batch slots of one backend: which are stepped, with which inputs, and that slots do not influence each other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.errors import BackendError, ModelFileError
from engine.model.backends.onnx_cpu import OnnxCpuBackend, open_model
from engine.model.batching import BatchSlot, StepBatcher
from engine.model.noise import draw_noise
from engine.model.session import Session
from engine.model.step import State, Step, StepInputs, resting_inputs
from tests.engine.model.probe_model import CARD

BATCH = 3
FOREVER_S = 60.0
HOPS = 24


class BatchedProbe:
    """The probe as a file with a batch plays it; records the loudness of each slot."""

    name, description = "onnx-cpu", "onnx-cpu, 1 thread"

    def __init__(self, probe: OnnxCpuBackend) -> None:
        self.probe = probe
        self.card = replace(probe.card, batch=BATCH)
        self.loudest: list[list[float]] = []
        self.fails = False

    def initial_state(self) -> dict[str, NDArray[np.float32]]:
        return {name: np.stack([value] * BATCH) for name, value in self.probe.initial_state().items()}

    def step(self, inputs: StepInputs) -> Step:
        if self.fails:
            raise BackendError("the step failed.")
        for info in self.card.input_tensors():
            assert np.shape(inputs[info.name]) == info.shape
        self.loudest.append(np.abs(inputs["audio"]).max(axis=1).tolist())
        steps = [self.probe.step(inputs_of_slot(inputs, b)) for b in range(BATCH)]
        states = {name: np.stack([step.next_state[name] for step in steps]) for name in inputs.states}
        return Step(np.stack([s.pixels_HWC for s in steps]), np.stack([s.features_F for s in steps]), states)


def inputs_of_slot(inputs: StepInputs, index: int) -> StepInputs:
    arrays, states = ({n: v[index] for n, v in part.items()} for part in (inputs.without_states, inputs.states))
    return resting_inputs(CARD).with_values(arrays, states)


@pytest.fixture
def probe(probe_file: Path) -> OnnxCpuBackend:
    return open_model(probe_file, threads=1)


@pytest.fixture
def batched(probe: OnnxCpuBackend) -> BatchedProbe:
    return BatchedProbe(probe)


def window(loudness: float) -> NDArray[np.float32]:
    return np.full(CARD.window_samples, loudness, np.float32)


def request(slot: BatchSlot, loudness: float, state: State | None = None) -> StepInputs:
    values = {"audio": window(loudness), **draw_noise(CARD.noises, 0, 0)}
    return resting_inputs(CARD).with_values(values, slot.initial_state() if state is None else state)


def memory(step: Step) -> float:
    return float(step.features_F[1])


def test_each_slot_has_its_own_sound_and_carries_its_own_state(batched: BatchedProbe) -> None:
    batcher = StepBatcher(batched)
    first, second = batcher.join(), batcher.join()
    steps = batcher.step({first: request(first, 0.25), second: request(second, 0.5)})
    assert [memory(steps[first]), memory(steps[second])] == pytest.approx([0.25, 0.5])
    again = {slot: request(slot, 0.0, steps[slot].next_state) for slot in (first, second)}
    steps = batcher.step(again)
    assert [memory(steps[first]), memory(steps[second])] == pytest.approx([0.125, 0.25])
    assert batched.loudest == [[0.25, 0.5, 0.0], [0.0, 0.0, 0.0]]


def test_a_slot_without_a_new_window_keeps_its_state(batched: BatchedProbe) -> None:
    batcher = StepBatcher(batched)
    waiting, other = batcher.join(), batcher.join()
    steps = batcher.step({waiting: request(waiting, 0.5), other: request(other, 0.5)})
    kept, others = steps[waiting].next_state, steps[other].next_state
    for _ in range(3):
        others = batcher.step({other: request(other, 0.5, others)})[other].next_state
    assert kept["memory"] == pytest.approx([0.5])
    assert memory(batcher.step({waiting: request(waiting, 0.0, kept)})[waiting]) == pytest.approx(0.25)


def test_an_earlier_state_can_be_given_again(batched: BatchedProbe) -> None:
    batcher = StepBatcher(batched)
    slot, other = batcher.join(), batcher.join()
    scene = batcher.step({slot: request(slot, 0.5), other: request(other, 0.25)})
    later = batcher.step({r: request(r, 0.0, scene[r].next_state) for r in (slot, other)})
    back = batcher.step(
        {
            slot: request(slot, 0.0, scene[slot].next_state),
            other: request(other, 0.0, later[other].next_state),
        }
    )
    assert [memory(back[slot]), memory(back[other])] == pytest.approx([0.25, 0.0625])


def test_a_slot_that_was_freed_begins_in_the_initial_state(batched: BatchedProbe) -> None:
    batcher = StepBatcher(batched)
    first, leaving = batcher.join(), batcher.join()
    batcher.step({first: request(first, 0.5), leaving: request(leaving, 0.5)})
    leaving.leave()
    assert batcher.slots == (first,)
    joining = batcher.join()
    assert joining.index == leaving.index
    assert memory(batcher.step({joining: request(joining, 0.125)})[joining]) == pytest.approx(0.125)


def test_a_full_batch_and_a_file_without_one_are_refused_in_one_sentence(
    batched: BatchedProbe, probe: OnnxCpuBackend
) -> None:
    batcher = StepBatcher(batched)
    for _ in range(BATCH):
        batcher.join()
    with pytest.raises(BackendError, match="has 3 batch slots and all are in use; free one"):
        batcher.join()
    with pytest.raises(ModelFileError, match="was exported without a batch"):
        StepBatcher(probe)


def test_a_slot_is_a_backend_to_its_session(batched: BatchedProbe) -> None:
    batcher = StepBatcher(batched, patience_s=0.0)
    session = Session(batcher.join(), seed=3)
    assert session.card.input_tensors() == CARD.input_tensors()
    assert session.backend.description == "onnx-cpu, 1 thread, batch slot 1 of 3"
    alone = Session(batched.probe, seed=3)
    shows = [{}, {"gain": 2.0}, {"freeze": True}, {"reset": 1}, {"gain_db": 6.0}]
    for index, controls in enumerate(shows):
        came, expected = (s.step(window(0.25), controls, index) for s in (session, alone))
        assert np.array_equal(came.pixels_HWC, expected.pixels_HWC)
        assert np.array_equal(came.features_F, expected.features_F)


def show(seed: int) -> Iterator[tuple[NDArray[np.float32], dict[str, float | int | bool], int]]:
    """Yield windows, controls and hop indices of the show in one slot, with skipped hops and a reset."""
    random = np.random.default_rng(seed)
    for k in range(HOPS):
        controls: dict[str, float | int | bool] = {"gain": float(random.uniform(0.0, 3.0)), "reset": int(k > 9 + seed)}
        yield window(float(random.uniform(0.0, 0.5))), controls, k + (seed if k > 12 else 0)


def frames(session: Session, seed: int) -> list[bytes]:
    return [session.step(*given).pixels_HWC.tobytes() for given in show(seed)]


def test_slots_stepped_from_threads_share_every_step(batched: BatchedProbe) -> None:
    expected = [frames(Session(batched.probe, seed), seed) for seed in range(BATCH)]
    batcher = StepBatcher(batched, patience_s=FOREVER_S)
    sessions = [Session(batcher.join(), seed) for seed in range(BATCH)]
    with ThreadPoolExecutor(BATCH) as threads:
        assert list(threads.map(frames, sessions, range(BATCH))) == expected
    assert len(batched.loudest) == HOPS


def test_a_slot_that_is_freed_is_not_waited_for(batched: BatchedProbe) -> None:
    batcher = StepBatcher(batched, patience_s=FOREVER_S)
    staying, leaving = batcher.join(), batcher.join()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(staying.step, request(staying, 0.25))
        leaving.leave()
        assert memory(waiting.result()) == pytest.approx(0.25)


def test_a_slot_that_asks_for_no_step_is_waited_for_once(batched: BatchedProbe) -> None:
    batcher = StepBatcher(batched, patience_s=0.0)
    playing, _ = batcher.join(), batcher.join()
    playing.step(request(playing, 0.5))
    batcher.patience_s = FOREVER_S
    assert memory(playing.step(request(playing, 0.25))) == pytest.approx(0.25)


def test_a_failing_step_fails_for_all_and_changes_no_state(batched: BatchedProbe) -> None:
    batcher = StepBatcher(batched, patience_s=0.0)
    session = Session(batcher.join())
    session.step(window(0.5), {}, 0)
    batched.fails = True
    with pytest.raises(BackendError, match="the step failed"):
        session.step(window(0.5), {}, 1)
    batched.fails = False
    assert session.step(window(0.0), {}, 2).features_F[1] == pytest.approx(0.25)


def test_several_sessions_may_share_a_backend_without_a_batch(probe: OnnxCpuBackend, probe_file: Path) -> None:
    expected = [frames(Session(open_model(probe_file, threads=1), seed), seed) for seed in range(BATCH)]
    sessions = [Session(probe, seed) for seed in range(BATCH)]
    with ThreadPoolExecutor(BATCH) as threads:
        assert list(threads.map(frames, sessions, range(BATCH))) == expected
