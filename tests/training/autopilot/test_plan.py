"""The plan and the crop are pure functions of what was seen and measured: tested with invented clips and paces."""

import re
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import TrainingError
from training.autopilot.clip_analysis import LOOK_SIZE, ClipAnalysis
from training.autopilot.crop import Crop, choose_crop, held_by, parse_crop
from training.autopilot.plan import (
    LADDER,
    Plan,
    SizeStep,
    allowed_rungs,
    choose_plan,
    model_settings,
    usual_iterations,
)
from training.autopilot.summary import held_out_words, progress_words
from training.loop.config import load_train_config
from training.teach import CONFIG

WIDE = (640, 480)


def surveyed(
    motion_HW: np.ndarray | None = None, size: tuple[int, int] = WIDE, camera: float = 0.0, seconds: float = 10.0
) -> ClipAnalysis:
    motion = np.zeros((LOOK_SIZE, LOOK_SIZE), np.float32) if motion_HW is None else motion_HW
    return ClipAnalysis(
        path=Path("clip.mp4"),
        width=size[0],
        height=size[1],
        pictures_per_s=25.0,
        duration_s=seconds,
        level_db=-20.0,
        camera_moves_share=camera,
        motion_HW=motion,
        bent_error=1.0,
    )


def motion_at(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """Return a motion map that is 20 in a rectangle given in shares of the picture."""
    motion = np.zeros((LOOK_SIZE, LOOK_SIZE), np.float32)
    motion[round(top * LOOK_SIZE) : round(bottom * LOOK_SIZE), round(left * LOOK_SIZE) : round(right * LOOK_SIZE)] = 20
    return motion


def plan(minutes: float | None, pace: dict[SizeStep, float], seconds: float = 10.0, spent_s: float = 5.0) -> Plan:
    return choose_plan(
        surveyed(seconds=seconds), Crop(80, 0, 480, 480, ""), LADDER, pace.__getitem__, lambda: spent_s, minutes
    )


def even_pace(seconds_at_64: float) -> dict[SizeStep, float]:
    return {rung: seconds_at_64 * 2.0**index for index, rung in enumerate(LADDER)}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (surveyed(), (80, 0, 480, 480)),
        (surveyed(motion_at(0, 0, 1, 1)), (80, 0, 480, 480)),
        (surveyed(motion_at(0.75, 0.0, 1.0, 1.0)), (160, 0, 480, 480)),
        (surveyed(motion_at(0.0, 0.0, 0.25, 1.0)), (0, 0, 480, 480)),
        (surveyed(motion_at(0.75, 0.0, 1.0, 1.0), camera=0.9), (80, 0, 480, 480)),
        (surveyed(motion_at(0.0, 0.75, 1.0, 1.0), size=(480, 640)), (0, 160, 480, 480)),
        (surveyed(motion_at(0.75, 0.75, 0.85, 0.85), size=(160, 120)), (20, 0, 120, 120)),
    ],
    ids=["still", "everywhere", "right", "left", "camera", "portrait", "small"],
)
def test_the_crop_follows_the_motion(seen: ClipAnalysis, expected: tuple[int, int, int, int]) -> None:
    assert choose_crop(seen).box() == expected


def test_what_moves_in_a_corner_is_seen_from_closer() -> None:
    seen = surveyed(motion_at(0.75, 0.75, 0.85, 0.85))
    crop = choose_crop(seen)
    assert (crop.width, crop.height) == (240, 240)
    assert held_by(seen, crop) > 0.99
    assert "closer" in crop.reason


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d", "0,0,641,480", "600,0,100,100", "0,0,0,10", "-1,0,10,10", ""])
def test_a_crop_that_has_no_room_is_a_sentence(text: str) -> None:
    with pytest.raises(TrainingError, match=r"--crop is .* was expected|reaches outside clip.mp4, which is 640x480"):
        parse_crop(text, surveyed())
    assert parse_crop("0,0,640,480", surveyed()).box() == (0, 0, 640, 480)


@pytest.mark.parametrize(
    ("minutes", "seconds_at_64", "expected"),
    [
        (10.0, 1.0, LADDER[0]),
        (10.0, 0.4, LADDER[1]),
        (10.0, 0.1, LADDER[2]),
        (10.0, 0.01, LADDER[3]),
        (60.0, 0.1, LADDER[3]),
    ],
)
def test_the_largest_picture_that_can_be_taught_in_time(
    minutes: float, seconds_at_64: float, expected: SizeStep
) -> None:
    assert plan(minutes, even_pace(seconds_at_64)).rung == expected


def test_the_minutes_are_the_whole_budget() -> None:
    chosen = plan(10.0, even_pace(0.06), spent_s=20.0)
    assert chosen.teaching_s + chosen.reserve_s + 20.0 == pytest.approx(600.0)
    assert chosen.settings()["minutes"] == pytest.approx(520.0 / 60.0)
    assert chosen.iterations == round(520.0 / 0.24)
    assert plan(0.1, even_pace(0.06), spent_s=100.0).teaching_s == pytest.approx(3.0)


def test_without_minutes_a_longer_clip_gets_more_time_within_bounds() -> None:
    pace = even_pace(0.06)
    short, long = (plan(None, pace, seconds=seconds).minutes for seconds in (10.0, 120.0))
    assert 5.0 <= short < long <= 60.0
    assert plan(None, even_pace(10.0)).minutes == 60.0
    assert plan(None, even_pace(0.0001)).minutes == 5.0
    assert usual_iterations(10.0) < usual_iterations(60.0) < usual_iterations(1e5) == 8000


def test_a_picture_is_not_enlarged_for_nothing() -> None:
    sizes = [rung.image_size for rung in allowed_rungs(Crop(0, 0, 150, 150, ""), None)]
    assert sizes == [64, 128, 128]
    assert [rung.image_size for rung in allowed_rungs(Crop(0, 0, 20, 20, ""), None)] == [64]
    assert allowed_rungs(Crop(0, 0, 150, 150, ""), 32) == [SizeStep(32, 256)]


def test_the_plan_says_what_and_why() -> None:
    chosen = plan(10.0, even_pace(0.06))
    text = "\n".join(chosen.lines("2 processor threads"))
    for part in (
        "clip.mp4: 10.0 s, 640x480",
        "stands still",
        "80,0,480,480",
        "128x128",
        "10 minutes in all",
        "60 s kept",
    ):
        assert part in text
    assert "expect blur" in "\n".join(
        Plan(
            seen=surveyed(camera=0.9),
            crop=chosen.crop,
            rung=chosen.rung,
            iteration_s=1.0,
            minutes=1.0,
            spent_s=0.0,
        ).lines("cpu")
    )


@pytest.mark.parametrize("solid", [True, False])
@pytest.mark.parametrize("rung", LADDER)
def test_every_rung_is_a_configuration(rung: SizeStep, solid: bool) -> None:
    config = load_train_config(CONFIG, model_settings(rung, solid))
    assert (config.model.generator.warp_rank > 0) == solid
    assert (config.model.generator.relief_rank > 0) != solid
    assert config.model.image_size == rung.image_size


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ({"l1": 0.06, "mean_frame_l1": 0.08, "motion_share": 0.8}, r"moves 80% .*25% less error"),
        ({"l1": 0.06, "mean_frame_l1": 0.08, "motion_share": 0.2}, "moves little yet"),
        ({"l1": 0.09, "mean_frame_l1": 0.08, "motion_share": 0.8}, r"12% more error\)\. It is no nearer than a still"),
        (None, "stopped before"),
    ],
)
def test_the_figures_are_said_in_words(numbers: dict[str, float] | None, sentence: str) -> None:
    assert re.search(sentence, " ".join(held_out_words(numbers)))


def test_it_says_when_more_time_no_longer_brings_it_nearer() -> None:
    now = {"l1": 0.054, "motion_share": 0.9}
    before = {500: {"l1": 0.0527, "motion_share": 0.83}, 700: {"l1": 0.0535, "motion_share": 0.89}}
    (line,) = progress_words(before, now)
    assert line.startswith("After 500 iterations its error was 0.053, with 83% of the motion")
    assert progress_words({500: {"l1": 0.06, "motion_share": 0.5}}, now) == []


def test_a_small_picture_for_want_of_time_is_announced() -> None:
    hurried = plan(3, even_pace(0.25))
    assert hurried.rung.image_size == 64
    assert any("--size 128" in line for line in hurried.lines("1 thread"))
    assert not any("--size" in line for line in plan(60, even_pace(0.01)).lines("1 thread"))
