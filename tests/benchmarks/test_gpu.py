"""The command for machines with a card, on machines without one: what it divides, skips, survives and reports."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import gpu
from benchmarks.gpu import ENOUGH_S, job_limit_s, run_part, run_parts
from benchmarks.gpu_checks import STEPS, compared, error
from benchmarks.gpu_child import Job, Outcome, ended, read_rows, run_job
from benchmarks.gpu_jobs import PARTS, Bench, jobs_of
from benchmarks.gpu_page import PARITY_DB, bound_s, figures, page
from engine.core.errors import run_main
from engine.model.backends.graphics_card import GraphicsCard
from export.verification.verdict import LEAST_PSNR_DB
from tests.engine.app.shows import InventedClock

LIMIT_S = 100.0
CARD_HERE = GraphicsCard("RTX 4090", "8.9", "580.1")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(work=tmp_path, models=None, reference=None, card=None)


def job(call: str, **arguments: object) -> Job:
    return Job(part="check", name=call, call=call, arguments=arguments)


def test_a_file_is_checked_beside_the_processor(probe_file: Path, tmp_path: Path) -> None:
    kept = str(tmp_path / "kept.npz")
    played = run_job(job("reference", file=str(probe_file), backend="onnx-cpu", target=kept), LIMIT_S)
    assert (played.fault, played.rows[0]["steps"]) == ("", STEPS)
    (row,) = run_job(job("check", file=str(probe_file), backend="onnx-cpu", against=kept), LIMIT_S).rows
    assert (row["levels"], row["worst_db"], row["state_error"]) == (0, 100.0, 0.0)


def test_models_are_swapped_while_one_plays(probe_file: Path) -> None:
    arguments = {"first": str(probe_file), "second": str(probe_file), "backend": "onnx-cpu", "seconds": 1.0}
    (row,) = run_job(job("swap", **arguments), LIMIT_S).rows
    assert row["failed_steps"] == 0
    assert row["swaps"] >= 1
    assert row["alone"]["count"] + row["while_swapping"]["count"] == row["steps"]


def test_a_refusal_is_its_sentence_and_a_crash_its_signal(tmp_path: Path) -> None:
    absent = run_job(job("reference", file=str(tmp_path / "absent.onnx"), backend="onnx-cpu", target=""), LIMIT_S)
    assert "absent.onnx" in absent.fault
    assert "Traceback" not in absent.fault
    assert not absent.skipped
    assert ended(-11, "") == "crashed with SIGSEGV"
    assert ended(1, "Traceback\n  File\nModuleNotFoundError: No module named 'onnx'\n").startswith("ModuleNotFound")
    assert ended(3, "") == "ended with code 3"


def test_a_job_that_takes_too_long_ends_at_its_limit() -> None:
    outcome = run_job(job("peaks"), 0.0)
    assert outcome.fault.startswith("stopped at its limit")
    assert not outcome.skipped


def test_rows_written_before_a_crash_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": 1}\n{"a": 2}\n{"a"', encoding="utf-8")
    assert read_rows(file) == ({"a": 1}, {"a": 2})
    assert read_rows(tmp_path / "none") == ()


def test_without_a_card_its_backends_are_skipped_with_their_reasons(bench: Bench) -> None:
    for part in ("check", "swap", "time"):
        jobs = {one.name.partition(",")[0]: one for one in jobs_of(part, bench)}
        assert "NVIDIA" in jobs["onnx-cuda"].skip or "onnxruntime-gpu" in jobs["onnx-cuda"].skip
        assert {"onnx-cpu", "openvino"} <= jobs.keys()
    assert {one.arguments["device"] for one in jobs_of("train", bench)} == {"cpu"}


def test_with_a_card_the_processors_are_left_out_and_training_is_full(bench: Bench) -> None:
    with_card = replace(bench, card=CARD_HERE)
    assert not {"onnx-cpu", "openvino"} & {one.name for one in jobs_of("swap", with_card)}
    trained = jobs_of("train", with_card)
    assert {one.arguments["device"] for one in trained} == {"cuda"}
    assert [one.name for one in trained if one.skip] == ["original"]
    assert "--reference" in trained[-1].skip


def test_what_the_processor_plays_does_not_see_the_card(bench: Bench) -> None:
    (bench.work / "models").mkdir()
    (bench.work / "models" / "warp.pt2").touch()
    jobs = [one for one in jobs_of("check", replace(bench, card=CARD_HERE)) if one.call == "reference"]
    assert [one.environment for one in jobs] == [{"CUDA_VISIBLE_DEVICES": ""}]


def test_time_that_is_over_skips_the_rest(bench: Bench) -> None:
    outcomes: list[Outcome] = []
    clock = InventedClock()
    run_part([job("peaks"), Job(part="check", name="other", skip="no card")], clock.now_s() + 1.0, clock, outcomes)
    assert [outcome.fault for outcome in outcomes] == ["the time of its part was over", "no card"]
    outcomes.clear()
    run_parts(bench, ["time"], 0.0, clock, outcomes)
    assert outcomes
    assert all(outcome.skipped for outcome in outcomes)


def test_a_job_gets_twice_its_share_and_some_seconds_at_least() -> None:
    assert job_limit_s("check", 100.0, 4) == 50.0
    assert job_limit_s("check", 100.0, 40) == ENOUGH_S
    assert job_limit_s("check", 5.0, 40) == 5.0
    assert job_limit_s("make", 100.0, 7) == 100.0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--minutes", "0"], "at least 0.5 was expected"),
        (["--minutes", "nan"], "at least 0.5 was expected"),
        (["--models", "absent"], "--models is absent, which is no folder"),
        (["--reference", "absent"], "--reference is absent, which is no folder"),
    ],
)
def test_wrong_words_are_one_sentence(
    words: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu", *words])
    with pytest.raises(SystemExit) as left:
        run_main(gpu.main)
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_differences_are_in_levels_and_decibels() -> None:
    black = np.zeros((2, 4, 4, 3), np.uint8)
    one_off = black.copy()
    one_off[1, 0, 0, 0] = 3
    assert compared(black, black) == {"steps": 2, "levels": 0, "worst_db": 100.0, "last_db": 100.0}
    row = compared(one_off, black)
    assert (row["levels"], row["worst_db"]) == (3, round(10 * np.log10(255**2 / (9 / 48)), 1))
    assert error(np.full(3, np.nan, np.float32), np.zeros(3, np.float32)) == float("inf")
    assert error(np.full(1, 11, np.float32), np.full(1, 10, np.float32)) == pytest.approx(0.1)


TIMED = {
    "file": "water-128.onnx", "backend": "onnx-cuda", "precision": "float32", "size": 128, "tensor_bytes": 2_000,
    "file_bytes": 8_000, "operations": 4_000, "before_capture_p50_ms": 2.0, "p50_ms": 1.0, "p99_ms": 1.5, "max_ms": 3.0,
}  # fmt: skip


def test_the_roofline_is_memory_or_arithmetic_whichever_takes_longer() -> None:
    peaks = {"memory": 1e6, "float32": 1e6, "TF32": 4e6}
    assert bound_s(TIMED, peaks) == pytest.approx(0.01)
    assert bound_s({**TIMED, "operations": 80_000}, peaks) == pytest.approx(0.08)
    assert bound_s({**TIMED, "operations": 80_000, "backend": "onnx-tensorrt"}, peaks) == pytest.approx(0.02)
    assert bound_s({**TIMED, "operations": None}, peaks) is None
    assert bound_s({**TIMED, "precision": "float16"}, peaks) is None


def test_the_page_shows_every_part_and_every_reason() -> None:
    checked = {
        "file": "warp.onnx", "backend": "onnx-cuda", "description": "onnx-cuda, a card", "levels": 9, "worst_db": 31.0,
        "last_db": 40.0, "state_error": 0.1, "opening_s": 1.0,
    }  # fmt: skip
    trained = {"device": "cuda", "image_size": 128, "frames": 16, "iterations": 100, "peak_mib": 900}
    peak = {"on": "a card", "rate": 2e9, "unit": "B/s", "peak": "memory"}
    outcomes = [
        Outcome(part="peaks", name="peaks", rows=(peak, {**peak, "peak": "float32", "unit": "FLOP/s"})),
        Outcome(part="make", name="warp", rows=({"file": "warp.plan", "left_out": "no sm90"},)),
        Outcome(part="check", name="onnx-cuda", rows=(checked,), fault="crashed with SIGSEGV"),
        Outcome(part="time", name="onnx-cuda", rows=(TIMED,)),
        Outcome(part="train", name="ours", rows=({"trainer": "ours", "median_s": 0.5, **trained},)),
        Outcome(part="train", name="original", rows=({"trainer": "original", "median_s": 1.0, **trained},)),
        Outcome(part="swap", name="torch", fault="torch is not installed", skipped=True),
    ]
    text = page(figures(outcomes, CARD_HERE, 8.0))
    for expected in (
        "RTX 4090", "| **no** |", "check, onnx-cuda: crashed with SIGSEGV", "- torch (swap): torch is not installed",
        "make, warp.plan: no sm90", "| 2.00 |", "128 x 128", "0.5 %",
    ):  # fmt: skip
        assert expected in text, expected
    assert "no graphics card" not in text
    assert "no graphics card" in page(figures(outcomes, None, 8.0))


def test_checks_are_judged_as_model_files_are() -> None:
    assert PARITY_DB.items() <= LEAST_PSNR_DB.items()


def test_every_part_has_a_share_and_jobs(bench: Bench) -> None:
    for part, share in PARTS.items():
        assert share > 0
        assert jobs_of(part, bench)
    json.loads(figures([], None, 1.0))
