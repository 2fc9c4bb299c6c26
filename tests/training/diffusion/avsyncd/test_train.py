"""Training from files: Stable Diffusion's weights and a folder of clips become checkpoints, which are rendered."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from engine.core.errors import TrainingError
from tests.training.clips import noise, numbered_frames, write_clip
from tests.training.diffusion.avsyncd.published_folder import write_folder, write_still_unet
from training.diffusion.avsyncd.learner import UNET_FILE
from training.diffusion.avsyncd.published import CHECKPOINTS
from training.diffusion.avsyncd.train import TrainingConfig, main
from training.diffusion.training_command import read_run_config
from training.render import main as render

CONFIG = """
width: 16
height: 16
clips_per_batch: 1
batches: 2
iterations: {iterations}
checkpoint_every: 2
milestone_every: 100
learning: {{learning_rate: 0.001}}
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights, with one clip to train on."""
    folder = write_folder(tmp_path_factory.mktemp("given"))
    write_still_unet(folder)
    (folder / "videos" / "dog_barking").mkdir(parents=True)
    write_clip(folder / "videos" / "dog_barking" / "a.mp4", numbered_frames(50), noise(2.5))
    (folder / "train.txt").write_text("dog_barking/a.mp4\n")
    return folder


def train(given: Path, run: Path, iterations: int, *flags: str) -> None:
    config = run.with_suffix(".yaml")
    config.write_text(CONFIG.format(iterations=iterations))
    folders = ["--data", str(given), "--weights", str(given), "--run-folder", str(run), "--config", str(config)]
    assert main([*folders, "--device", "cpu", *flags]) == 0


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "losses.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(given: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four iterations."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    train(given, run, 4)
    return run


def test_a_run_leaves_its_newest_checkpoint_and_its_losses(whole: Path) -> None:
    assert [place.name for place in (whole / "ckpts").iterdir()] == ["checkpoint-4"]
    assert len(losses(whole)) == 4
    assert all(0.0 < loss < 10.0 for loss in losses(whole))


def test_a_resumed_run_ends_as_the_whole_one(given: Path, whole: Path, tmp_path: Path) -> None:
    """Also what AVSyncD adds begins with numbers that follow from the seed alone."""
    torch.manual_seed(1)
    train(given, tmp_path / "run", 2)
    train(given, tmp_path / "run", 4, "--resume")
    one, other = (load_file(run / "ckpts" / "checkpoint-4" / UNET_FILE) for run in (whole, tmp_path / "run"))
    assert losses(tmp_path / "run") == losses(whole)
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_what_was_trained_is_rendered(
    given: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "photo.png"), np.full((16, 16, 3), 90, np.uint8))
    soundfile.write(tmp_path / "song.wav", np.zeros(24000), 48000)
    words = ["--family", "avsyncd", "--weights", str(given), "--checkpoint", str(whole / "ckpts/checkpoint-4/modules")]
    words += ["--image", str(tmp_path / "photo.png"), "--audio", str(tmp_path / "song.wav"), "--text", "dog barking"]
    words += ["--steps", "1", "--width", "16", "--height", "16", "-o", str(tmp_path / "clip.mp4"), "--no-preview"]
    assert render(words) == 0
    assert "3 frames of 16x16" in capsys.readouterr().out


def test_clips_that_are_not_there_or_damaged_do_not_end_a_run(
    given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    (data / "videos" / "dog_barking").mkdir(parents=True)
    shutil.copy(given / "videos" / "dog_barking" / "a.mp4", data / "videos" / "dog_barking" / "a.mp4")
    (data / "videos" / "dog_barking" / "damaged.mp4").write_bytes(b"no film")
    (data / "train.txt").write_text("dog_barking/gone.mp4\ndog_barking/a.mp4\ndog_barking/damaged.mp4\n")
    train(given, tmp_path / "run", 2, "--data", str(data))
    told = capsys.readouterr().out
    assert "1 of 3 clips that are listed are not there, as " in told
    assert told.count("left out: ") == 1
    assert len(losses(tmp_path / "run")) == 2
    (data / "train.txt").write_text("dog_barking/gone.mp4\n")
    with pytest.raises(TrainingError, match="names 1 clip, and none is there"):
        train(given, tmp_path / "other", 2, "--data", str(data))


def test_a_run_is_not_begun_twice(given: Path, whole: Path) -> None:
    with pytest.raises(TrainingError, match="holds a run; add --resume"):
        train(given, whole, 4)


def test_there_must_be_something_to_go_on_from(given: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no checkpoint to go on from"):
        train(given, tmp_path / "run", 4, "--resume")


def test_weights_of_stable_diffusion_are_needed(given: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="lacks pretrained/stable-diffusion-v1-5/unet"):
        train(given, tmp_path / "run", 4, "--weights", str(write_folder(tmp_path / "weights")))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("wdth: 16", "Did you mean 'width'"),
        ("width: 15", "sides that 8 divides"),
        ("batches: 0", "0 batches"),
        ("learning: {learning_rate: -1.0}", "learning_rate is -1"),
        ("[1]", "holds list"),
        ("a: b: c", "is no YAML"),
    ],
)
def test_configurations_that_cannot_be(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(TrainingError, match=sentence):
        read_run_config(file, TrainingConfig)


def test_the_published_configuration_is_the_default() -> None:
    config = read_run_config(None, TrainingConfig)
    assert config == TrainingConfig()
    assert config.clips_per_batch * config.batches == 64
    assert (config.learning.learning_rate, config.learning.weight_decay, config.learning.sound_dropout) == (
        1e-4,
        0.01,
        0.2,
    )


@pytest.mark.parametrize("model", CHECKPOINTS)
def test_each_published_model_has_its_configuration(model: str) -> None:
    config, checkpoint = read_run_config(Path(f"configs/avsyncd/{model}.yaml"), TrainingConfig), CHECKPOINTS[model]
    assert (config.width, config.height, config.iterations) == (checkpoint.width, checkpoint.height, checkpoint.steps)
    assert config.clips_per_batch * config.batches == 64
    assert not config.text or config.text in checkpoint.classes
