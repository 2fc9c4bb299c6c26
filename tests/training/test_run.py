"""A run leaves what it should, and stops with a sentence."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from engine.errors import TrainingError
from tests.training.clips import moving_clip
from tests.training.runs import PLAIN
from tests.training.runs import small_config as config
from training.checkpoint import checkpoint_folders, load_generator, read_checkpoint
from training.config import IntervalConfig
from training.data.cache import load_clip
from training.data.video import Clip
from training.run import Run


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


def test_a_run_leaves_checkpoint_samples_and_statistics(clip: Clip, tmp_path: Path) -> None:
    settings = config(intervals=IntervalConfig(log=2, sample=4, checkpoint=2, checkpoints_kept=1), total_iterations=5)
    found = Run(settings, clip, tmp_path).run()
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
    run = Run(config(total_iterations=1000), clip, tmp_path)
    whole_step = run.trainer.step

    def step_then_ask(progress: float) -> dict[str, torch.Tensor]:
        run.stop_requested = run.trainer.iteration == 2
        return whole_step(progress)

    run.trainer.step = step_then_ask  # type: ignore[method-assign]
    assert run.run() is None
    assert read_checkpoint(tmp_path).iterations == 3


def test_a_limit_of_time_ends_the_run(clip: Clip, tmp_path: Path) -> None:
    run = Run(config(PLAIN, minutes=0.5 / 60, total_iterations=100000), clip, tmp_path)
    run.run()
    assert 0 < run.trainer.iteration < 1000
    assert run.progress() == 1.0


def test_a_loss_that_is_no_number_stops_and_names_the_last_checkpoint(clip: Clip, tmp_path: Path) -> None:
    run = Run(config(PLAIN), clip, tmp_path)
    run.trainer.step()
    folder = run.save()
    with torch.no_grad():
        run.trainer.model.generator.seed.conv.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match="'l1' is nan") as caught:
        run.run()
    assert str(folder) in str(caught.value)
    assert not any(torch.isnan(value).any() for value in load_generator(tmp_path).model.state_dict().values())
