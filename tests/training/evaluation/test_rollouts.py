"""A rollout does not depend on the rollouts beside it; floor and model differ only in their sound."""

import numpy as np
import pytest

from tests.training.models import small_model
from training.core.streaming import StreamingModel
from training.data.video import Clip, ClipFormat
from training.data.windows import FrameRange
from training.evaluation.rollouts import generate_all, generate_together, rollout_inputs
from training.evaluation.sequences import HELD_OUT, TRAINED, Part, Rollout, SequencePlan

HOP, FRAMES = 800, 60


@pytest.fixture(scope="module")
def model() -> StreamingModel:
    return small_model(16)


def part(name: str, level: float) -> Part:
    sound = (level * np.random.default_rng(0).standard_normal(FRAMES * HOP)).astype(np.float32)
    clip = Clip(
        np.zeros((FRAMES, 16, 16, 3), np.uint8), sound, ClipFormat(fps=20, image_size=16, sample_rate_hz=16000), ""
    )
    return Part(name, clip, FrameRange(40, 60) if name == HELD_OUT else FrameRange(0, 40), HOP)


def generated(model: StreamingModel, plan: SequencePlan) -> dict[Rollout, np.ndarray]:
    return generate_all(model, rollout_inputs(plan, 1), lambda frames: None)


@pytest.mark.parametrize("name", [HELD_OUT, TRAINED])
def test_a_rollout_does_not_depend_on_the_others(model: StreamingModel, name: str) -> None:
    plan = SequencePlan(part(name, 0.1), {8: (Rollout(0), Rollout(8)), 20: (Rollout(0),)})
    together, alone = generated(model, plan), generated(model, SequencePlan(plan.part, {8: (Rollout(8),)}))
    assert {rollout: len(frames) for rollout, frames in together.items()} == {Rollout(0): 20, Rollout(8): 8}
    assert np.array_equal(together[Rollout(8)], alone[Rollout(8)])
    pair = [
        rollout_inputs(plan, 1)[Rollout(8)],
        rollout_inputs(SequencePlan(plan.part, {8: (Rollout(0),)}), 1)[Rollout(0)],
    ]
    beside = generate_together(model, pair, lambda frames: None)
    assert np.abs(beside[0].astype(int) - alone[Rollout(8)]).max() <= 1  # rounding differs with the batch
    assert np.abs(beside[1].astype(int) - together[Rollout(0)][:8]).max() <= 1


@pytest.mark.parametrize(("level", "equal"), [(0.0, True), (0.1, False)])
def test_the_floor_differs_only_in_its_sound(model: StreamingModel, level: float, equal: bool) -> None:
    silent = part(HELD_OUT, level)
    own, shifted = (
        generated(model, SequencePlan(silent, {8: (Rollout(0),)})),
        generated(model, SequencePlan(silent, {8: (Rollout(0, 16000),)})),
    )
    assert np.array_equal(own[Rollout(0)], shifted[Rollout(0, 16000)]) == equal
