"""docs/options.md against the code: every key exists, every default is the real one, no option of the model is left out."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from engine.app.command_line import build_parser
from engine.control.parameter_table import TABLE
from export.to_onnx import argument_parser as export_parser
from training.evaluation.command_line import argument_parser as evaluation_parser
from training.loop.config import TrainConfig, load_train_config
from training.train import argument_parser as training_parser
from training.train import describe

PAGE = Path("docs/options.md").read_text(encoding="utf-8")
CONFIGS = sorted(Path("configs/train").glob("*.yaml"))
MODEL_FLAGS = [
    "seq_len",
    "fps",
    "chunk_len",
    "feat_type",
    "mel_bands",
    "e_motion",
    "z_content",
    "sound_route",
    "motion_layers",
    "motion_type",
    "image_size",
    "g_type",
    "g_arch",
    "vid_pred",
    "double_finest",
    "cond_gen",
]
"""Flags that every program of the original asks for again."""
EVALUATED = [flag for flag in MODEL_FLAGS if flag != "seq_len"]
TRAINING = [
    "train_source",
    "gpus",
    "trial_name",
    "resume",
    "crop",
    "d_arch",
    "total_iter",
    "loss_type",
    "lr_g",
    "lr_d",
    "lambda_L1",
    "lambda_pl",
]
PROGRAMS = {
    "train.py": {*MODEL_FLAGS, *TRAINING},
    "deploy.py": {*MODEL_FLAGS, "gpus", "checkpoint"},
    "eval_models.py": {*EVALUATED, "train_source", "checkpoints", "labels", "crop", "max_seq_len", "save_plot"},
    "eval_FSD50K.py": {*MODEL_FLAGS, "gpus", "train_source", "checkpoint", "crop"},
}
"""The flags of the original's four programs, as their parsers declare them."""
SHARED, EVALUATION = "The original's flags", "The original's evaluation flags"
COMMANDS = {
    "python -m training.train": training_parser(),
    "python -m training.evaluate": evaluation_parser(None),
    "python -m export.to_onnx": export_parser(),
    "python run_live.py": build_parser(TABLE, None),
}
COMMAND = re.compile(r"`(python (?:-m )?[\w.]+)([^`]*)`")
ABSENT = object()


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table rows under a heading."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [
        line for line in section.splitlines() if line.startswith("| ") and not line.startswith(("| flag", "| key"))
    ]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def value(config: TrainConfig, key: str) -> Any:
    """Return the value of a dotted key, or ABSENT."""
    found: Any = config
    for name in key.split("."):
        found = getattr(found, name, ABSENT) if dataclasses.is_dataclass(found) else ABSENT
    return found


def shown(found: Any) -> str:
    """Write a value as the page does."""
    if found is None or found == "":
        return "none" if found is None else "empty"
    if isinstance(found, bool):
        return str(found).lower()
    return f"[{', '.join(map(str, found))}]" if isinstance(found, tuple) else str(found)


def flag(row: list[str]) -> str:
    return row[0].strip("`-")


def test_every_flag_of_the_original_s_programs_has_its_row() -> None:
    assert {flag(row) for row in rows(SHARED)} == PROGRAMS["train.py"] | PROGRAMS["deploy.py"]
    for column, program in ((1, "eval_models.py"), (2, "eval_FSD50K.py")):
        assert {flag(row) for row in rows(EVALUATION) if row[column] == "yes"} == PROGRAMS[program]


@pytest.mark.parametrize("row", [*rows(SHARED), *rows(EVALUATION)], ids=lambda row: row[0])
def test_every_row_names_a_key_or_a_command_that_exists(row: list[str]) -> None:
    cells = " ".join(row[2:])
    keys = [key for key in re.findall(r"`([a-z_.0-9]+)`", cells) if value(TrainConfig(), key) is not ABSENT]
    assert keys or COMMAND.search(cells)


def test_every_command_on_the_page_has_the_flags_it_is_given() -> None:
    commands = COMMAND.findall(PAGE)
    assert {command for command, _ in commands} >= COMMANDS.keys()
    for command, words in commands:
        if command in COMMANDS:
            known = set(re.findall(r"--[a-z-]+", COMMANDS[command].format_help()))
            assert set(re.findall(r"--[a-z-]+", words)) <= known, (command, words)


@pytest.mark.parametrize("row", rows(SHARED), ids=lambda row: row[0])
def test_keys_and_values_of_the_original_s_flags(row: list[str]) -> None:
    _, _, key, default, paper, _ = row
    if key:
        assert value(TrainConfig(), key.strip("`")) is not ABSENT
        assert shown(value(TrainConfig(), key.strip("`"))) == default
        assert shown(value(load_train_config(Path("configs/train/paper-128.yaml")), key.strip("`"))) == paper


@pytest.mark.parametrize("row", rows("This project's own options"), ids=lambda row: row[0])
def test_keys_and_defaults_of_own_options(row: list[str]) -> None:
    key, default, _ = row
    assert value(TrainConfig(), key.strip("`")) is not ABSENT
    assert shown(value(TrainConfig(), key.strip("`"))) == default


def test_every_dotted_name_on_the_page_is_a_key() -> None:
    sections = {field.name for field in dataclasses.fields(TrainConfig)}
    names = [n for n in re.findall(r"`(\w+(?:\.\w+)+)`", PAGE) if n.split(".")[0] in sections]
    assert len(names) > 50
    assert [name for name in names if value(TrainConfig(), name) is ABSENT] == []


def test_no_option_of_the_model_is_left_out() -> None:
    model = TrainConfig().model
    keys = [
        f"model.{f.name}" for f in dataclasses.fields(model) if not dataclasses.is_dataclass(getattr(model, f.name))
    ]
    keys += [f"model.front_end.{f.name}" for f in dataclasses.fields(model.front_end)]
    keys += [f"model.generator.{f.name}" for f in dataclasses.fields(model.generator)]
    assert [key for key in keys if f"`{key}`" not in PAGE] == []


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_each_configuration_builds_and_the_paper_s_have_the_documented_sizes(path: Path) -> None:
    sizes = [
        line.split()[-2] for line in describe(load_train_config(path)).splitlines() if line.endswith(" parameters")
    ]
    assert sizes
    documented = {row[0]: row[1:4] for row in rows("The paper's sizes")}
    assert path.stem not in documented or sizes == documented[path.stem]


def test_the_paper_s_kernel_grows_at_512() -> None:
    for row in rows("The paper's sizes")[1:]:
        config = load_train_config(Path(f"configs/train/{row[0]}.yaml"))
        kernel = config.model.generator.prediction_kernel or (3 if config.model.image_size < 512 else 5)
        assert [str(kernel), str(config.sequence_frames)] == row[4:6]
