"""A file for several rooms: every room plays what it plays alone, to the bit, whoever comes and goes beside it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from engine.model.backends.backend import Arrays, Step
from engine.model.backends.onnx_cpu import OnnxCpuBackend, open_model
from engine.model.batching import BatchSlot, SlotRequest, StepBatcher
from engine.model.card import Provenance
from engine.model.file import sealed
from engine.model.noise import draw_noise
from export.graph import PICTURE_OUTPUT, StepGraph
from export.parity import PARITY_LIMIT, PARITY_STEPS, measure_parity, probe_sound, windows
from export.to_onnx import model_card, trace
from tests.training.models import VARIANTS, small_model
from training.core.streaming import StreamingModel

ROOMS = 3
PROVENANCE = Provenance(source="random weights", licence="MIT", config="small", commit="none", iterations=0)

# Several rooms together must differ from one alone in nothing; these parts each have another way with the batch.
VARIANT = {**VARIANTS["warp"], **VARIANTS["resonators"], "relief_rank": 3, "content_noise": 2}


@pytest.fixture(scope="module")
def model() -> StreamingModel:
    return small_model(**VARIANT)


@pytest.fixture(scope="module")
def programs(model: StreamingModel) -> dict[int, onnx.ModelProto]:
    return {rooms: trace(StepGraph(model, rooms)) for rooms in (1, ROOMS)}


@pytest.fixture(scope="module")
def files(
    model: StreamingModel, programs: dict[int, onnx.ModelProto], tmp_path_factory: pytest.TempPathFactory
) -> dict[int, Path]:
    """A file of one room and one of three, with the same weights."""
    folder, written = tmp_path_factory.mktemp("rooms"), {}
    parity = measure_parity(StepGraph(model), programs[1].SerializeToString(), steps=1)
    for rooms, program in programs.items():
        content = onnx.ModelProto()
        content.CopyFrom(program)
        kept = [output for output in content.graph.output if output.name != PICTURE_OUTPUT]
        del content.graph.output[:]
        content.graph.output.extend(kept)
        card = replace(model_card(model, PROVENANCE, parity), rooms=rooms)
        written[rooms] = folder / f"small-{rooms}.onnx"
        written[rooms].write_bytes(sealed(content.SerializeToString(), card))
    return written


def test_the_graph_of_several_rooms_is_that_of_torch(
    model: StreamingModel, programs: dict[int, onnx.ModelProto]
) -> None:
    parity = measure_parity(StepGraph(model, ROOMS), programs[ROOMS].SerializeToString())
    assert parity.steps == PARITY_STEPS
    assert max(parity.frame_max, parity.state_max) <= PARITY_LIMIT


def test_parity_sees_a_control_that_reaches_another_room(
    model: StreamingModel, programs: dict[int, onnx.ModelProto]
) -> None:
    swapped = onnx.ModelProto()
    swapped.CopyFrom(programs[ROOMS])
    order = onnx.numpy_helper.from_array(np.array([1, 0, 2]), "order")
    swapped.graph.initializer.append(order)
    for node in swapped.graph.node:
        node.input[:] = ["other_motion" if name == "motion" else name for name in node.input]
    swapped.graph.node.insert(0, onnx.helper.make_node("Gather", ["motion", "order"], ["other_motion"], axis=0))
    assert measure_parity(StepGraph(model, ROOMS), swapped.SerializeToString(), 4).frame_max > 10 * PARITY_LIMIT


class Alone:
    """A room of its own: what it asks for next, and what the file of one room makes of it."""

    def __init__(self, backend: OnnxCpuBackend, seed: int) -> None:
        card = backend.card
        self.backend, self.seed = backend, seed
        self.state: Arrays = backend.initial_state()
        random = np.random.default_rng(seed)
        self.controls = {spec.name: float(random.uniform(0.0, 1.5)) for spec in card.controls}
        sound = np.roll(probe_sound(PARITY_STEPS * card.hop_samples, card.sample_rate_hz), 4000 * seed)
        self.windows = windows(sound, card.window_samples, card.hop_samples, PARITY_STEPS)
        self.index = 0

    def ask(self) -> SlotRequest:
        noise = draw_noise(self.backend.card.noises, self.seed, self.index)
        return SlotRequest(self.windows[self.index], self.controls, noise, self.state)

    def step(self) -> Step:
        step = self.backend.step(*self.ask())
        self.state, self.index = step.next_state, self.index + 1
        return step


def attendance() -> Iterator[tuple[int, set[int]]]:
    """Yield who is in at each of 64 steps: one stays throughout, one comes late and misses hops, one leaves and is replaced."""
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
def test_rooms_together_are_rooms_alone_to_the_bit(files: dict[int, Path], threads: int) -> None:
    one, rooms = open_model(files[1], threads), StepBatcher(open_model(files[ROOMS], threads))
    assert rooms.card.inputs() == one.card.inputs()
    alone = {seed: Alone(one, seed) for seed in range(4)}
    inside: dict[int, BatchSlot] = {}
    states: dict[int, Arrays] = {}
    for k, present in attendance():
        if k == 20:
            inside.pop(2).leave()
        for seed in present - inside.keys():
            inside[seed] = rooms.join()
            states[seed] = inside[seed].initial_state()
        asked = {inside[seed]: alone[seed].ask()._replace(state=states[seed]) for seed in present}
        came = rooms.step(asked)
        assert came.keys() == asked.keys()
        for seed in present:
            expected, step = alone[seed].step(), came[inside[seed]]
            states[seed] = step.next_state
            assert np.array_equal(step.pixels_HWC, expected.pixels_HWC)
            assert np.array_equal(step.features_F, expected.features_F)
            for name, value in expected.next_state.items():
                assert np.array_equal(step.next_state[name], value)
    assert inside[3].place == 1, "the place that was left"
    assert [alone[seed].index for seed in range(4)] == [64, 45, 20, 34]


def test_torch_gives_each_room_its_own_controls(model: StreamingModel) -> None:
    audio = 0.3 * torch.randn(ROOMS, 4, model.window_samples, generator=torch.Generator().manual_seed(3))
    noise = model.draw_noise(ROOMS, 4, torch.Generator().manual_seed(4))
    controls = {spec.name: torch.tensor([0.0, 1.0, 2.0]) for spec in model.control_specs()}
    with torch.no_grad():
        together, _, last = model.clip(audio, noise, model.initial_state(ROOMS), controls)
        for r in range(ROOMS):
            one = {name: value[r] for name, value in controls.items()}
            own = {name: value[r : r + 1] for name, value in noise.items()}
            alone, _, state = model.clip(audio[r : r + 1], own, model.initial_state(1), one)
            torch.testing.assert_close(together[r], alone[0], rtol=0, atol=1e-5)
            for name, value in state.items():
                torch.testing.assert_close(last[name][r], value[0], rtol=0, atol=1e-5)
