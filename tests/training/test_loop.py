"""The loop on a small clip: it learns, resumes exactly, carries state, and stops with a sentence."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import TrainingError
from tests.training.clips import RATE_HZ, moving_clip, numbered_frames, numbers_of
from training.checkpoint import checkpoint_folders, load_generator, read_checkpoint
from training.config import IntervalConfig, OptimiserConfig, TrainConfig
from training.data.cache import load_clip
from training.data.video import Clip, ClipFormat, read_pictures, read_sound
from training.data.windows import WindowTiming, pictures, sound_windows
from training.families.listen_and_move.config import ListenAndMoveConfig
from training.families.listen_and_move.discriminator import DiscriminatorConfig
from training.front_end import FrontEndConfig
from training.loop import Trainer, choose_device
from training.losses import LossConfig
from training.run_state import follow
from training.samples import contact_sheet, write_video
from training.streaming import ModelConfig
from training.validation import mean_frame, validate

GENERATOR = ListenAndMoveConfig(
    channels_base=32, channels_min=8, motion_layers=2, initialisation="he", place_levels=1, canvas=True
)
MODEL = ModelConfig(name="small", image_size=16, front_end=FrontEndConfig(mel_bands=16), generator=GENERATOR)
ADVERSARIAL = LossConfig(adversarial="hinge", adversarial_image=0.1, adversarial_video=0.1, l1=1.0, motion=1.0)
PLAIN = LossConfig(adversarial_image=0.0, adversarial_video=0.0, l1=1.0, motion=1.0)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    folder = tmp_path_factory.mktemp("clip")
    return load_clip(moving_clip(folder / "clip.mp4"), config().clip_format(), folder / "cache")


def config(losses: LossConfig = ADVERSARIAL, **settings: object) -> TrainConfig:
    given: dict[str, object] = {
        "model": MODEL,
        "discriminator": DiscriminatorConfig(channels_base=16),
        "losses": losses,
        "optimiser": OptimiserConfig(lr_generator=3e-3, ema_decay=0.9),
        "intervals": IntervalConfig(log=2, sample=0, checkpoint=0),
        "sequence_frames": 4,
        "total_iterations": 4,
        "device": "cpu",
        **settings,
    }
    return TrainConfig(**given)  # type: ignore[arg-type]


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


@pytest.mark.parametrize("kind", ["wgan-gp", "wgan", "hinge", "ns", "ls", "bce"])
def test_every_loss_trains_generator_and_both_discriminators(clip: Clip, tmp_path: Path, kind: str) -> None:
    trainer = Trainer(config(LossConfig(adversarial=kind)), clip, tmp_path)  # type: ignore[arg-type]
    before = weights(trainer)
    judges = {name: [p.clone() for p in d.parameters()] for name, d in trainer.adversary.discriminators.items()}
    terms = trainer.step()
    assert {"d_video_generated", "d_video_order", "d_image_generated", "g_image", "g_video", "l1"} <= terms.keys()
    assert ("d_image_generated_penalty" in terms) == (kind == "wgan-gp")
    assert not torch.equal(
        trainer.model.state_dict()["generator.seed.conv.weight"], before["generator.seed.conv.weight"]
    )
    for name, discriminator in trainer.adversary.discriminators.items():
        assert any(not torch.equal(p, q) for p, q in zip(discriminator.parameters(), judges[name], strict=True))


def test_plain_teaching_beats_the_mean_frame_on_the_taught_part(clip: Clip, tmp_path: Path) -> None:
    trainer = Trainer(config(PLAIN, total_iterations=100), clip, tmp_path)
    mean_CHW, real = mean_frame(clip, trainer.training_fold), pictures(clip, 0, trainer.training_fold.count)
    errors = [float(trainer.step()["l1"]) for _ in range(100)]
    assert np.mean(errors[-12:]) < 0.85 * float((real - mean_CHW).abs().mean())
    assert trainer.adversary.discriminators == {}


@pytest.mark.parametrize("lanes", [1, 3])
def test_resuming_is_as_if_never_stopped(clip: Clip, tmp_path: Path, lanes: int) -> None:
    settings = config(sequences_per_batch=lanes, gain_range_db=(-6.0, 0.0), total_iterations=6)
    whole = Trainer(settings, clip, tmp_path / "whole")
    for _ in range(6):
        whole.step()
    stopped = Trainer(settings, clip, tmp_path / "run")
    for _ in range(3):
        stopped.step()
    stopped.save()
    resumed = Trainer(settings, clip, tmp_path / "run", read_checkpoint(tmp_path / "run"))
    assert resumed.iteration == 3
    for _ in range(3):
        resumed.step()
    for ours, theirs in ((resumed.model, whole.model), (resumed.average, whole.average)):
        for name, value in theirs.state_dict().items():
            assert torch.equal(ours.state_dict()[name], value), name
    assert all(torch.equal(resumed.state[name], whole.state[name]) for name in whole.state)


def test_state_is_carried_and_a_lane_that_starts_anew_forgets(clip: Clip, tmp_path: Path) -> None:
    trainer = Trainer(config(PLAIN, sequences_per_batch=2), clip, tmp_path)
    trainer.step()
    carried = {name: value.clone() for name, value in trainer.state.items()}
    assert all(value.abs().sum() > 0 for value in carried.values())
    trainer.lanes.fresh_B = [False, True]
    trainer._next_batch()
    for name, value in trainer.state.items():
        assert torch.equal(value[0], carried[name][0])
        assert not value[1].any()
        assert not value.requires_grad


def test_the_batch_is_what_the_clip_holds(clip: Clip, tmp_path: Path) -> None:
    trainer = Trainer(config(gain_range_db=(-6.0, -6.0)), clip, tmp_path)
    trainer._next_batch()
    real, audio = trainer._next_batch()
    assert torch.equal(real[0], pictures(clip, 4, 4))
    expected = sound_windows(clip.sound_S, 4, 4, WindowTiming.of(trainer.model))
    torch.testing.assert_close(audio[0], torch.from_numpy(expected) * 10 ** (-6 / 20))


def test_adversaries_join_when_told(clip: Clip, tmp_path: Path) -> None:
    losses = LossConfig(adversarial="hinge", l1=1.0, adversarial_from_iteration=1)
    trainer = Trainer(config(losses), clip, tmp_path)
    assert "g_image" not in trainer.step()
    assert "g_image" in trainer.step()


def test_a_run_leaves_checkpoint_samples_and_statistics(clip: Clip, tmp_path: Path) -> None:
    settings = config(intervals=IntervalConfig(log=2, sample=4, checkpoint=2, checkpoints_kept=1), total_iterations=5)
    found = Trainer(settings, clip, tmp_path).run()
    assert found is not None
    assert 0.0 < found.mean_frame_l1 < 1.0
    assert [folder.name for folder in checkpoint_folders(tmp_path)] == ["0000005"]
    assert sorted(file.name for file in (tmp_path / "samples").iterdir()) == [
        f"000000{i}.{kind}" for i in (4, 5) for kind in ("mp4", "png")
    ]
    records = [json.loads(line) for line in (tmp_path / "stats.jsonl").read_text().splitlines()]
    assert [record["iteration"] for record in records if "l1" in record] == [2, 4, 5]
    assert [record["iteration"] for record in records if "validation" in record] == [4, 5]
    assert list((tmp_path / "tensorboard").glob("events*"))
    assert load_generator(tmp_path).iterations == 5


def test_a_request_to_stop_writes_a_checkpoint(clip: Clip, tmp_path: Path) -> None:
    trainer = Trainer(config(total_iterations=1000), clip, tmp_path)
    whole_step = trainer.step

    def step_then_ask() -> dict[str, torch.Tensor]:
        trainer.stop_requested = trainer.iteration == 2
        return whole_step()

    trainer.step = step_then_ask  # type: ignore[method-assign]
    assert trainer.run() is None
    assert read_checkpoint(tmp_path).iterations == 3


def test_a_limit_of_time_ends_the_run(clip: Clip, tmp_path: Path) -> None:
    trainer = Trainer(config(PLAIN, minutes=0.5 / 60, total_iterations=100000), clip, tmp_path)
    trainer.run()
    assert 0 < trainer.iteration < 1000
    assert trainer.progress() == 1.0


def test_a_loss_that_is_no_number_stops_and_names_the_last_checkpoint(clip: Clip, tmp_path: Path) -> None:
    trainer = Trainer(config(PLAIN), clip, tmp_path)
    trainer.step()
    folder = trainer.save()
    with torch.no_grad():
        trainer.model.generator.seed.conv.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match="'l1' is nan") as caught:
        trainer.step()
    assert str(folder) in str(caught.value)
    assert not any(torch.isnan(value).any() for value in load_generator(tmp_path).model.state_dict().values())


def test_cosine_falls_to_a_twentieth(clip: Clip, tmp_path: Path) -> None:
    optimiser = OptimiserConfig(lr_generator=1.0, lr_discriminator=2.0, lr_decay="cosine")
    trainer = Trainer(config(optimiser=optimiser, total_iterations=10), clip, tmp_path)
    rates = []
    for trainer.iteration in (0, 5, 10):
        trainer._set_learning_rates()
        judge = trainer.adversary.optimisers["video"]
        rates.append((trainer.optimiser.param_groups[0]["lr"], judge.param_groups[0]["lr"]))
    assert rates == [pytest.approx((1.0, 2.0)), pytest.approx((0.525, 1.05)), pytest.approx((0.05, 0.1))]


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


def test_a_sample_video_holds_the_pictures_in_time_with_the_sound(tmp_path: Path) -> None:
    sound = np.zeros(RATE_HZ, np.float32)
    sound[8000:8040] = 0.8
    write_video(tmp_path / "sample.mp4", numbered_frames(20), sound, 20, RATE_HZ)
    read = ClipFormat(fps=20, image_size=16, sample_rate_hz=RATE_HZ)
    assert numbers_of(np.stack(list(read_pictures(tmp_path / "sample.mp4", read)))) == list(range(20))
    assert abs(int(np.abs(read_sound(tmp_path / "sample.mp4", RATE_HZ)).argmax()) - 8020) < 40
    (tmp_path / "taken.mp4").mkdir()
    with pytest.raises(TrainingError, match="Cannot write"):
        write_video(tmp_path / "taken.mp4", numbered_frames(2), sound, 20, RATE_HZ)


def test_a_contact_sheet_shows_real_above_generated() -> None:
    real, fake = numbered_frames(20, 4, 4), np.zeros((20, 4, 4, 3), np.uint8)
    sheet = contact_sheet(real, fake, columns=5)
    assert sheet.shape == (8, 20, 3)
    assert [int(sheet[0, 4 * column, 0]) for column in (0, 4)] == [int(real[0].max()), int(real[19].max())]
    assert not sheet[4:].any()


def test_validation_knows_a_perfect_model_and_a_still_one(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(config(PLAIN), clip, tmp_path)
    fold, mean_CHW, model = trainer.validation_fold, trainer.mean_CHW, trainer.average
    place = [fold.first]

    def perfect(audio: torch.Tensor, noise: object, state: object) -> tuple[torch.Tensor, None, object]:
        place[0] += audio.shape[1]
        return pictures(clip, place[0] - audio.shape[1], audio.shape[1])[None], None, state

    monkeypatch.setattr(model, "clip", perfect)
    found = validate(model, clip, fold, mean_CHW, steps=5)
    assert (found.l1, found.motion_l1, found.motion_share) == (0.0, 0.0, 1.0)
    assert np.array_equal(found.generated_NHWC, clip.frames_NHWC[fold.first : fold.end])
    monkeypatch.setattr(model, "clip", lambda audio, *_: (mean_CHW.expand(1, audio.shape[1], -1, -1, -1), None, {}))
    still = validate(model, clip, fold, mean_CHW, steps=5)
    assert still.l1 == pytest.approx(still.mean_frame_l1)
    assert still.motion_share == 0.0
