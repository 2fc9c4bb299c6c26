"""Checkpoints, configurations and records that were damaged or made to harm: a sentence each, at a bounded cost."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from engine.core.errors import TrainingError
from tests.training.clips import moving_clip
from tests.training.loop.test_checkpoint import saved
from tests.training.runs import small_config
from training.data.cache import load_clip
from training.logging.records import read_records
from training.loop.checkpoint import DamagedCheckpoint, load_generator, read_checkpoint, read_start, write_checkpoint
from training.loop.config import load_train_config
from training.loop.run_folder import DESCRIPTION_FILE
from training.loop.trainer import build_trainer
from training.sweeps.plan import load_sweep

HUGE = 10**4000
DESCRIPTIONS: dict[str, dict[str, Any]] = {
    "'iterations' is 'x'; a whole number": {"iterations": "x"},
    "'iterations' is None; a whole number": {"iterations": None},
    "iterations is -1 and": {"iterations": -1},
    "a whole number of 4001 digits": {"iterations": HUGE},
    "'elapsed_s' is nan": {"elapsed_s": float("nan")},
    "'elapsed_s' is 'soon'": {"elapsed_s": "soon"},
    "'started_from' is 'x'; a list": {"started_from": "x"},
    "'started_from[0]' is 3": {"started_from": [3]},
    "The key 'started_from[0].title' is missing": {"started_from": [{}]},
    "'sha256' is ['x']; a mapping": {"sha256": ["x"]},
    "'config' is 3; a mapping": {"config": 3},
    "'clip_sha256' is 7": {"clip_sha256": 7},
    "nested more than 64 deep": {"commit": json.loads("[" * 100 + "]" * 100)},
    "a character that no text has": {"commit": "\0"},
}


@pytest.mark.parametrize("sentence", DESCRIPTIONS)
def test_a_description_with_a_wrong_value_is_a_damaged_checkpoint(tmp_path: Path, sentence: str) -> None:
    file = saved(tmp_path / "checkpoint") / DESCRIPTION_FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), **DESCRIPTIONS[sentence]}))
    for read in (load_generator, read_start):
        with pytest.raises(DamagedCheckpoint) as refusal:
            read(tmp_path / "checkpoint")
        assert sentence in str(refusal.value)
        assert "\n" not in str(refusal.value)
        assert len(str(refusal.value)) < 600


@pytest.mark.skipif(os.name != "posix", reason="links and pipes are made as on POSIX")
@pytest.mark.parametrize("name", [DESCRIPTION_FILE, "generator.safetensors"])
def test_a_link_to_a_device_is_no_part_of_a_checkpoint(tmp_path: Path, name: str) -> None:
    file = saved(tmp_path / "checkpoint") / name
    file.unlink()
    file.symlink_to("/dev/zero")
    with pytest.raises(TrainingError):
        load_generator(tmp_path / "checkpoint")


TENSORS: dict[str, Callable[[dict[str, torch.Tensor]], object]] = {
    "nothing": lambda tensors: tensors.clear(),
    "no random numbers": lambda tensors: tensors.pop("random"),
    "other random numbers": lambda tensors: tensors.update(random=torch.zeros(3, dtype=torch.uint8)),
    "an optimiser without numbers": lambda tensors: tensors.update({"generator_optimiser.x": torch.zeros(1)}),
    "an optimiser of many": lambda tensors: tensors.update({"generator_optimiser.9999999.step": torch.zeros(1)}),
    "streams elsewhere": lambda tensors: tensors.update(
        {name: torch.full_like(value, -7) for name, value in tensors.items() if name.endswith((".clip", ".next"))}
    ),
    "another state": lambda tensors: tensors.update(
        {name: torch.zeros(0) for name in tensors if name.startswith("state.")}
    ),
}


def test_what_resuming_needs_is_there_or_a_sentence_says_so(tmp_path: Path) -> None:
    config = small_config()
    clip = load_clip(moving_clip(tmp_path / "clip.mp4"), config.clip_format(), tmp_path / "cache")
    trainer = build_trainer(config, clip)
    refused: list[str] = []
    for number, (name, change) in enumerate(TENSORS.items()):
        checkpoint = trainer.checkpoint(0.0)
        change(checkpoint.training)
        checkpoint.training["placeholder"] = torch.zeros(1)
        write_checkpoint(tmp_path / f"{number}", checkpoint)
        try:
            build_trainer(config, clip, read_checkpoint(tmp_path / f"{number}"))
        except TrainingError as error:
            refused.append(name)
            assert_sentence(error)
    assert refused == [name for name in TENSORS if name != "streams elsewhere"]


def assert_sentence(error: Exception) -> None:
    assert "\n" not in str(error)
    assert len(str(error)) < 1000


CONFIGURATIONS = {
    "model: {name: 2026-01-31, image_size: x}": "image_size",
    f"seed: {'9' * 5000}": "a whole number that cannot be read in line 1",
    "a: &a [1, 2]\nb: &b [*a, *a, *b]": "stands inside itself in line 2",
    "seed: 1\nseed: 2": "the key 'seed' stands twice in line 2",
    "1: 2": "Unknown setting '1'",
    "model: [1]": "model",
    "model: {family: [1]}": "family",
    "model: {generator: 3}": "generator",
    "clip: 3": "clip",
    "losses: [motion]": "losses",
    "optimiser: {lr_generator: .nan}": "lr_generator",
    "optimiser: {betas: [.inf, 1]}": "betas",
    "minutes: .inf": "minutes",
    "clip: {more: [1, {}]}": "clip.more",
    "intervals: " + "[" * 100: "nested more than 64 deep",
}


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_a_hostile_configuration_is_one_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(TrainingError) as refusal:
        load_train_config(file)
    assert CONFIGURATIONS[text] in str(refusal.value)
    assert_sentence(refusal.value)


def test_a_date_is_a_title(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("clip: {title: 2026-01-31}\n")
    assert load_train_config(file).clip.title == "2026-01-31"


VALUES = (None, True, -1, 2**64, 0.5, float("inf"), "", "x", "a\x1bb", [], [1], {}, {"x": 1}, {1: 2}, "2026-01-31")


def test_any_change_to_a_configuration_is_read_or_refused(tmp_path: Path) -> None:
    """120 configurations and sweeps with one or two values replaced by values of every kind."""
    drawn = random.Random(18)
    file = tmp_path / "config.yaml"
    sources = [
        (Path("configs/train/tiny.yaml"), load_train_config),
        *((path, load_sweep) for path in Path("configs/sweep").glob("*.yaml")),
    ]
    refused = 0
    for _ in range(120):
        source, load = drawn.choice(sources)
        values = yaml.safe_load(source.read_text())
        for _ in range(drawn.randint(1, 2)):
            place = values
            while True:
                keys = list(place) if isinstance(place, dict) else list(range(len(place)))
                if not keys:
                    break
                key = drawn.choice(keys)
                if isinstance(place[key], (dict, list)) and drawn.random() < 0.7:
                    place = place[key]
                    continue
                place[key] = drawn.choice(VALUES)
                break
        file.write_text(yaml.safe_dump(values, allow_unicode=False))
        try:
            load(file)
        except TrainingError as error:
            refused += 1
            assert_sentence(error)
    assert refused > 30


def test_records_of_any_kind_are_read_over(tmp_path: Path) -> None:
    """Lines of every kind, and bytes of none, between two good ones."""
    file = tmp_path / "stats.jsonl"
    good = b'{"iteration": 1, "elapsed_s": 2.5, "l1": 0.5}\n'
    bad = [b'{"iteration": "x", "elapsed_s": 0}', b"[" * 100_000, b"9" * 5000, b"\xff\x00", b'{"iteration": 1, "iteration": 2}',
           b'{"iteration": 1, "elapsed_s": Infinity}', b"x" * (3 << 20)]  # fmt: skip
    file.write_bytes(good + b"\n".join(bad) + b"\n" + good)
    assert [record["l1"] for record in read_records(file)] == [0.5, 0.5]
