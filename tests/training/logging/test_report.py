"""The report of a run, from the files in its run folder."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.core.errors import TrainingError
from training.logging.charts import MOST_POINTS, WIDTH, Axis, Series, line_chart, round_step, smoothed, thinned
from training.report import main, page


def record(iteration: int, **values: object) -> str:
    return json.dumps({"iteration": iteration, "elapsed_s": iteration / 2, **values}) + "\n"


def validation(iteration: int, l1: float) -> str:
    numbers = {"l1": l1, "mean_frame_l1": 0.2, "motion_l1": 0.1, "motion_share": 0.8}
    return record(iteration, validation=numbers)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run of 100 iterations that failed at its end."""
    lines = [record(0, event="started", at="2026-01-02 03:04:05", machine={"processor": "A <fast> one"}, commit="abc")]
    lines += [
        record(i, learning_rate=0.001, l1=1 / i, mse=0.1 / i, psnr_db=20.0, ssim=0.5, g_image=-0.5, d_image=1.0)
        for i in range(1, 101)
    ]
    lines += [validation(50, 0.1), validation(100, 0.12), record(100, event="failed", why="The loss 'l1' is nan")]
    (tmp_path / "stats.jsonl").write_text("".join(lines) + '{"iteration": 101, "torn')
    (tmp_path / "config.yaml").write_text("model: {name: waves, image_size: 64, fps: 20}\nclip: {title: A & B}\n")
    (tmp_path / "samples").mkdir()
    cv2.imwrite(str(tmp_path / "samples" / "0000050.png"), np.zeros((16, 64, 3), np.uint8))
    (tmp_path / "samples" / "0000100.png").write_bytes(b"half an image")
    (tmp_path / "samples" / "0000100.mp4").write_bytes(b"a video")
    return tmp_path


@pytest.mark.parametrize(("written", "shown"), [("64", "64 × 64 pixels"), ("64x40", "64 × 40 pixels")])
def test_the_page_says_both_sides_of_a_frame(run: Path, written: str, shown: str) -> None:
    (run / "config.yaml").write_text(f"model: {{name: waves, image_size: {written}, fps: 20}}\n")
    assert f" · {shown}, 20 frames per second" in page(run)


def test_the_page_shows_the_files_of_the_run(run: Path) -> None:
    (run / "evaluation").mkdir()
    (run / "evaluation" / "evaluation.html").write_text("")
    found = page(run)
    for text in (
        "waves",
        "A &amp; B",
        "stopped by an error",
        "The loss &#39;l1&#39; is nan",
        "A &lt;fast&gt; one",
        "0.1200",
        "40 % better than the mean frame",
        "after 50 iterations",
        'href="evaluation/evaluation.html"',
        "data:video/mp4;base64,YSB2aWRlbw==",
    ):
        assert text in found, text
    assert found.count("data:image/jpeg;base64,") == 1
    assert [*re.findall("<h3>(.*?)</h3>", found)] == [
        "Held-out error",
        "Motion",
        "Training losses",
        "MSE",
        "PSNR (dB)",
        "SSIM",
        "Learning rate",
        "Generator against discriminators",
        "Discriminators",
    ]
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//|@import|url\(", found)


def test_the_command_writes_the_page_and_refuses_a_folder_without_a_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(run)]) == 0
    assert capsys.readouterr().out.strip() == str(run / "report.html")
    assert "waves" in (run / "report.html").read_text()
    with pytest.raises(TrainingError, match=r"holds no stats\.jsonl"):
        main([str(tmp_path / "absent")])


def test_a_run_without_validation_configuration_or_samples_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "stats.jsonl").write_text(record(1, learning_rate=0.1, l1=0.5))
    found = page(tmp_path)
    assert "no record of its end" in found
    assert "Held-out error" not in found


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"l1": 0.02, "mean_frame_l1": 0.0}, "the mean frame has 0.0000"),
        ({"l1": 0.0, "mean_frame_l1": 0.0}, "the mean frame has 0.0000"),
        ({"l1": float("nan")}, "the mean frame has 0.2000"),
        ({"motion_share": float("nan")}, "nothing moves in the held-out part"),
        ({"motion_share": float("inf")}, "nothing moves in the held-out part"),
    ],
)
def test_a_figure_that_cannot_be_had_is_said(tmp_path: Path, figures: dict[str, float], said: str) -> None:
    """A clip of one still frame has a mean frame without error, and no motion to share."""
    numbers = {"l1": 0.1, "mean_frame_l1": 0.2, "motion_l1": 0.0, "motion_share": 1.0} | figures
    (tmp_path / "stats.jsonl").write_text(record(10, validation=numbers))
    assert said in page(tmp_path)


def test_charts_leave_out_nan_and_stay_within_their_borders() -> None:
    assert line_chart([Series("none", []), Series("nan", [(1, float("nan"))])], 10) == ""
    drawn = line_chart([Series("a<b", [(i, 10.0 ** -(i / 100)) for i in range(1, 401)])], 400, noisy=True)
    places = [
        tuple(map(float, pair.split(","))) for pair in re.findall(r"[\d.]+,[\d.]+", drawn.partition("data-lines")[0])
    ]
    assert all(0 <= x <= WIDTH for x, _ in places)
    assert drawn.count("<polyline") == 2
    assert "a&lt;b" in drawn
    assert all(f">{tick}<" in drawn for tick in ("0.0001", "0.01", "0.1"))
    assert "<circle" in line_chart([Series("one", [(5, 0.0)])], 5)


def test_ticks_are_round_and_lines_are_thinned_out() -> None:
    assert Axis(0.0, 5910.0, 0, 1).ticks() == [0, 2000, 4000]
    assert Axis(-0.1, 0.32, 0, 1).ticks() == pytest.approx([0.0, 0.2])
    assert Axis(0.02, 3.0, 0, 1, logarithmic=True).ticks() == pytest.approx([0.1, 1.0])
    assert [round_step(x) for x in (0.0, 0.11, 1.0, 3.0, 7.0)] == pytest.approx([1.0, 0.2, 1.0, 5.0, 10.0])
    points = [(float(i), 2.0 * i) for i in range(5 * MOST_POINTS)]
    assert len(thinned(points)) == MOST_POINTS
    assert np.allclose(smoothed(points), points)
