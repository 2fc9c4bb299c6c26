"""A rollout does not depend on the rollouts beside it; floor and model differ only in their sound."""

from dataclasses import replace

import numpy as np
import pytest

from tests.training.families.sound2sight.models import moved_model
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


def test_a_model_that_goes_on_from_real_frames_gets_those_before_each_sequence() -> None:
    model = moved_model(16)
    shown = part(HELD_OUT, 0.1)
    pixels_NHWC = np.random.default_rng(1).integers(0, 256, (FRAMES, 16, 16, 3)).astype(np.uint8)
    clip = replace(shown.clip, frames_NHWC=pixels_NHWC)
    plan = SequencePlan(replace(shown, clip=clip), {6: (Rollout(0), Rollout(7))})
    inputs = rollout_inputs(plan, 1, model.context_frames)
    came = generate_all(model, inputs, lambda frames: None)
    count, first = model.context_frames, 47 - model.context_frames
    from_home = generate_all(model, rollout_inputs(plan, 1), lambda frames: None)
    assert not np.array_equal(came[Rollout(7)], from_home[Rollout(7)])
    assert inputs[Rollout(7)].context_PHWC is not None
    assert np.array_equal(inputs[Rollout(7)].context_PHWC, pixels_NHWC[first : first + count])


def test_before_the_beginning_of_a_clip_there_are_no_real_frames() -> None:
    plan = SequencePlan(part(TRAINED, 0.1), {6: (Rollout(0), Rollout(9))})
    inputs = rollout_inputs(plan, 1, 2)
    assert inputs[Rollout(0)].context_PHWC is None
    assert inputs[Rollout(9)].context_PHWC is not None
    assert {len(frames) for frames in generate_all(moved_model(16), inputs, lambda frames: None).values()} == {6}
