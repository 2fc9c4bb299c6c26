"""The predicted iterations are corrected while a run trains, and only where they are wrong."""

from pathlib import Path

import pytest
import torch

from training.logging.planned_run_log import PlannedRunLog


def printed(
    folder: Path, capsys: pytest.CaptureFixture[str], made: int, predicted: int, first: int = 0, begun: float = 0.0
) -> list[str]:
    """Run a log through `made` iterations that use up the rest of the budget, from the share `begun` on."""
    with PlannedRunLog(folder, 10 * made, first, predicted=predicted) as log:
        for index in range(made):
            log.add({"l1": torch.tensor(0.5)}, begun + (1.0 - begun) * (index + 1) / made, float(index))
    return [line for line in capsys.readouterr().err.replace("\r", "\n").splitlines() if line.startswith("time")]


def test_a_right_prediction_is_not_corrected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(tmp_path, capsys, made=100, predicted=110) == []


def test_a_busy_machine_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = printed(tmp_path, capsys, made=100, predicted=300)
    assert line.startswith("time      about 1")
    assert line.endswith("iterations instead of 300: the machine is busier than it was at the start")


def test_a_continued_run_counts_its_own_iterations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(tmp_path, capsys, made=100, predicted=105, first=700, begun=0.6) == []
    (line,) = printed(tmp_path, capsys, made=100, predicted=20, first=700, begun=0.6)
    assert "instead of 20: the machine is less busy than it was at the start" in line
