"""A file with a batch: every slot is bit-exact with a session alone, whichever slots join and leave."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from engine.model.backends.onnx_cpu import OnnxCpuBackend, open_model
from engine.model.batching import BatchSlot, StepBatcher
from engine.model.card import Provenance
from engine.model.file import sealed
from engine.model.noise import draw_noise
from engine.model.step import State, Step, StepInputs, resting_inputs
from export.targets.card import model_card
from export.targets.onnx.trace import remove_float_frame, trace
from export.verification.graph import StepGraph
from export.verification.parity import PARITY_STEPS, measure_parity, probe_sound, windows
from tests.training.models import VARIANTS, small_model
from training.core.streaming import StreamingModel

BATCH = 3
PROVENANCE = Provenance(source="random weights", licence="MIT", config="small", commit="none", iterations=0)

# Each of these parts of the generator treats the batch axis in its own way.
VARIANT = {**VARIANTS["warp"], **VARIANTS["resonators"], "relief_rank": 3, "content_noise": 2, "image_size": "24x16"}


@pytest.fixture(scope="module")
def model() -> StreamingModel:
    return small_model(**VARIANT)


@pytest.fixture(scope="module")
def programs(model: StreamingModel) -> dict[int, onnx.ModelProto]:
    return {batch: trace(StepGraph(model, batch)) for batch in (1, BATCH)}


@pytest.fixture(scope="module")
def files(
    model: StreamingModel, programs: dict[int, onnx.ModelProto], tmp_path_factory: pytest.TempPathFactory
) -> dict[int, Path]:
    """A file without a batch and one with a batch of three, with the same weights."""
    folder, written = tmp_path_factory.mktemp("batch"), {}
    parity = measure_parity(StepGraph(model), programs[1].SerializeToString(), steps=1).recorded
    for batch, program in programs.items():
        content = onnx.ModelProto()
        content.CopyFrom(program)
        remove_float_frame(content)
        card = model_card(StepGraph(model, batch), PROVENANCE, parity)
        written[batch] = folder / f"small-{batch}.onnx"
        written[batch].write_bytes(sealed(content.SerializeToString(), card))
    return written


def test_the_graph_with_a_batch_equals_torch(model: StreamingModel, programs: dict[int, onnx.ModelProto]) -> None:
    measured = measure_parity(StepGraph(model, BATCH), programs[BATCH].SerializeToString())
    assert measured.recorded.steps == PARITY_STEPS
    assert measured.within_limits


def test_parity_sees_a_control_that_reaches_another_slot(
    model: StreamingModel, programs: dict[int, onnx.ModelProto]
) -> None:
    swapped = onnx.ModelProto()
    swapped.CopyFrom(programs[BATCH])
    order = onnx.numpy_helper.from_array(np.array([1, 0, 2]), "order")
    swapped.graph.initializer.append(order)
    for node in swapped.graph.node:
        node.input[:] = ["other_motion" if name == "motion" else name for name in node.input]
    swapped.graph.node.insert(0, onnx.helper.make_node("Gather", ["motion", "order"], ["other_motion"], axis=0))
    assert not measure_parity(StepGraph(model, BATCH), swapped.SerializeToString(), 4).within_limits


class Alone:
    """A session by itself: its next inputs, and the steps of the file without a batch."""

    def __init__(self, backend: OnnxCpuBackend, seed: int) -> None:
        card = backend.card
        self.backend, self.seed = backend, seed
        self.state: State = backend.initial_state()
        random = np.random.default_rng(seed)
        self.controls = {spec.name: float(random.uniform(0.0, 1.5)) for spec in card.controls}
        sound = np.roll(probe_sound(PARITY_STEPS * card.hop_samples, card.sample_rate_hz), 4000 * seed)
        self.windows = windows(sound, card.window_samples, card.hop_samples, PARITY_STEPS)
        self.index = 0

    def request(self) -> StepInputs:
        noise = draw_noise(self.backend.card.noises, self.seed, self.index)
        values = {"audio": self.windows[self.index], **self.controls, **noise}
        return resting_inputs(self.backend.card).with_values(values, self.state)

    def step(self) -> Step:
        step = self.backend.step(self.request())
        self.state, self.index = step.next_state, self.index + 1
        return step


def presence() -> Iterator[tuple[int, set[int]]]:
    """Yield which sessions take each of 64 steps: one takes all, one joins late and misses hops, one leaves and is replaced."""
    for k in range(PARITY_STEPS):
        present = {0}
        if k >= 5 and k % 4:
            present.add(1)
        if k < 20:
            present.add(2)
        elif k >= 30:
            present.add(3)
        yield k, present


@pytest.mark.parametrize("threads", [1, 2])
def test_slots_are_bit_exact_with_sessions_alone(files: dict[int, Path], threads: int) -> None:
    one, batcher = open_model(files[1], threads), StepBatcher(open_model(files[BATCH], threads))
    assert batcher.card.input_tensors() == one.card.input_tensors()
    alone = {seed: Alone(one, seed) for seed in range(4)}
    slots: dict[int, BatchSlot] = {}
    states: dict[int, State] = {}
    for k, present in presence():
        if k == 20:
            slots.pop(2).leave()
        for seed in present - slots.keys():
            slots[seed] = batcher.join()
            states[seed] = slots[seed].initial_state()
        requests = {slots[seed]: alone[seed].request().with_states(states[seed]) for seed in present}
        came = batcher.step(requests)
        assert came.keys() == requests.keys()
        for seed in present:
            expected, step = alone[seed].step(), came[slots[seed]]
            states[seed] = step.next_state
            assert np.array_equal(step.pixels_HWC, expected.pixels_HWC)
            assert np.array_equal(step.features_F, expected.features_F)
            for name, value in expected.next_state.items():
                assert np.array_equal(step.next_state[name], value)
    assert slots[3].index == 1, "the slot that was freed"
    assert [alone[seed].index for seed in range(4)] == [64, 45, 20, 34]


def test_torch_gives_each_slot_its_own_controls(model: StreamingModel) -> None:
    audio = 0.3 * torch.randn(BATCH, 4, model.window_samples, generator=torch.Generator().manual_seed(3))
    noise = model.draw_noise(BATCH, 4, torch.Generator().manual_seed(4))
    controls = {spec.name: torch.tensor([0.0, 1.0, 2.0]) for spec in model.control_specs()}
    with torch.no_grad():
        together, _, last = model.clip(audio, noise, model.initial_state(BATCH), controls)
        for b in range(BATCH):
            one = {name: value[b] for name, value in controls.items()}
            own = {name: value[b : b + 1] for name, value in noise.items()}
            alone, _, state = model.clip(audio[b : b + 1], own, model.initial_state(1), one)
            torch.testing.assert_close(together[b], alone[0], rtol=0, atol=1e-5)
            for name, value in state.items():
                torch.testing.assert_close(last[name][b], value[0], rtol=0, atol=1e-5)
