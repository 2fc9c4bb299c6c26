"""One iteration on a small clip: it learns, goes on exactly, and carries state."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.core.errors import TrainingError
from tests.training.clips import moving_clip
from tests.training.runs import ADVERSARIAL, MODEL, PLAIN
from tests.training.runs import small_config as config
from training.core.device import choose_device
from training.core.run_state import follow
from training.data.cache import load_clip
from training.data.config import AugmentationConfig, ClipConfig
from training.data.footage import Footage
from training.data.video import Clip
from training.data.windows import WindowTiming, frame_tensor, sound_windows
from training.loop.checkpoint import read_checkpoint, write_checkpoint
from training.loop.config import OptimiserConfig
from training.loop.trainer import Trainer, build_trainer
from training.loop.validation import mean_frame, validate
from training.losses.losses import LossConfig
from training.losses.quality import QUALITY

pytestmark = pytest.mark.usefixtures("one_thread")


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


@pytest.mark.parametrize("kind", ["wgan-gp", "wgan", "hinge", "ns", "ls", "bce", "relativistic"])
def test_every_loss_trains_generator_and_both_discriminators(clip: Clip, tmp_path: Path, kind: str) -> None:
    trainer = build_trainer(config(LossConfig(adversarial=kind)), clip)  # type: ignore[arg-type]
    before = weights(trainer)
    discriminators = {name: [p.clone() for p in d.parameters()] for name, d in trainer.networks.items()}
    terms = trainer.step()
    assert {"d_video_generated", "d_video_order", "d_image_generated", "g_image", "g_video", "l1"} <= terms.keys()
    assert ("d_image_generated_penalty" in terms) == (kind == "wgan-gp")
    assert not torch.equal(
        trainer.model.state_dict()["generator.seed.conv.weight"], before["generator.seed.conv.weight"]
    )
    for name, discriminator in trainer.networks.items():
        assert any(not torch.equal(p, q) for p, q in zip(discriminator.parameters(), discriminators[name], strict=True))


def test_frames_of_any_shape_train_with_every_term_of_the_loss(tmp_path: Path) -> None:
    losses = LossConfig(
        adversarial="hinge", r1=1.0, l1=1.0, motion=1.0, motion_energy=1.0, detail=1.0,
        augment=("colour", "translation", "cutout", "flip"), overfitting_target=0.6, overfitting_interval=1,
    )  # fmt: skip
    generator = replace(MODEL.generator, warp_rank=2, canvas_rank=2, relief_rank=2, prediction_levels=(0,))
    settings = config(losses, model=replace(MODEL, image_size="56x40", generator=generator))
    film = moving_clip(tmp_path / "wide.mp4", size=48, width=64)
    wide = load_clip(film, settings.clip_format(), tmp_path / "cache")
    assert wide.frames_NHWC[0].shape == (40, 56, 3)
    trainer = build_trainer(settings, wide)
    for _ in range(2):
        terms = trainer.step()
        assert all(np.isfinite(float(value)) for value in terms.values())
    assert {"g_image", "g_video", "detail", "motion_energy"} <= terms.keys()


def test_plain_teaching_beats_the_mean_frame_on_the_trained_part(clip: Clip, tmp_path: Path) -> None:
    trainer = build_trainer(config(PLAIN, total_iterations=100), clip)
    mean_CHW, real = (
        mean_frame(clip, trainer.footage.training[0].frame_range),
        frame_tensor(clip, 0, trainer.footage.training[0].frame_range.count),
    )
    errors = [float(trainer.step()["l1"]) for _ in range(100)]
    assert np.mean(errors[-12:]) < 0.85 * float((real - mean_CHW).abs().mean())
    assert trainer.networks == {}


@pytest.mark.parametrize(
    ("streams", "clips", "augmentation"),
    [
        (1, 1, AugmentationConfig(gain_range_db=(-6.0, 0.0))),
        (3, 1, AugmentationConfig(gain_range_db=(-6.0, 0.0))),
        (3, 2, AugmentationConfig(flip=0.5, colour_jitter=(0.2, 0.2, 0.2, 0.05), audio_dropout=0.3)),
    ],
)
def test_resuming_is_as_if_never_stopped(
    clip: Clip, tmp_path: Path, streams: int, clips: int, augmentation: AugmentationConfig
) -> None:
    settings = config(sequences_per_batch=streams, augmentation=augmentation, total_iterations=6)
    footage = Footage.of([clip] * clips, settings.sequence_frames)
    whole = build_trainer(settings, footage)
    for _ in range(6):
        whole.step()
    stopped = build_trainer(settings, footage)
    for _ in range(3):
        stopped.step()
    write_checkpoint(tmp_path, stopped.checkpoint(0.0))
    resumed = build_trainer(settings, footage, read_checkpoint(tmp_path))
    assert resumed.iteration == 3
    for _ in range(3):
        resumed.step()
    for ours, theirs in ((resumed.model, whole.model), (resumed.average, whole.average)):
        for name, value in theirs.state_dict().items():
            assert torch.equal(ours.state_dict()[name], value), name
    assert all(torch.equal(resumed.state[name], whole.state[name]) for name in whole.state)


def test_state_is_carried_and_a_stream_that_starts_again_forgets(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = build_trainer(config(PLAIN, sequences_per_batch=2), clip)
    trainer.step()
    carried = {name: value.clone() for name, value in trainer.state.items()}
    assert all(value.abs().sum() > 0 for value in carried.values())
    batch = replace(trainer.reader.next(), restarted_B=torch.tensor([False, True]))
    monkeypatch.setattr(trainer.reader, "next", lambda: batch)
    clip_of_model, given = trainer.model.clip, []

    def noted(audio_BTW, noise, state):
        given.append(state)
        return clip_of_model(audio_BTW, noise, state)

    monkeypatch.setattr(trainer.model, "clip", noted)
    trainer.step()
    for name, value in given[0].items():
        assert torch.equal(value[0], carried[name][0])
        assert not value[1].any()
        assert not value.requires_grad


def test_the_batch_is_what_the_clip_holds(clip: Clip, tmp_path: Path) -> None:
    trainer = build_trainer(config(augmentation=AugmentationConfig(gain_range_db=(-6.0, -6.0))), clip)
    trainer.reader.next()
    batch = trainer.reader.next()
    assert torch.equal(batch.real_BTCHW[0], frame_tensor(clip, 4, 4))
    expected = sound_windows(clip.sound_S, 4, 4, WindowTiming.of(trainer.model))
    torch.testing.assert_close(batch.audio_BTW[0], torch.from_numpy(expected) * 10 ** (-6 / 20))


def test_adversarial_losses_join_when_told(clip: Clip, tmp_path: Path) -> None:
    losses = LossConfig(adversarial="hinge", l1=1.0, adversarial_from_iteration=1)
    trainer = build_trainer(config(losses), clip)
    assert "g_image" not in trainer.step()
    assert "g_image" in trainer.step()


def test_the_batch_that_a_log_record_ends_with_has_its_quality(clip: Clip) -> None:
    trainer = build_trainer(config(PLAIN), clip)
    batch = trainer.reader.next()
    trainer.reader.next = lambda: batch
    found = [trainer.step() for _ in range(4)]
    assert [QUALITY.keys() <= terms.keys() for terms in found] == [False, True, False, True]
    assert all(QUALITY.keys().isdisjoint(terms) for terms in found[::2])
    # 4 MSE = mean square in [-1, 1] >= L1²
    assert 4 * float(found[1]["mse"]) >= 0.99 * float(found[1]["l1"]) ** 2
    assert 0 < float(found[1]["psnr_db"]) < 100
    assert -1 <= float(found[1]["ssim"]) < 1


def test_cosine_falls_to_a_twentieth(clip: Clip, tmp_path: Path) -> None:
    optimiser = OptimiserConfig(lr_generator=1e-4, lr_discriminator=2e-4, lr_decay="cosine")
    trainer = build_trainer(config(optimiser=optimiser, total_iterations=10), clip)
    rates = []
    for progress in (0.0, 0.5, 1.0):
        trainer.step(progress)
        optimiser_of_video = trainer.optimisers["video_discriminator"]
        rates.append((trainer.optimiser.param_groups[0]["lr"], optimiser_of_video.param_groups[0]["lr"]))
    assert rates == [pytest.approx((1e-4, 2e-4)), pytest.approx((0.525e-4, 1.05e-4)), pytest.approx((0.05e-4, 0.1e-4))]


def test_the_average_follows() -> None:
    live, average = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    torch.nn.init.constant_(live.weight, 3.0)
    live.running_mean.fill_(5.0)
    follow(average, live, decay=0.75, iteration=1000)
    assert average.weight.tolist() == [1.5, 1.5]
    assert average.running_mean.tolist() == [5.0, 5.0]


def test_cuda_that_is_absent_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(TrainingError, match="no CUDA device"):
        choose_device("cuda")
    assert choose_device("auto").type == "cpu"


def test_validation_knows_a_perfect_model_and_a_still_one(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = build_trainer(config(PLAIN), clip)
    frame_range, mean_CHW, model = trainer.footage.validation[0].frame_range, trainer.mean_CHW, trainer.average
    place = [frame_range.first]

    def perfect(audio: torch.Tensor, noise: object, state: object) -> tuple[torch.Tensor, None, object]:
        place[0] += audio.shape[1]
        return frame_tensor(clip, place[0] - audio.shape[1], audio.shape[1])[None], None, state

    monkeypatch.setattr(model, "clip", perfect)
    found = validate(model, clip, frame_range, mean_CHW, steps=5)
    assert (found.l1, found.motion_l1, found.motion_share) == (0.0, 0.0, 1.0)
    assert np.array_equal(found.generated_NHWC, clip.frames_NHWC[frame_range.first : frame_range.end])
    monkeypatch.setattr(model, "clip", lambda audio, *_: (mean_CHW.expand(1, audio.shape[1], -1, -1, -1), None, {}))
    still = validate(model, clip, frame_range, mean_CHW, steps=5)
    assert still.l1 == pytest.approx(still.mean_frame_l1)
    assert still.motion_share == 0.0


def test_overfitting_is_measured_on_the_tuning_part_and_never_on_the_reported_one(clip: Clip, tmp_path: Path) -> None:
    """A run of the version before has no tuning part and goes on with the held-out part, as it began."""
    losses = replace(ADVERSARIAL, augment=("translation",), overfitting_target=0.6)
    clip = replace(clip, frames_NHWC=np.array(clip.frames_NHWC))
    before, own = config(losses, clip=ClipConfig(tuning_share=0.0)), config(losses, clip=ClipConfig(tuning_share=0.2))
    clip.frames_NHWC[36:48], clip.frames_NHWC[48:] = 0, 255
    assert build_trainer(own, clip).adversarial.heldout[0].unique().tolist() == [-1.0]
    with pytest.raises(TrainingError, match=r"no clip has a tuning part to measure it on"):
        build_trainer(before, clip)
    write_checkpoint(tmp_path, build_trainer(replace(before, losses=ADVERSARIAL), clip).checkpoint(0.0))
    resumed = build_trainer(before, clip, read_checkpoint(tmp_path))
    assert resumed.adversarial.heldout[0].unique().tolist() == [1.0]


def test_the_loss_on_the_tuning_part_has_the_weights_of_the_training(clip: Clip) -> None:
    one = build_trainer(config(PLAIN), clip)
    twice = build_trainer(config(replace(PLAIN, l1=2.0, motion=2.0)), clip)
    assert one.tuning_loss() == one.tuning_loss() > 0.0
    assert twice.tuning_loss() == pytest.approx(2.0 * one.tuning_loss())
    assert build_trainer(config(PLAIN, clip=ClipConfig(tuning_share=0.0)), clip).tuning_loss() is None
