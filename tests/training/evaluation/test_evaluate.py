"""The command: from a checkpoint and a clip to tables, curves and a page, with floor and ceiling, repeatable by seed."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.core.errors import TrainingError
from tests.training.clips import moving_clip, noise, write_clip
from tests.training.models import small_model
from training.evaluate import main
from training.evaluation.metrics.mobilenet import MobileNetV2
from training.evaluation.results import EXPLANATIONS
from training.loop.checkpoint import save_generator
from training.loop.config import TrainConfig

FIGURES = {"MSE", "PSNR (dB)", "SSIM", "synchrony"}


def checkpoint(folder: Path, clip: Path, image_size: int = 16) -> Path:
    """Write a checkpoint of a small random model."""
    model = small_model(image_size)
    config = TrainConfig.from_dict({"model": model.config.to_dict(), "clip": {"path": str(clip)}, "sequence_frames": 4})
    save_generator(folder, model, config, 7)
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return moving_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", seconds=6.0)


@pytest.fixture(scope="module")
def run(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("runs") / "mine", clip)


def arguments(run: Path, folder: Path, *more: str) -> list[str]:
    return [
        str(run),
        "--lengths",
        "8,24,32",
        "--cache-folder",
        str(folder.parent / "cache"),
        "--out",
        str(folder),
        *more,
    ]


@pytest.fixture(autouse=True)
def empty_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep weights in the checkout from being found."""
    monkeypatch.chdir(tmp_path)


def test_without_weights_it_measures_pixels_and_lists_the_missing_metrics(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(arguments(run, out)) == 0
    record = json.loads((out / "evaluation.json").read_text())
    assert [row["kind"] for row in record["rows"]] == list(EXPLANATIONS)
    by_kind = {row["kind"]: row["figures"] for row in record["rows"]}
    assert set(by_kind["model"]["held-out"]["24"]) == FIGURES
    assert set(by_kind["model"]["taught, looped"]) == {"8", "24", "32"}
    assert by_kind["model"]["held-out"]["8"]["MSE"]["sequences"] == 3
    assert (
        by_kind["ceiling"]["held-out"]["24"]["MSE"]["mean"] < by_kind["other moment"]["held-out"]["24"]["MSE"]["mean"]
    )
    printed = capsys.readouterr().out
    for text in ("MSE (lower is better)", "shuffled sound", "one frame late", "mean frame", "FID is not measured"):
        assert text in printed
    suite = record["synchrony_suite"]
    assert suite[0]["frames"] == suite[-1]["frames"] >= 24
    assert suite[-1]["name"] == "the clip itself"
    assert "AV-Align v2025" in suite[0]["values"]
    assert "Synchrony suite: " in printed
    page = (out / "evaluation.html").read_text()
    assert "<h2>Synchrony</h2>" in page
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_seed_gives_the_same_files(run: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        main(arguments(run, tmp_path / name))
    for file in ("evaluation.json", "evaluation.html", "positions.csv", "positions.png"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_two_checkpoints_and_outside_sound_with_a_network(
    run: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    torch.save(MobileNetV2().state_dict(), tmp_path / "random.pth")
    outside = tmp_path / "outside"
    outside.mkdir()
    frames = np.zeros((20, 16, 16, 3), np.uint8)
    write_clip(outside / "loud.mp4", frames, noise(1.0))
    write_clip(outside / "mute.mp4", frames, None)
    other = checkpoint(tmp_path / "other", clip)
    more = ["--weights", str(tmp_path / "random.pth"), "--sequences", "1", "--lengths", "16"]
    more += ["--foreign", str(outside), "--pieces", "3", "--seconds", "0.4-0.6"]
    assert main([str(other), *arguments(run, tmp_path / "out", *more)]) == 0
    record = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert record["about"]["names"] == ["other @ 7", "mine @ 7"]
    ours = record["foreign"]["mine @ 7"]
    assert [row["name"] for row in ours] == ["real video", "own sound", "outside sound", "silence", "mean frame"]
    assert set(ours[0]["figures"]) == {"FD (MobileNetV2 random.pth)", "motion (1 = the clip's)"}
    assert ours[-1]["figures"]["motion (1 = the clip's)"]["mean"] == 0.0
    assert any("mute.mp4 has no sound track" in notice for notice in record["notices"])
    figures = record["rows"][2]["figures"]["held-out"]["16"]
    assert "FVD-like (MobileNetV2 random.pth, pooled)" in figures
    assert figures["MSE"]["deviation"] is None
    assert ours[2]["figures"]["motion (1 = the clip's)"]["sequences"] == 3
    printed = capsys.readouterr().out
    assert "mute.mp4" in printed
    table = printed.split("Sound from outside the clip: 3 pieces of 0.4 to 0.6 s from 1 file")[1].split("\n\n")[0]
    names = [line.split("  ")[0] for line in table.splitlines()[2:]]
    references = ("", ", own sound", ", silence")
    of_each = [f"{name} @ 7{kind}" for name in ("other", "mine") for kind in references]
    assert names == ["real video", *of_each, "mean frame"]
    with (tmp_path / "out" / "foreign.csv").open(newline="") as file:
        pieces = list(csv.DictReader(file))
    assert [row["checkpoint"] for row in pieces] == ["other @ 7"] * 3 + ["mine @ 7"] * 3
    assert {row["file"] for row in pieces} == {"loud.mp4"}
    mean = np.mean([float(row["motion (1 = the clip's)"]) for row in pieces[3:]])
    assert ours[2]["figures"]["motion (1 = the clip's)"]["mean"] == pytest.approx(mean, rel=1e-4)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--lengths", "16,many"], "numbers of frames separated by commas"),
        (["--lengths", "4"], "8 frames or more"),
        (["--lengths", "32"], "has 24 frames, less than the shortest sequence of 32"),
        (["--lengths", "16,20000"], "holds 20000; 16384 frames or fewer"),
        (["--sequences", "0"], "--sequences is 0; 1 or more"),
        (["--seed", "-1"], "--seed is -1; 0 to"),
        (["--threads", "-1"], "--threads is -1; 0 or more"),
        (["--labels", "a,b"], "--labels has 2 names for 1 checkpoint; one name for each"),
        (["--labels", ""], "a different name for each checkpoint"),
        (["--pieces", "3"], "--pieces is given without --foreign"),
        (["--seconds", "1-5"], "--seconds is given without --foreign"),
        (["--foreign", ".", "--pieces", "0"], "--pieces is 0; 1 or more"),
        (["--foreign", ".", "--seconds", "5-1"], "--seconds is '5-1'; shortest and longest piece"),
        (["--foreign", ".", "--seconds", "0-1"], "--seconds is '0-1'"),
        (["--foreign", ".", "--seconds", "1-100"], "--seconds is '1-100'"),
        (["--foreign", ".", "--seconds", "short"], "--seconds is 'short'"),
        (["--foreign", ".", "--seconds", "nan"], "--seconds is 'nan'"),
        (["--foreign", "."], "holds no file with sound; put"),
        (["--foreign", "absent"], "absent is not a folder"),
        (["--weights", "absent.pth"], "absent.pth does not exist"),
        (["--clip", "absent.mp4"], "absent.mp4 does not exist"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(run: Path, tmp_path: Path, more: list[str], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        main(arguments(run, tmp_path / "out", *more))
    assert not (tmp_path / "out").exists()


def test_folders_without_checkpoint_sound_or_common_format_are_refused(run: Path, clip: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(TrainingError, match="neither a checkpoint nor a run folder"):
        main(arguments(empty, tmp_path / "out"))
    (empty / "inside").mkdir()
    (empty / "inside" / "notes.txt").write_text("no sound")
    with pytest.raises(
        TrainingError, match=r"holds no file with sound of 1 s or more \(1 skipped, among them: .*notes.txt"
    ):
        main(arguments(run, tmp_path / "out", "--foreign", str(empty)))
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match=r"Cannot write to .*file"):
        main(arguments(run, tmp_path / "file"))
    larger = checkpoint(tmp_path / "larger", clip, image_size=32)
    with pytest.raises(TrainingError, match="needs one format"):
        main([str(larger), *arguments(run, tmp_path / "out")])
    of_another_clip = checkpoint(tmp_path / "of_another_clip", tmp_path / "other.mp4")
    with pytest.raises(TrainingError, match="choose the clip with --clip"):
        main([str(of_another_clip), *arguments(run, tmp_path / "out")])
