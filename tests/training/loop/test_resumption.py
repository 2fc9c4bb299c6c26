"""What may change when a run goes on, and what a new run takes from an old one."""

import dataclasses
from pathlib import Path

import pytest
import torch

from engine.core.errors import TrainingError
from tests.training.clips import moving_clip
from tests.training.runs import PLAIN, small_config
from training.data.cache import load_clip
from training.data.config import ClipConfig
from training.data.footage import footage_sha256
from training.data.video import Clip
from training.loop.checkpoint import Checkpoint, ancestry
from training.loop.config import TrainConfig, with_overrides
from training.loop.resumption import as_begun, check_resumable, check_start, start_from
from training.loop.trainer import build_trainer


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return moving_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture(scope="module")
def clip(file: Path) -> Clip:
    return load_clip(file, small_config().clip_format(), file.parent / "cache")


def changed(config: TrainConfig, **overrides: object) -> TrainConfig:
    named = {name.replace("__", "."): value for name, value in overrides.items()}
    return TrainConfig.from_dict(with_overrides(config.to_dict(), named))


def saved(file: Path, **known: object) -> Checkpoint:
    config = small_config(clip=ClipConfig(path=str(file), title="Bars", licence="CC0-1.0"))
    return dataclasses.replace(Checkpoint(config, 7, 0.0, {}, {}, Path("runs/x/checkpoints/0000007")), **known)


def test_how_long_how_often_and_where_may_change(file: Path) -> None:
    checkpoint = saved(file)
    again = {"total_iterations": 9, "minutes": 2, "intervals__log": 9, "threads": 1, "device": "auto"}
    check_resumable(checkpoint, changed(checkpoint.config, **again, model__name="y", clip__title="z"))


def test_what_a_run_of_the_version_before_had_is_no_other_setting(file: Path) -> None:
    begun = changed(saved(file).config, clip__tuning_share=0.0, model__front_end__kind="lms")
    begun = changed(begun, model__front_end__spectrum_rate_hz=begun.model.front_end.sample_rate_hz)
    wanted = changed(saved(file).config, model__front_end__kind="lms")
    check_resumable(saved(file, config=begun), as_begun(wanted, begun))
    assert as_begun(wanted, begun, resumed=False).clip.tuning_share == wanted.clip.tuning_share
    assert as_begun(wanted, wanted) is wanted


def test_every_other_key_is_refused_with_both_values(file: Path) -> None:
    checkpoint = saved(file)
    with pytest.raises(TrainingError) as caught:
        check_resumable(
            checkpoint, changed(checkpoint.config, losses__l1=2, seed=3, sequences_per_batch=4, total_iterations=9)
        )
    assert "other settings: losses.l1 1.0 -> 2.0, seed 0 -> 3, sequences_per_batch 1 -> 4; leave" in str(caught.value)
    assert "--from" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_clip_may_move_but_not_change(file: Path, tmp_path: Path) -> None:
    known = saved(file, clip_sha256=footage_sha256(ClipConfig(path=str(file))))
    moved = tmp_path / "moved.mp4"
    moved.write_bytes(file.read_bytes())
    check_resumable(known, changed(known.config, clip__path=str(moved)))
    moved.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(TrainingError, match=r"other settings: the content of the clip .*moved\.mp4"):
        check_resumable(known, changed(known.config, clip__path=str(moved)))
    with pytest.raises(TrainingError, match=r"absent\.mp4 does not exist"):
        check_resumable(known, changed(known.config, clip__path=str(tmp_path / "absent.mp4")))
    with pytest.raises(TrainingError, match=r"clip\.path '.*clip\.mp4' -> '.*moved\.mp4'"):
        check_resumable(saved(file), changed(known.config, clip__path=str(moved)))


def test_a_new_run_takes_weights_and_nothing_else(clip: Clip, file: Path) -> None:
    before = build_trainer(small_config(), clip)
    for _ in range(2):
        before.step()
    source = dataclasses.replace(before.checkpoint(0.0), folder=Path("runs/x"))
    after = build_trainer(small_config(seed=9, losses=before.config.losses), clip)
    assert start_from(after, source) == []
    for model in (after.model, after.average):
        assert all(torch.equal(value, source.generator[name]) for name, value in model.state_dict().items())
    theirs, ours = (trainer.networks["video_discriminator"].state_dict() for trainer in (before, after))
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())
    assert after.iteration == 0
    assert not after.optimiser.state_dict()["state"]
    after.step()
    plain = build_trainer(small_config(PLAIN), clip)
    notices = start_from(after, plain.checkpoint(0.0))
    assert [notice.split(":")[0] for notice in notices] == [
        "the image discriminator starts fresh",
        "the video discriminator starts fresh",
    ]


def test_a_larger_frame_grows_and_another_shape_is_refused(clip: Clip, file: Path) -> None:
    small = build_trainer(small_config(PLAIN), clip)
    source = small.checkpoint(0.0)
    larger = changed(small.config, model__image_size=32)
    check_start(source, larger)
    grown = build_trainer(larger, load_clip(file, larger.clip_format(), file.parent / "cache"))
    assert start_from(grown, source) == []
    name = "generator.blocks.0.skip.weight"
    assert torch.equal(grown.average.state_dict()[name], source.generator[name])
    with pytest.raises(TrainingError, match=r"do not fit: model\.generator\.motion_layers 2 -> 1; leave"):
        check_start(source, changed(small.config, model__generator__motion_layers=1))
    with pytest.raises(TrainingError, match=r"do not fit: model\.image_size 16 -> 8"):
        check_start(source, changed(small.config, model__image_size=8))
    with pytest.raises(TrainingError, match=r"do not fit: model\.image_size 16 -> '64x32'"):
        check_start(source, changed(small.config, model__image_size="64x32"))


def test_a_new_run_remembers_all_that_came_before(file: Path) -> None:
    first = saved(file)
    second = dataclasses.replace(first, started_from=ancestry(first), iterations=3)
    assert [(each.title, each.iterations) for each in ancestry(second)] == [("Bars", 7), ("Bars", 3)]
