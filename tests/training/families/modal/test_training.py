"""Training of the modal family: how it begins, parts of frames, discriminators, and textures with more detail than the frame."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from engine.core.errors import TrainingError
from tests.training.clips import RATE_HZ, noise, shots, write_clip, write_recording
from tests.training.families.modal.test_model import MODEL
from tests.training.runs import small_config
from training.core.composition import FramePart
from training.core.frame_size import FrameSize
from training.data.cache import load_clip
from training.data.config import AugmentationConfig, ClipConfig
from training.data.footage import load_footage
from training.data.windows import frame_tensor
from training.families.modal.config import ModalLossConfig, PatchDiscriminatorConfig
from training.families.modal.discriminator import PatchDiscriminator
from training.families.modal.trainer import ModalTrainer, excerpts_around, part_size
from training.loop.adversarial_trainer import AdversarialTrainer
from training.loop.checkpoint import read_checkpoint, write_checkpoint
from training.loop.config import OptimiserConfig, TrainConfig
from training.loop.trainer import build_trainer
from training.loop.validation import Validation, validate_segments
from training.losses.sharpness import gradient_energy

PLAIN = ModalLossConfig(
    adversarial_image=0.0, adversarial_video=0.0, l1=1.0, part_side=16, start_frames=24, map_iterations=100, sound_iterations=300
)  # fmt: skip


@pytest.fixture(scope="module")
def clip_file(tmp_path_factory):
    """A clip in which a bright bar stands farther to the right, the louder it is."""
    # Two periods without a common multiple: each moment is another.
    at_N = np.arange(160) / 20.0
    loud_N = 0.5 + 0.25 * (np.sin(2.0 * np.pi * at_N / 1.3) + np.sin(2.0 * np.pi * at_N / 0.7))
    frames = np.full((len(loud_N), 32, 32, 3), 60, np.uint8)
    for frame, loud in zip(frames, loud_N, strict=True):
        left = round(4 + 16 * loud)
        frame[:, left : left + 8] = (220, 120, 40)
    envelope_S = np.repeat(10.0 ** (2.0 * loud_N - 2.5), RATE_HZ // 20)
    sound_S = (envelope_S * np.sin(2.0 * np.pi * 440.0 * np.arange(len(envelope_S)) / RATE_HZ)).astype(np.float32)
    return write_clip(tmp_path_factory.mktemp("modal") / "clip.mp4", frames, sound_S[None])


def config_of(losses: ModalLossConfig = PLAIN, **settings: object) -> TrainConfig:
    return small_config(losses, **{"model": MODEL, "discriminator": PatchDiscriminatorConfig(channels=4), **settings})


def trainer_of(clip_file, losses: ModalLossConfig = PLAIN, **settings: object) -> ModalTrainer:
    config = config_of(losses, clip=ClipConfig(path=str(clip_file)), **settings)
    trainer = build_trainer(config, load_clip(clip_file, config.clip_format(), clip_file.parent))
    assert isinstance(trainer, ModalTrainer)
    return trainer


def validated(trainer: ModalTrainer) -> Validation:
    """Return what the averaged generator plays of what was trained."""
    return validate_segments(trainer.average, trainer.footage.training, trainer.mean_CHW, 16)


def bar_places(frames_NHWC: np.ndarray) -> np.ndarray:
    """Return the column in which the middle of the bar stands, [N]."""
    bright_NW = frames_NHWC.mean(axis=(1, 3))
    bright_NW = bright_NW - bright_NW.min(axis=1, keepdims=True)
    return bright_NW @ np.arange(bright_NW.shape[1]) / bright_NW.sum(axis=1).clip(1e-6)


def test_it_begins_with_what_moves_in_the_clip(clip_file):
    """The bar stands where it stands in the clip. L1 says less: a blurred bar between two places may come nearer than a sharp one."""
    begun, plain = trainer_of(clip_file), trainer_of(clip_file, replace(PLAIN, start_frames=0))
    for trainer in (begun, plain):
        trainer.begin(lambda: False)
    assert begun.model.has_begun
    played = validated(begun)
    assert np.corrcoef(bar_places(played.generated_NHWC), bar_places(played.real_NHWC()))[0, 1] > 0.7
    assert 0.3 < played.motion_share < 1.5
    assert validated(plain).motion_share < 0.05


def test_a_model_that_learns_to_be_deaf_and_hears_the_past_begins_and_learns_both(clip_file):
    generator = replace(MODEL.generator, past_windows=2, past_steps=4, guidance=True)
    losses = replace(PLAIN, map_iterations=20, sound_iterations=60, deaf_share=1.0)
    trainer = trainer_of(clip_file, losses, model=replace(MODEL, generator=generator))
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.begin(lambda: False)
    begun = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    assert all(not torch.equal(begun[name], before[name]) for name in ("deaf", "past.attention.key.weight"))
    trainer.step(0.0)
    after = trainer.model.state_dict()
    # Every sequence was shown without its sound: that frame is learned, and the sound learns nothing.
    assert not torch.equal(after["deaf"], begun["deaf"])
    assert torch.equal(after["amplitudes.weight"], begun["amplitudes.weight"])
    never_deaf = trainer_of(clip_file, replace(losses, deaf_share=0.0), model=replace(MODEL, generator=generator))
    never_deaf.step(0.0)
    assert not never_deaf.model.state_dict()["deaf"].any()


def test_a_share_of_deaf_sequences_that_is_none_is_refused():
    with pytest.raises(TrainingError, match=r"losses\.deaf_share is 1\.5; a share, 0 to 1"):
        replace(PLAIN, deaf_share=1.5)


def test_the_beginning_hears_no_more_than_what_was_measured_and_what_rings_in_it():
    pairs = [(0, 0), (0, 10), (0, 1000), (0, 1050), (2, 5)]
    excerpts, placed = excerpts_around(pairs, run_in=100)
    assert excerpts == [(0, 0, 12), (0, 900, 1052), (2, 0, 7)]
    assert placed == [(0, 0), (0, 10), (1, 100), (1, 150), (2, 5)]


def test_it_begins_once(clip_file):
    trainer = trainer_of(clip_file)
    trainer.begin(lambda: False)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.begin(lambda: False)
    assert all(torch.equal(value, before[name]) for name, value in trainer.model.state_dict().items())


def test_it_leaves_its_beginning_when_asked_to(clip_file):
    trainer, asked = trainer_of(clip_file, replace(PLAIN, map_iterations=10**9, sound_iterations=10**9)), list[int]()

    def is_stopping() -> bool:
        asked.append(1)
        return len(asked) > 3

    trainer.begin(is_stopping)
    assert len(asked) < 10, "it is asked before all that takes long, and then no more"
    assert torch.stack([p.isfinite().all() for p in trainer.model.parameters()]).all()


@pytest.mark.parametrize("was_stopped", [True, False])
def test_a_run_that_goes_on_begins_again_where_that_was_stopped(clip_file, tmp_path, was_stopped):
    """Three pairs are too few to judge, so what was learned so far is kept; the amplitudes alone tell nothing."""
    quick = replace(PLAIN, start_frames=6, map_iterations=1, sound_frames=6, sound_iterations=3)
    stopped = trainer_of(clip_file, quick)

    def is_stopping() -> bool:
        return was_stopped and stopped.model.has_begun

    stopped.begin(is_stopping)
    write_checkpoint(tmp_path / "0", stopped.checkpoint(0.0))
    resumed = build_trainer(stopped.config, stopped.footage, read_checkpoint(tmp_path / "0"))
    assert resumed.model.has_begun
    before = resumed.model.amplitudes.weight.clone()
    resumed.begin(lambda: False)
    assert torch.equal(before, resumed.model.amplitudes.weight) != was_stopped
    assert resumed.is_begun


def detail_beside_the_clip(trainer: ModalTrainer) -> float:
    """Return the finest detail of what the averaged generator plays, as a share of the clip's."""
    played = trainer.validate()
    ours, real = (gradient_energy(list(frames)) for frames in (played.generated_NHWC, played.real_NHWC()))
    return float(ours[0] / real[0])


def test_it_begins_as_sharp_as_the_clip(clip_file):
    sharp, plain = trainer_of(clip_file), trainer_of(clip_file, replace(PLAIN, detail_gain=1.0))
    stored = [levels.clone() for levels in plain.model.texture_levels]
    for trainer in (sharp, plain):
        trainer.begin(lambda: False)
    assert all(torch.equal(a, b) for a, b in zip(stored, plain.model.texture_levels, strict=True))
    soft, raised = detail_beside_the_clip(plain), detail_beside_the_clip(sharp)
    assert soft < 0.75
    assert abs(raised - 1.0) < 0.7 * abs(soft - 1.0)
    textures = [model.get_buffer("textures") for model in (sharp.model, sharp.average)]
    assert torch.equal(*textures)


def test_a_run_that_starts_from_another_is_equalised_and_one_that_goes_on_is_not_again(clip_file, tmp_path):
    plain = trainer_of(clip_file, replace(PLAIN, detail_gain=1.0))
    plain.begin(lambda: False)
    started = trainer_of(clip_file)
    started.model.load_state_dict(plain.model.state_dict())
    started.average.load_state_dict(plain.model.state_dict())
    started.begin(lambda: False)
    assert torch.equal(started.model.amplitudes.weight, plain.model.amplitudes.weight)
    assert not torch.equal(started.model.get_buffer("textures"), plain.model.get_buffer("textures"))
    write_checkpoint(tmp_path / "0", started.checkpoint(0.0))
    resumed = build_trainer(started.config, started.footage, read_checkpoint(tmp_path / "0"))
    resumed.begin(lambda: False)
    assert torch.equal(resumed.model.get_buffer("textures"), started.model.get_buffer("textures"))


def test_mixtures_of_textures_can_count_as_a_loss(clip_file):
    trainer = trainer_of(clip_file, replace(PLAIN, start_frames=0, mixing=0.5, part_side=0))
    torch.nn.init.normal_(trainer.model.usual_shares, 0.0, 1.0)
    weights = torch.softmax(trainer.model.usual_shares.detach(), dim=0)
    mixed = float(1.0 - weights.square().sum(dim=0).mean())
    before = trainer.step()["mixing"]
    assert before == pytest.approx(mixed, abs=0.05)
    for _ in range(30):
        after = trainer.step()["mixing"]
    assert after < before


def test_it_learns(clip_file):
    quick = OptimiserConfig(lr_generator=0.02, ema_decay=0.9)
    trainer = trainer_of(clip_file, replace(PLAIN, start_frames=0, part_side=0), optimiser=quick)
    before = validated(trainer).l1
    for _ in range(60):
        trainer.step()
    assert validated(trainer).l1 < 0.95 * before


def test_validation_shows_what_a_show_would(clip_file):
    trainer = trainer_of(clip_file)
    torch.nn.init.normal_(trainer.average.amplitudes.weight, 0.0, 0.3)
    shown, composed = trainer.validate(1.0), AdversarialTrainer.validate(trainer, 1.0)
    assert shown.l1 == pytest.approx(composed.l1, rel=0.02)
    assert np.mean(np.abs(shown.generated_NHWC.astype(int) - composed.generated_NHWC) > 3) < 1e-3
    assert trainer.tuning_loss() == pytest.approx(AdversarialTrainer.tuning_loss(trainer), rel=0.02)


def test_of_large_frames_an_iteration_sees_more_and_smaller(clip_file):
    trainer = trainer_of(clip_file, replace(PLAIN, part_side=8, shrink=2))
    batch = trainer.reader.next()
    part = trainer.reader.part
    played = trainer.played(batch)
    assert played.fake_BTCHW.shape == played.real_BTCHW.shape == (1, 4, 3, 8, 8)
    segment = trainer.footage.training[0]
    wholes = [frame_tensor(segment.clip, first, 4) for first in range(segment.frame_range.count - 3)]
    own = [torch.nn.functional.avg_pool2d(whole, 2) for whole in wholes]
    cut = [one[:, :, part.top : part.top + 8, part.left : part.left + 8] for one in own]
    assert any(torch.equal(one, batch.real_BTCHW[0]) for one in cut)
    with torch.no_grad():
        fields, _ = trainer.model.clip_fields(played.features_BTF, {}, trainer.state)
        whole = trainer.model.composed({role: values.flatten(0, 1) for role, values in fields.items()})
    small = torch.nn.functional.avg_pool2d(whole, 2)[:, :, part.top : part.top + 8, part.left : part.left + 8]
    assert (small - played.fake_BTCHW[0]).abs().mean() < 0.05


def test_frames_that_cannot_be_shrunk_so_are_refused():
    with pytest.raises(TrainingError, match=r"losses\.shrink is 3; a divisor"):
        replace(PLAIN, shrink=3).shrink_of(FrameSize(32, 32))
    assert ModalLossConfig().shrink_of(FrameSize(512, 912)) == 2
    assert ModalLossConfig().shrink_of(FrameSize(256, 256)) == 1


def test_an_iteration_compares_the_same_part_of_both_frames(clip_file):
    trainer = trainer_of(clip_file)
    batch = trainer.reader.next()
    part = trainer.reader.part
    assert part == FramePart(part.top, part.left, 16, 16)
    played = trainer.played(batch)
    assert played.fake_BTCHW.shape == played.real_BTCHW.shape == (1, 4, 3, 16, 16)
    segment = trainer.footage.training[0]
    wholes = [frame_tensor(segment.clip, first, 4) for first in range(segment.frame_range.count - 3)]
    own = [whole[:, :, part.top : part.top + 16, part.left : part.left + 16] for whole in wholes]
    assert any(torch.equal(batch.real_BTCHW[0], each) for each in own)


def test_mirrored_frames_are_compared_whole(clip_file):
    trainer = trainer_of(clip_file, augmentation=AugmentationConfig(flip=0.5))
    assert trainer.reader.next().real_BTCHW.shape[-2:] == (32, 32)
    assert trainer.reader.part is None


@pytest.mark.parametrize(
    ("side", "expected"), [(0, None), (256, None), (128, FrameSize(96, 168)), (1, FrameSize(8, 8))]
)
def test_parts_have_the_shape_of_the_frame(side, expected):
    assert part_size(FrameSize(144, 256), side) == expected


@pytest.mark.parametrize("adversarial", ["hinge", "relativistic"])
def test_it_trains_with_discriminators(clip_file, adversarial):
    losses = replace(
        PLAIN, start_frames=0, adversarial=adversarial, adversarial_image=0.1, adversarial_video=0.1, r1=1.0, r2=1.0
    )
    trainer = trainer_of(clip_file, losses)
    before = [p.clone() for p in trainer.networks["video_discriminator"].parameters()]
    terms = trainer.step()
    assert {"g_image", "g_video", "d_video_generated", "d_video_mismatch"} <= terms.keys()
    assert any(
        not torch.equal(a, b) for a, b in zip(before, trainer.networks["video_discriminator"].parameters(), strict=True)
    )


def test_a_discriminator_scores_patches_of_any_frame():
    torch.manual_seed(0)
    hears = PatchDiscriminator(PatchDiscriminatorConfig(channels=4), 4, features=5)
    sequence, sound = torch.randn(2, 4, 3, 66, 130), torch.randn(2, 4, 5)
    scores = hears(sequence, sound)
    assert scores.shape == (2, 1, 4, 8)
    assert not torch.equal(scores, hears(sequence, sound.flip(1)))
    assert PatchDiscriminator(PatchDiscriminatorConfig(channels=4))(sequence[:, 0]).shape == (2, 1, 4, 8)


def test_textures_take_the_detail_that_the_clip_has(tmp_path):
    frames = shots(60, (30,), size=64)
    path = write_clip(tmp_path / "sharp.mp4", frames, noise(3.0))
    model = replace(MODEL, generator=replace(MODEL.generator, texture_scale=2))
    trainer = trainer_of(path, replace(PLAIN, start_frames=0), model=model)
    sharp = [levels.permute(1, 2, 0).numpy() for levels in trainer.model.texture_levels]
    soft = [cv2.resize(cv2.resize(frame, (32, 32), interpolation=cv2.INTER_AREA), (64, 64)) for frame in frames]
    for texture in sharp:
        detail = [float(np.abs(np.diff(each.astype(int), axis=0)).mean()) for each in (texture, frames[0], soft[0])]
        assert detail[0] > 0.5 * (detail[1] + detail[2])


def test_textures_are_enlarged_where_the_clip_has_less_than_their_size(tmp_path):
    """Of a 720p clip in frames of 512 rows, for one: there is more detail than in the frame, but not twice as much."""
    path = write_clip(tmp_path / "some.mp4", shots(60, (30,), size=48), noise(3.0))
    model = replace(MODEL, generator=replace(MODEL.generator, texture_scale=2))
    trainer = trainer_of(path, replace(PLAIN, start_frames=0), model=model)
    own, soft = (
        [cv2.resize(frame, (64, 64), interpolation=cv2.INTER_CUBIC).astype(int) for frame in frames_NHWC]
        for frames_NHWC in (
            load_clip(path, replace(trainer.config.clip_format(), image_size=side), tmp_path).frames_NHWC
            for side in (48, 32)
        )
    )
    for texture in trainer.model.texture_levels:
        levels = texture.permute(1, 2, 0).numpy()
        apart = [min(float(np.abs(levels - frame).mean()) for frame in enlarged) for enlarged in (own, soft)]
        assert apart[0] < 0.7 * apart[1]


def test_textures_without_more_detail_than_the_frame_are_refused(clip_file):
    model = replace(MODEL, generator=replace(MODEL.generator, texture_scale=2))
    with pytest.raises(TrainingError, match=r"has 32x32 pixels for a frame of 32x32, .*set model.generator.texture"):
        trainer_of(clip_file, model=model)


def test_textures_of_folders_of_images_are_refused(tmp_path):
    folder = write_recording(tmp_path, "cello03", shots(20, (10,)), noise(4.0)[0])
    model = replace(MODEL, image_size=16, generator=replace(MODEL.generator, texture_scale=2))
    config = config_of(clip=ClipConfig(path=str(folder)), model=model)
    with pytest.raises(TrainingError, match=r"cello03 from 0.5 s is a folder of images, .*texture_scale to 1"):
        build_trainer(
            config, load_footage(config.clip, config.clip_format(), config.sequence_frames, tmp_path / "cache")
        )


@pytest.mark.parametrize(
    "key",
    ["part_side", "shrink", "sound_frames", "start_frames", "map_iterations", "sound_iterations", "spread", "mixing"],
)
def test_impossible_losses_are_refused(key):
    with pytest.raises(TrainingError, match=rf"losses.{key} is -1"):
        replace(PLAIN, **{key: -1})


@pytest.mark.parametrize("gain", [0.5, 4.5])
def test_an_impossible_gain_of_detail_is_refused(gain):
    with pytest.raises(TrainingError, match=rf"losses.detail_gain is {gain}; 1 \(off\) to 4 was expected"):
        replace(PLAIN, detail_gain=gain)


def test_a_precision_that_changes_nothing_is_refused():
    with pytest.raises(TrainingError, match=r"precision is 'bfloat16'; the family 'modal' trains in float32 alone"):
        config_of(precision="bfloat16")


def test_an_impossible_discriminator_is_refused():
    with pytest.raises(TrainingError, match=r"discriminator.channels is 0"):
        PatchDiscriminatorConfig(channels=0)
