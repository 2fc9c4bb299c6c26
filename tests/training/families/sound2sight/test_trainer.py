"""The trainer of Sound2Sight: it learns, resumes to the bit, follows its schedule and refuses what cannot be."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.core.errors import TrainingError
from tests.training.clips import moving_clip, noise, write_clip
from tests.training.families.sound2sight.models import GENERATOR, MODEL, moved_model, sound
from training.core import distributed
from training.core.frame_size import FrameSize
from training.data.cache import load_clip
from training.data.video import Clip
from training.families.sound2sight.config import JointDiscriminatorConfig, Sound2SightLosses
from training.families.sound2sight.discriminator import JointDiscriminator, discriminator_loss, generator_loss
from training.families.sound2sight.forecast import forecast, nearest_noise, with_own_frames
from training.families.sound2sight.futures import future_figures
from training.families.sound2sight.model import NOISE
from training.loop.checkpoint import read_checkpoint, write_checkpoint
from training.loop.config import OptimiserConfig, TrainConfig
from training.loop.run import Run
from training.loop.trainer import build_trainer
from training.loop.validation import NOISE_SEED, continued, played_sequences
from training.train import RUN_OUTPUTS

DISCRIMINATOR = JointDiscriminatorConfig(channels=8, hidden_size=16)


def small(**settings: Any) -> TrainConfig:
    return TrainConfig(
        **{
            "model": MODEL,
            "discriminator": DISCRIMINATOR,
            "losses": Sound2SightLosses(adversarial_from_iteration=2),
            "optimiser": OptimiserConfig(lr_generator=2e-3, lr_discriminator=2e-3, ema_decay=0.9),
            "sequence_frames": 6,
            "sequences_per_batch": 4,
            "total_iterations": 4,
            "device": "cpu",
            **settings,
        }
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    folder = tmp_path_factory.mktemp("clip")
    return load_clip(moving_clip(folder / "clip.mp4"), small().clip_format(), folder / "cache")


def test_it_learns(clip: Clip, one_thread: None) -> None:
    trainer = build_trainer(small(losses=Sound2SightLosses(adversarial=0.0)), clip)
    losses = [float(trainer.step()["squared_error"]) for _ in range(40)]
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    assert trainer.networks == {}


@pytest.mark.parametrize("nearest_of", [1, 3])
def test_a_resumed_run_equals_an_uninterrupted_one(
    nearest_of: int, clip: Clip, tmp_path: Path, one_thread: None
) -> None:
    config = small(
        losses=Sound2SightLosses(adversarial_from_iteration=1, scheduled_sampling=0.5, nearest_of=nearest_of)
    )
    whole = build_trainer(config, clip)
    for _ in range(3):
        whole.step(progress=0.7)
    write_checkpoint(tmp_path / "three", whole.checkpoint(0.0))
    resumed = build_trainer(config, clip, read_checkpoint(tmp_path / "three"))
    theirs, ours = whole.step(progress=0.7), resumed.step(progress=0.7)
    assert ours.keys() == {"squared_error", "kl", "g_joint", "d_joint"}
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_run_begins_at_the_clip_and_validates_futures(clip: Clip, tmp_path: Path) -> None:
    run = Run(small(total_iterations=3), clip, tmp_path / "run", RUN_OUTPUTS)
    validation = run.run()
    assert validation is not None
    # The context is given, so its frames are right.
    held_out = torch.from_numpy(validation.real_NHWC())
    assert torch.equal(torch.from_numpy(validation.generated_NHWC)[:2], held_out[:2])
    assert not torch.equal(torch.from_numpy(validation.generated_NHWC)[2:6], held_out[2:6])
    # Its frames count in no figure: of two sequences of six, four each do.
    assert len(held_out) == 12
    real, fake = (
        torch.from_numpy(frames).double().unflatten(0, (2, 6)) / 127.5 - 1.0
        for frames in (validation.real_NHWC(), validation.generated_NHWC)
    )
    assert validation.l1 == pytest.approx(float((fake - real)[:, 2:].abs().mean()), abs=0.01)
    mean = run.trainer.mean_CHW.permute(1, 2, 0).double()
    assert validation.mean_frame_l1 == pytest.approx(float((real - mean)[:, 2:].abs().mean()), rel=1e-5)
    real_motion, fake_motion = (frames.diff(dim=1)[:, 1:] for frames in (real, fake))
    assert validation.motion_l1 == pytest.approx(float((fake_motion - real_motion).abs().mean()), abs=0.01)
    shares = float(fake_motion.abs().mean() / real_motion.abs().mean())
    assert validation.motion_share == pytest.approx(shares, rel=0.05)


def test_the_tuning_loss_is_that_of_predicted_frames_alone(clip: Clip, one_thread: None) -> None:
    trainer = build_trainer(small(losses=Sound2SightLosses(adversarial=0.0)), clip)
    source = torch.Generator().manual_seed(NOISE_SEED)
    (segment,) = trainer.footage.tuning
    (part,) = played_sequences(trainer.average.eval(), segment, 6, source)
    predicted = torch.nn.functional.mse_loss(part.fake[2:], part.real[2:]) / 4.0
    assert (len(part.real), part.given) == (6, 2)
    assert trainer.tuning_loss() == pytest.approx(float(predicted), rel=1e-5)


def test_a_process_with_a_single_sequence_is_refused(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sound would be compared with itself."""
    monkeypatch.setattr(distributed, "processes", lambda: 4)
    with pytest.raises(TrainingError, match=r"sequences_per_batch is 4, 1 for each process; .* two or more for each"):
        build_trainer(small(), clip)


@pytest.mark.parametrize(
    ("iteration", "progress", "expected"),
    [(99, 0.95, 0.0), (100, 0.0, 1.0), (100, 0.3, 5.0), (5000, 0.6, 10.0), (5000, 0.9, 100.0)],
)
def test_the_weight_of_the_discriminator_rises(iteration: int, progress: float, expected: float) -> None:
    weight = Sound2SightLosses(adversarial=2.0).adversarial_weight(iteration, progress)
    assert weight == pytest.approx(2.0 * expected)


@torch.no_grad()
@pytest.mark.parametrize("setting", ["", "predictor_hears", "mask"])
def test_a_forecast_is_the_fold_of_steps(setting: str) -> None:
    model = moved_model(context_frames=3, **({setting: True} if setting else {}))
    real = torch.rand(2, 6, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    features = model.front_end(sound(model, 6, batch=2).flatten(0, 1)).unflatten(0, (2, 6))
    noise = model.draw_noise(2, 6, torch.Generator().manual_seed(2))[NOISE]
    found = forecast(model.generator, real, model.generator.encode_sound(features), noise)
    for i in range(1, 6):
        state = model.observe(real[:, :i], features[:, :i], noise[:, :i])
        if i > 3:
            _, maps = model.generator.encoder(real[:, 2])
            state |= {f"skip_{level}": skip for level, skip in enumerate(maps)}
        shown, _, _ = model.clip_features(features[:, i : i + 1], {NOISE: noise[:, i : i + 1]}, state)
        torch.testing.assert_close(found.frames_BTCHW[:, i - 1], (shown[:, 0] + 1.0) / 2.0, rtol=0, atol=1e-5)
    assert float(found.divergence()) > 0.0
    taken = torch.zeros(2, 6, dtype=torch.bool)
    taken[0, 4] = True
    mixed = with_own_frames(real, found, taken)
    assert torch.equal(mixed[0, 4], found.frames_BTCHW[0, 3])
    assert torch.equal(mixed[1], real[1])
    again = forecast(model.generator, real, model.generator.encode_sound(features), noise, mixed)
    torch.testing.assert_close(again.frames_BTCHW[0, :4], found.frames_BTCHW[0, :4], rtol=0, atol=1e-5)
    assert not torch.equal(again.frames_BTCHW[0, 4], found.frames_BTCHW[0, 4])
    torch.testing.assert_close(again.frames_BTCHW[1], found.frames_BTCHW[1], rtol=0, atol=1e-5)


@torch.no_grad()
def test_of_several_draws_the_nearest_is_taken_frame_by_frame() -> None:
    model = moved_model(context_frames=3, predictor_hears=True)
    features = model.front_end(sound(model, 6, batch=2).flatten(0, 1)).unflatten(0, (2, 6))
    sounds = model.generator.encode_sound(features)
    draws = torch.stack([model.draw_noise(2, 6, torch.Generator().manual_seed(seed))[NOISE] for seed in range(4)])
    first = torch.rand(2, 1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    real = first.expand(-1, 6, -1, -1, -1)
    # The real frames are those that the third draw gives for the first sequence, and the second one for the other.
    wanted = torch.stack([draws[2, 0], draws[1, 1]])
    for _ in range(6):
        found = forecast(model.generator, real, sounds, wanted).frames_BTCHW
        real = torch.cat([first, found], dim=1)
    chosen = nearest_noise(model.generator, real, sounds, draws)
    assert torch.equal(chosen[:, 1:], wanted[:, 1:])
    assert torch.equal(nearest_noise(model.generator, real, sounds, draws[:1]), draws[0])


def test_trained_by_the_nearest_draw_futures_of_one_sound_differ(tmp_path: Path, one_thread: None) -> None:
    """Frames are black or white at random: a single draw learns to be grey, several learn to be either."""
    is_white = torch.rand(200, generator=torch.Generator().manual_seed(7)) < 0.5
    frames = is_white[:, None, None, None].expand(-1, 32, 32, 3).numpy().astype(np.uint8) * 255
    path = write_clip(tmp_path / "flicker.mp4", frames, noise(10.0), fps=20)
    spread = dict[int, float]()
    for draws in (1, 4):
        config = small(losses=Sound2SightLosses(adversarial=0.0, nearest_of=draws))
        trainer = build_trainer(config, load_clip(path, config.clip_format(), tmp_path / "cache"))
        for _ in range(150):
            trainer.step()
        model = trainer.average.eval()
        given = torch.zeros(8, 3, 3, 32, 32)
        played = continued(model, given, sound(model, 3).expand(8, -1, -1), 2, torch.Generator().manual_seed(3))
        spread[draws] = float(played[:, 0].mean(dim=(1, 2, 3)).std())
    assert spread[4] > 5.0 * spread[1]


def test_the_discriminator_learns_to_tell_sound_that_does_not_match() -> None:
    torch.manual_seed(4)
    discriminator = JointDiscriminator(DISCRIMINATOR, GENERATOR, features=3, size=FrameSize(16, 16))
    optimiser = torch.optim.Adam(discriminator.parameters(), lr=1e-2)
    for _ in range(100):
        level = torch.rand(16, 4)
        real = level[:, :, None, None, None].expand(-1, -1, 3, 16, 16)
        features = 4.0 * (level[:, :, None].expand(-1, -1, 3) - 0.5)
        fake = torch.rand_like(real)
        judged_real, judged_fake = (discriminator.judge(real, last, features) for last in (real, fake))
        optimiser.zero_grad()
        discriminator_loss(judged_real, judged_fake).backward()
        optimiser.step()
    with torch.no_grad():
        matching, mismatched = (
            torch.softmax(each, dim=1)[:, 1] for each in (judged_real.matching, judged_real.mismatched)
        )
        assert float(matching.mean()) > float(mismatched.mean()) + 0.1
        assert float(generator_loss(judged_fake)) > float(generator_loss(judged_real))
    # Windows of three frames, the last of them judged: two of four.
    assert judged_real.matching.shape == judged_real.frame.shape == (32, 2)


def test_futures_go_on_from_the_context_and_differ() -> None:
    model = moved_model()
    frames = 2.0 * torch.rand(2, 5, 3, 32, 32, generator=torch.Generator().manual_seed(1)) - 1.0
    source = torch.Generator().manual_seed(3)
    future = continued(model, frames, sound(model, 5, batch=2), 2, source)
    assert future.shape == (2, 3, 3, 32, 32)
    figures = future_figures(model, frames, sound(model, 5, batch=2), 3, source)
    one = future_figures(model, frames, sound(model, 5, batch=2), 1, source)
    assert len(figures.psnr_db) == len(figures.copied_ssim) == 3
    assert figures.diversity > 0.0
    assert math.isnan(one.diversity)
    assert figures.copied_psnr_db == one.copied_psnr_db


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sequence_frames": 2}, r"sequence_frames is 2; more than the 2 of model.generator.context_frames"),
        ({"sequence_frames": 14}, r"sequence_frames is 14; .* at most 13, one more than model.generator.window_steps"),
        (
            {"model": replace(MODEL, generator=replace(MODEL.generator, window_steps=1))},
            r"window_steps is 1; \d+ or more was expected, for 2 context frames \(model.generator.context_frames\) and sequence_frames \d+\.",
        ),
        ({"sequences_per_batch": 1}, r"sequences_per_batch is 1; the discriminator needs another sequence's sound"),
        (
            {"sequences_per_batch": 1, "losses": Sound2SightLosses(adversarial=0.0, nearest_of=4)},
            r"losses.nearest_of is 4 and sequences_per_batch 1; every second sequence gets the nearest draw: give 2",
        ),
        ({"sequence_frames": 3}, r"discriminator.buffer_frames is 3; less than sequence_frames \(3\)"),
        ({"precision": "bfloat16"}, r"precision is 'bfloat16'; the family 'sound2sight' trains in float32 alone"),
        ({"model": replace(MODEL, image_size=88)}, r"image_size is 88; .*both sides must halve"),
    ],
)
def test_what_does_not_fit_is_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        small(**settings)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"kl": -1.0}, r"losses.kl is -1.0; 0 \(off\) or more"),
        ({"nearest_of": 0}, r"losses.nearest_of is 0; 1 \(a single draw\) or more"),
        ({"scheduled_sampling": 1.5}, r"losses.scheduled_sampling is 1.5; a share from 0 to 1"),
        ({"mse": 0.0, "adversarial": 0.0}, r"nothing would be learned"),
    ],
)
def test_impossible_weights_are_refused(settings: dict[str, float], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        Sound2SightLosses(**settings)  # type: ignore[arg-type]
