"""A sweep checks all trials before it starts, runs each in its own process, resumes where it stopped, and names failures."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.core.errors import TrainingError
from tests.terminals import Terminal
from tests.training.clips import moving_clip
from tests.training.runs import ONE_THREAD
from training.logging.records import read_records
from training.loop.checkpoint import read_checkpoint
from training.loop.run_folder import checkpoint_folders
from training.sweep import main
from training.sweeps.plan import load_sweep, trials_of
from training.sweeps.table import Row, as_markdown, as_text

posix = pytest.mark.skipif(sys.platform == "win32", reason="submitit needs signals that Windows lacks")

SMALL: dict[str, Any] = {
    "threads": 1,
    "device": "cpu",
    "model.image_size": 16,
    "model.generator.place_levels": 1,
    "sequence_frames": 4,
    "total_iterations": 2,
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return moving_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


def write_sweep(folder: Path, clip: Path, **keys: Any) -> Path:
    values: dict[str, Any] = {
        "runs_folder": str(folder / "runs"),
        "clips": [{"name": "bar", "clip": {"path": str(clip)}}],
        "configs": [
            {"name": "canvas", "file": "configs/train/tiny.yaml"},
            {"name": "plain", "file": "configs/train/tiny.yaml", "set": {"model.generator.canvas": False}},
        ],
        "set": SMALL,
        "launch": {"parallel": 2, "gpus": 0},
        **keys,
    }
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@posix
def test_finished_trials_are_skipped_and_longer_ones_resumed(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache, runs = ["--cache-folder", str(tmp_path / "cache")], tmp_path / "runs"
    assert main([str(write_sweep(tmp_path, clip)), *cache]) == 0
    printed = capsys.readouterr().out
    assert "2 trials, 0 of them already finished" in printed
    rows = json.loads((runs / "sweep.json").read_text())
    assert [(row["trial"], row["state"], row["iterations"]) for row in rows] == [
        ("bar-canvas", "finished", 2),
        ("bar-plain", "finished", 2),
    ]
    for row in rows:
        check_run(runs / row["trial"], row, printed)
    assert not read_checkpoint(runs / "bar-plain").config.model.generator.canvas
    assert "**bar-" in (runs / "sweep.md").read_text()

    assert main([str(write_sweep(tmp_path, clip)), *cache, "--dry-run"]) == 0
    assert capsys.readouterr().out == "bar-canvas: finished\nbar-plain: finished\n"
    assert main([str(write_sweep(tmp_path, clip)), *cache]) == 0
    assert "2 trials, 2 of them already finished" in capsys.readouterr().out

    with pytest.raises(TrainingError, match=r"losses\.l1 1\.0 -> 3\.0"):
        main([str(write_sweep(tmp_path, clip, set={**SMALL, "losses.l1": 3.0})), *cache])
    configs = [{"name": "canvas", "file": "configs/train/tiny.yaml"}]
    longer = write_sweep(tmp_path, clip, configs=configs, set={**SMALL, "total_iterations": 3})
    assert main([str(longer), *cache, "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert planned.startswith("bar-canvas: interrupted\n")
    assert "--resume" in planned
    assert main([str(longer), *cache]) == 0
    assert checkpoint_folders(runs / "bar-canvas")[-1].name == "0000003"


def check_run(run: Path, row: Mapping[str, Any], printed: str) -> None:
    """Check the run folder of a finished trial against its row."""
    assert 0.0 < row["validation"]["l1"] < 2.0
    assert f"{row['validation']['l1']:.4f}" in printed
    assert "2 iterations" in (run / "log.txt").read_text()
    assert read_checkpoint(run).config.model.name == row["trial"]


@posix
@pytest.mark.parametrize("closes", [True, False])
def test_a_sweep_that_is_told_to_end_leaves_checkpoints(clip: Path, tmp_path: Path, closes: bool) -> None:
    """By SIGTERM, or because its terminal is closed, which also ends the processes between it and the training."""
    configs = [{"name": "canvas", "file": "configs/train/tiny.yaml"}]
    sweep = write_sweep(tmp_path, clip, configs=configs, set={**SMALL, "total_iterations": 100_000, "intervals.log": 1})
    command = [sys.executable, "-m", "training.sweep", str(sweep), "--cache-folder", str(tmp_path / "cache")]
    terminal, run = Terminal(command, Path.cwd(), ONE_THREAD), tmp_path / "runs" / "bar-canvas"
    try:
        wait_for(lambda: any("l1" in record for record in read_records(run / "stats.jsonl")), "training")
        if not closes:
            terminal.process.send_signal(signal.SIGTERM)
        else:
            terminal.close()
        assert terminal.process.wait(60) == 2
        # The training has a session of its own and takes its time.
        wait_for(lambda: (run / "report.html").is_file(), "the end of the training")
    finally:
        terminal.process.kill()
        if not closes:
            terminal.close()
    assert "interrupted" in (run / "report.html").read_text()
    assert read_checkpoint(run).iterations >= 1
    assert closes or b"The sweep was stopped; run the same command again to resume it." in terminal.shown


def wait_for(happened: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline_s, f"{what} did not happen"
        time.sleep(0.1)


@posix
def test_a_trial_that_fails_is_named_and_does_not_stop_the_others(clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    clips = [{"name": "broken", "clip": {"path": str(broken)}}, {"name": "bar", "clip": {"path": str(clip)}}]
    configs = [{"name": "canvas", "file": "configs/train/tiny.yaml"}]
    sweep = write_sweep(tmp_path, clip, clips=clips, configs=configs, launch={"gpus": 0})
    with pytest.raises(TrainingError, match=r"1 of 2 trials did not finish\. broken-canvas failed: .*broken\.mp4"):
        main([str(sweep), "--cache-folder", str(tmp_path / "cache")])
    rows = json.loads((tmp_path / "runs" / "sweep.json").read_text())
    assert [row["state"] for row in rows] == ["failed", "finished"]
    assert "broken-canvas failed: " in (tmp_path / "runs" / "sweep.md").read_text()


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (
            {"clips": [{"name": "bar", "clip": {"path": "absent.mp4"}}]},
            r"trial bar-canvas: the clip absent\.mp4 does not exist",
        ),
        (
            {"configs": [{"name": "a", "file": "absent.yaml"}]},
            r"trial bar-a: Cannot read the configuration absent\.yaml",
        ),
        ({"configs": [{"name": "a"}]}, "entry 1 of 'configs' has no file"),
        ({"configs": []}, "'configs' is empty"),
        ({"seeds": [1, 1]}, "'seeds' has '1' twice"),
        (
            {"configs": [{"name": "a/b", "file": "configs/train/tiny.yaml"}]},
            "'a/b' in 'configs' cannot be the name of a folder",
        ),
        (
            {"clips": [{"name": 5000 * "n", "clip": {"path": "x.mp4"}}]},
            r"The name 'n{10,100}\.\.\.n*' in 'clips' cannot be .* at most 100 letters",
        ),
        ({"set": {**SMALL, "losses.l9": 1}}, r"trial bar-canvas: .*losses\.l9"),
        ({"seed": [1]}, "Unknown setting 'seed'. Did you mean 'seeds'"),
        ({"clips": [{"name": "bar", "clip": {"path": "x", "corp": 1}}]}, r"Unknown setting '.*corp'"),
        ({"launch": {"parallel": 0}}, "launch has parallel 0"),
        ({"seeds": ["one"]}, "'one'; a whole number was expected"),
    ],
)
def test_a_wrong_sweep_is_refused_before_a_trial_starts(
    clip: Path, tmp_path: Path, keys: Mapping[str, Any], sentence: str
) -> None:
    with pytest.raises(TrainingError, match=sentence):
        main([str(write_sweep(tmp_path, clip, **keys))])
    assert not (tmp_path / "runs").exists()


def test_a_missing_or_incomplete_sweep_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"Cannot read the sweep .*absent\.yaml"):
        main([str(tmp_path / "absent.yaml")])
    (tmp_path / "list.yaml").write_text("[1]")
    with pytest.raises(TrainingError, match="holds list; a mapping"):
        main([str(tmp_path / "list.yaml")])
    (tmp_path / "short.yaml").write_text("clips: []")
    with pytest.raises(TrainingError, match="has no runs_folder, configs"):
        main([str(tmp_path / "short.yaml")])


@posix
def test_a_machine_without_slurm_gives_a_sentence(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TrainingError, match="Slurm cannot be used"):
        main([str(write_sweep(tmp_path, clip)), "--executor", "slurm"])


def test_every_clip_is_combined_with_every_configuration_and_seed(clip: Path, tmp_path: Path) -> None:
    clips = [{"name": name, "clip": {"path": str(clip), "crop": [0, 0, 32, 32]}} for name in ("a", "b")]
    path = write_sweep(tmp_path, clip, clips=clips, seeds=[0, 7])
    trials = trials_of(load_sweep(path), path)
    assert [trial.name for trial in trials[:4]] == [
        "a-canvas-seed0",
        "a-canvas-seed7",
        "a-plain-seed0",
        "a-plain-seed7",
    ]
    assert len({trial.folder for trial in trials}) == 8
    assert trials[1].config.seed == 7
    assert trials[1].config.clip.crop == (0, 0, 32, 32)
    assert trials[1].config.model.image_size == 16


@pytest.mark.parametrize("file", sorted(Path("configs/sweep").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_sweeps_of_the_project_can_be_read(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.sweeps.plan.check_clip", lambda config: None)  # Clips are fetched, not shipped.
    sweep = load_sweep(file)
    assert len(trials_of(sweep, file)) == len(sweep.clips) * len(sweep.configs)


def test_the_tuning_share_is_that_of_the_clip_or_of_set_or_of_the_configuration(clip: Path, tmp_path: Path) -> None:
    def shares(where: str, **keys: Any) -> list[float]:
        path = write_sweep(tmp_path, clip, **keys)
        return [trial.config.clip.tuning_share for trial in trials_of(load_sweep(path), Path(where))]

    base = yaml.safe_load(Path("configs/train/tiny.yaml").read_text())
    (tmp_path / "base.yaml").write_text(yaml.safe_dump({**base, "clip": {"tuning_share": 0.25, "crop": [0, 0, 8, 8]}}))
    clips = [
        {"name": "plain", "clip": {"path": str(clip)}},
        {"name": "own", "clip": {"path": str(clip), "tuning_share": 0.3}},
    ]
    configs = [{"name": "a", "file": str(tmp_path / "base.yaml")}]
    assert shares("of the file", clips=clips, configs=configs, set={}) == [0.25, 0.3]
    assert shares("of set", clips=clips, configs=configs, set={"clip.tuning_share": 0.0}) == [0.0, 0.3]
    configs[0]["set"] = {"clip": {"tuning_share": 0.2}}  # type: ignore[assignment]
    assert shares("of a choice", clips=clips, configs=configs, set={}) == [0.2, 0.3]
    # Everything else of a clip is its own.
    path = write_sweep(tmp_path, clip, clips=clips, configs=configs, set={})
    assert [trial.config.clip.crop for trial in trials_of(load_sweep(path), path)] == [None, None]


def test_the_table_marks_the_best_trial_and_lists_failures() -> None:
    good = Row("a-x", "a", "x", 0, "finished", 10, 1.5, {"l1": 0.07, "mean_frame_l1": 0.1, "motion_share": 0.5})
    worse = Row("a-y", "a", "y", 0, "finished", 10, 1.5, {"l1": 0.08, "mean_frame_l1": 0.1, "motion_share": 0.6})
    none = Row("b-x", "b", "x", 0, "failed", 0, 0.0, {}, "out of memory")
    lines = as_text([good, worse, none]).splitlines()
    assert lines[1].split() == ["a-x", "finished", "10", "1.5", "0.0700", "0.1000", "0.5000"]
    assert lines[3].split() == ["b-x", "failed", "0", "0.0"]
    page = as_markdown([good, worse, none])
    assert "| **a-x** |" in page
    assert "| a-y |" in page
    assert "b-x failed: out of memory" in page
