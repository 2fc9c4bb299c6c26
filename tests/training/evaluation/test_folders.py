"""A run trained on a folder in the layout of Sub-URMP: trained, evaluated and exported like one on a video."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import TrainingError
from engine.model.backends.onnx_cpu import open_model
from export.to_onnx import main as export
from tests.training.clips import noise, numbered_frames, write_recording
from tests.training.runs import words
from training.evaluate import main as evaluate
from training.evaluation.results import FILE_KEYS
from training.evaluation.sequences import TRAINED
from training.train import main as train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return ROOT with three recordings of a cello; the last one is too short for an evaluation."""
    root = tmp_path_factory.mktemp("Sub-URMP")
    for name, frames in (("cello01", 60), ("cello02", 80), ("cello03", 20)):
        sound_S = noise(frames / 10, seed=frames)[0] * np.repeat(np.arange(frames) % 3, 1600).astype(np.float32)
        write_recording(root, name, numbered_frames(frames, 32, 32), sound_S)
    return root


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("runs")
    given = words(Path(f"{folder}+train+cello"), place, "--iterations", "3", model__fps=10, intervals__log=1)
    assert train(given) == 0
    return place / "run"


def arguments(run: Path, folder: Path, *more: str) -> list[str]:
    cache = ["--cache-folder", str(run.parent / "cache"), "--out", str(folder / "out")]
    return [str(run), "--lengths", "8,16,32", *cache, *more]


def test_all_recordings_are_measured_together(run: Path, folder: Path, tmp_path: Path) -> None:
    assert evaluate(arguments(run, tmp_path)) == 0
    record = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    instrument = folder / "img" / "train" / "cello"
    measured = [f"{instrument / name} from 0.5 s" for name in ("cello01", "cello02")]
    assert record["about"]["clip"] == ", ".join(measured)
    assert (record["about"]["frames"], record["about"]["held_out_frames"]) == (140, 28)
    assert any("cello03 from 0.5 s has 4 frames, less than" in notice for notice in record["notices"])
    model = next(row for row in record["rows"] if row["kind"] == "model")
    # 12 and 16 held-out frames: both recordings have a sequence of 8, one has two and one of 16.
    assert {n: figures["MSE"]["sequences"] for n, figures in model["figures"]["held-out"].items()} == {"8": 3, "16": 1}
    assert model["figures"][FILE_KEYS[TRAINED]]["32"]["MSE"]["sequences"] == 4
    with (tmp_path / "out" / "positions.csv").open(newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["part"] == "held-out" and line["figure"] == "MSE"]
    own = [line for line in lines if line["row"] == model["name"]]
    assert [int(line["sequences"]) for line in own] == [3] * 8 + [1] * 8
    assert float(own[0]["mean"]) > 0


def test_one_sequence_measures_one_recording_and_says_so(run: Path, folder: Path, tmp_path: Path) -> None:
    given = ["--sequences", "1", "--clip", f"{folder}+train+cello", "--labels", "my cello"]
    assert evaluate(arguments(run, tmp_path, *given)) == 0
    record = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert record["about"]["names"] == ["my cello"]
    assert "cello02" not in record["about"]["clip"]
    assert "measured on 1 of 2 clips; --sequences 2 measures all." in record["notices"]
    assert "my cello, shuffled sound" in (tmp_path / "out" / "positions.csv").read_text()


def test_foreign_sound_is_compared_with_all_recordings(run: Path, folder: Path, tmp_path: Path) -> None:
    chunks = ["--foreign", str(folder / "chunk"), "--pieces", "4", "--seconds", "0.4"]
    assert evaluate(arguments(run, tmp_path, *chunks)) == 0
    with (tmp_path / "out" / "foreign.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["seconds"] for line in lines] == ["0.400"] * 4
    assert all(line["file"].startswith("train/cello/cello0") for line in lines)


def test_the_run_is_exported(run: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["to_onnx", str(run), "-o", str(tmp_path / "cello.onnx")])
    assert export() == 0
    card = open_model(tmp_path / "cello.onnx").card
    assert (card.fps, card.height, card.provenance.source) == (10, 16, f"{folder.name}+train+cello")


def test_recordings_that_are_all_too_short_are_a_sentence(run: Path, tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"None of 3 clips is long enough; The held-out part of .*cello01 .* has 12 frames"
    ):
        evaluate(arguments(run, tmp_path, "--lengths", "64"))
    with pytest.raises(TrainingError, match=r"cello.horn does not exist; give"):
        evaluate(arguments(run, tmp_path, "--clip", "cello/horn"))
    assert not (tmp_path / "out").exists()
