"""Learning: what moves, what is remembered, and that a run that was interrupted is the run that was not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.avsyncd_cases import drawn
from engine.core.errors import TrainingError
from tests.training.diffusion.avsyncd.published_folder import SHAPE
from training.diffusion.avsyncd.learner import (
    OPTIMISER_FILE,
    UNET_FILE,
    Batch,
    Learner,
    LearningConfig,
    forget_older,
)
from training.diffusion.avsyncd.objective import draw, noise_loss
from training.diffusion.avsyncd.sampling import Given
from training.diffusion.avsyncd.unet import VideoUNet
from training.diffusion.iterations import checkpoints

GIVEN = Given(drawn("text", 1, 3, 16), drawn("null", 1, 3, 16), drawn("sound", 1, 4, 5, 32), drawn("none", 1, 4, 5, 32))
BATCHES = [Batch(drawn(f"clip {number}", 1, 4, 4, 4, 4), GIVEN) for number in range(2)]
QUICK = LearningConfig(learning_rate=3e-3)


def learner(config: LearningConfig = QUICK) -> Learner:
    torch.manual_seed(0)
    return Learner(VideoUNet(SHAPE), config)


def weights(one: Learner) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in one.unet.state_dict().items()}


def loss_of(one: Learner, batch: Batch, count: int = 64) -> float:
    """The loss over many draws that are always the same."""
    latents = batch.latents.expand(count, -1, -1, -1, -1)
    given = Given(
        batch.given.text_BKD.expand(count, -1, -1),
        batch.given.null_text_BKD,
        batch.given.sound_BFVD.expand(count, -1, -1, -1),
        batch.given.null_sound_BFVD.expand(count, -1, -1, -1),
    )
    with torch.no_grad():
        return noise_loss(one.unet, latents, given, draw(latents, torch.Generator().manual_seed(7))).item()


def test_one_clip_is_learned() -> None:
    one = learner(replace(QUICK, learning_rate=1e-2))
    before = loss_of(one, BATCHES[0])
    for _ in range(60):
        one.learn(BATCHES[:1])
    assert loss_of(one, BATCHES[0]) < 0.9 * before


def test_a_run_that_goes_on_is_the_run_that_was_not_interrupted(tmp_path: Path) -> None:
    whole, first = learner(), learner()
    losses = [whole.learn(BATCHES) for _ in range(4)]
    assert [first.learn(BATCHES) for _ in range(2)] == losses[:2]
    place = first.save(tmp_path)
    second = learner()
    second.resume(place)
    assert second.iteration == 2
    assert [second.learn(BATCHES) for _ in range(2)] == losses[2:]
    assert all(torch.equal(value, weights(whole)[name]) for name, value in weights(second).items())


def test_the_loss_is_the_mean_of_the_batches() -> None:
    one = learner()
    random = one.random("noise")
    with torch.no_grad():
        losses = [
            noise_loss(one.unet, batch.latents, batch.given, draw(batch.latents, random)).item() for batch in BATCHES
        ]
    assert one.learn(BATCHES) == pytest.approx(sum(losses) / 2, rel=1e-5)


def test_each_iteration_has_its_own_numbers() -> None:
    one = learner()
    before = one.random("noise").initial_seed()
    assert one.random("clips").initial_seed() != before
    one.learn(BATCHES[:1])
    assert one.random("noise").initial_seed() != before
    assert learner(replace(QUICK, seed=1)).random("noise").initial_seed() != before


def test_bfloat16_learns_nearly_the_same() -> None:
    one, other = learner(), learner(replace(QUICK, precision="bfloat16"))
    assert other.learn(BATCHES) == pytest.approx(one.learn(BATCHES), rel=0.02)
    assert all(value.dtype == torch.float32 for value in other.unet.state_dict().values())


def test_a_loss_that_is_no_number_ends_the_run() -> None:
    one = learner()
    broken = Batch(torch.full_like(BATCHES[0].latents, float("nan")), GIVEN)
    before = weights(one)
    with pytest.raises(TrainingError, match="The loss of iteration 1 is nan"):
        one.learn([broken])
    assert all(torch.equal(value, before[name]) for name, value in weights(one).items())


def test_older_checkpoints_go_and_milestones_stay(tmp_path: Path) -> None:
    for number in (2, 4, 6, 8, 10):
        (tmp_path / f"checkpoint-{number}").mkdir()
    (tmp_path / "checkpoint-notes").mkdir()
    forget_older(tmp_path, tmp_path / "checkpoint-10", 4)
    assert [place.name for place in checkpoints(tmp_path)] == ["checkpoint-4", "checkpoint-8", "checkpoint-10"]
    assert (tmp_path / "checkpoint-notes").exists()


@pytest.mark.parametrize("file", [UNET_FILE, OPTIMISER_FILE])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, file: str) -> None:
    one = learner()
    one.learn(BATCHES[:1])
    place = one.save(tmp_path)
    (place / file).write_bytes(b"no weights")
    with pytest.raises(TrainingError, match="checkpoint-1 cannot be read"):
        learner().resume(place)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    one = learner()
    one.learn(BATCHES[:1])
    place = one.save(tmp_path)
    other = Learner(VideoUNet(replace(SHAPE, sound_size=16)), QUICK)
    with pytest.raises(TrainingError, match="of another network than this run"):
        other.resume(place)


@pytest.mark.parametrize("wrong", [{"learning_rate": 0.0}, {"gradient_limit": 0.0}, {"sound_dropout": 1.1}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(TrainingError, match="two positive numbers and one from 0 to 1"):
        LearningConfig(**wrong)  # type: ignore[arg-type]
