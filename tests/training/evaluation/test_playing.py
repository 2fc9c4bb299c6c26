"""A passage plays the same whatever plays beside it; floor and model differ in their sound alone."""

import numpy as np
import pytest

from tests.training.models import small_model
from training.core.streaming import StreamingModel
from training.data.video import Clip, ClipFormat
from training.data.windows import FrameRange
from training.evaluation.passages import HELD_OUT, TAUGHT, Part, Plan, Play
from training.evaluation.playing import drives, play_all, play_together

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


def played(model: StreamingModel, plan: Plan) -> dict[Play, np.ndarray]:
    return play_all(model, drives(plan, 1), lambda frames: None)


@pytest.mark.parametrize("name", [HELD_OUT, TAUGHT])
def test_a_passage_does_not_depend_on_its_company(model: StreamingModel, name: str) -> None:
    plan = Plan(part(name, 0.1), {8: (Play(0), Play(8)), 20: (Play(0),)})
    together, alone = played(model, plan), played(model, Plan(plan.part, {8: (Play(8),)}))
    assert {play: len(frames) for play, frames in together.items()} == {Play(0): 20, Play(8): 8}
    assert np.array_equal(together[Play(8)], alone[Play(8)])
    pair = [drives(plan, 1)[Play(8)], drives(Plan(plan.part, {8: (Play(0),)}), 1)[Play(0)]]
    beside = play_together(model, pair, lambda frames: None)
    assert np.abs(beside[0].astype(int) - alone[Play(8)]).max() <= 1  # rounding differs with the batch
    assert np.abs(beside[1].astype(int) - together[Play(0)][:8]).max() <= 1


@pytest.mark.parametrize(("level", "equal"), [(0.0, True), (0.1, False)])
def test_the_floor_differs_in_its_sound_alone(model: StreamingModel, level: float, equal: bool) -> None:
    silent = part(HELD_OUT, level)
    own, shifted = played(model, Plan(silent, {8: (Play(0),)})), played(model, Plan(silent, {8: (Play(0, 16000),)}))
    assert np.array_equal(own[Play(0)], shifted[Play(0, 16000)]) == equal
