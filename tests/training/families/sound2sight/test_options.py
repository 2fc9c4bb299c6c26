"""docs/families.md against the code: every flag of the original has its row, every key exists and every default is the real one."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from benchmarks import futures
from benchmarks.future_clips import parsed
from tests.training.test_options_page import ABSENT, shown, value
from training.families.model_config import ModelConfig
from training.families.sound2sight.config import (
    JointDiscriminatorConfig,
    Sound2SightConfig,
    Sound2SightLosses,
)
from training.loop.config import TrainConfig, load_train_config

PAGE = Path("docs/families.md").read_text(encoding="utf-8")
TRAINING = [
    "lr",
    "disc_lr",
    "beta1",
    "batch_size",
    "log_dir",
    "model_dir",
    "name",
    "data_root",
    "optimizer",
    "niter",
    "seed",
    "epoch_size",
    "image_width",
    "channels",
    "dataset",
    "n_past",
    "n_future",
    "n_eval",
    "rnn_size",
    "disc_rnn_size",
    "prior_rnn_layers",
    "posterior_rnn_layers",
    "audio_rnn_layers",
    "video_rnn_layers",
    "disc_layers",
    "predictor_rnn_layers",
    "dim_ff",
    "nhead",
    "z_dim",
    "g_dim",
    "beta",
    "beta_gen_loss",
    "model",
    "disc_buffer",
    "data_threads",
    "num_digits",
    "last_frame_skip",
]
GENERATING = ["model_path", "nsample", "N", "model_epoch", "log_path"]
"""The flags of the original's two programs, as their parsers declare them; the second has some of the first again."""
CONFIG = TrainConfig(
    model=ModelConfig(family="sound2sight"), losses=Sound2SightLosses(adversarial=0.0), sequence_frames=20
)
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.split("### The original's options\n")[1].split("\n### ")[0].splitlines()
    if line.startswith("| `--")
]


def test_every_flag_of_the_original_has_its_row() -> None:
    named = [flag for row in ROWS for flag in re.findall(r"`--(\w+)`", row[0])]
    assert sorted(named) == sorted([*TRAINING, *GENERATING])


@pytest.mark.parametrize("row", [row for row in ROWS if row[3]], ids=lambda row: row[0])
def test_keys_and_defaults_are_the_code_s(row: list[str]) -> None:
    key, default = row[3].strip("`"), row[4]
    assert value(CONFIG, key) is not ABSENT
    # What the test's own configuration sets is not the default.
    own = {"sequence_frames": 16, "losses.adversarial": Sound2SightLosses().adversarial}
    assert shown(own.get(key, value(CONFIG, key))) == default


def test_commands_of_the_page_name_the_clips_that_they_need() -> None:
    commands = re.findall(r"`python -m benchmarks.futures ([^`]*)`", PAGE)
    assert len(commands) == 4
    for command in commands:
        parsed(futures.argument_parser(), command.replace(" N", " 5").split())


def test_no_option_of_the_family_is_left_out() -> None:
    sections = {
        "model.generator": Sound2SightConfig,
        "discriminator": JointDiscriminatorConfig,
        "losses": Sound2SightLosses,
    }
    keys = [f"{section}.{field.name}" for section, kind in sections.items() for field in fields(kind)]
    assert [key for key in keys if f"`{key}`" not in PAGE] == []


@pytest.mark.parametrize("name", ["sound2sight", "sound2sight-original"])
def test_its_configurations_have_the_learning_rates_of_the_original(name: str) -> None:
    config = load_train_config(Path(f"configs/train/{name}.yaml"))
    optimiser = config.optimiser
    assert (optimiser.lr_generator, optimiser.lr_discriminator, optimiser.betas) == (0.002, 0.0025, (0.9, 0.999))
    assert (config.model.generator.context_frames, config.sequence_frames) == (5, 20)
