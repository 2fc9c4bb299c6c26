"""Plan and crop are pure functions of the clip analysis and the measured speed, so the tests invent both."""

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import TrainingError
from training.autopilot.clip_analysis import FRAME_SIZE, ClipAnalysis
from training.autopilot.crop import Crop, choose_crop, motion_share, parse_crop, parse_shape, trimmed
from training.autopilot.family_choice import FamilyChoice
from training.autopilot.plan import Plan, allowed_size_steps, choose_plan, model_settings, parse_size
from training.core.frame_size import FrameSize
from training.families.listen_and_move.teaching import SIZE_STEPS, ListenAndMoveTeaching
from training.families.modal.teaching import ModalTeaching
from training.families.teaching import SizeStep
from training.loop.config import keys_of, load_train_config
from training.teach import CONFIGS

WIDE = (640, 480)
SQUARE = Fraction(1)
PAINTING = FamilyChoice("listen_and_move", ListenAndMoveTeaching(), "it paints")
LAYERED = FamilyChoice("modal", ModalTeaching(), "the camera stands still")


def analysis_of(
    motion_HW: np.ndarray | None = None,
    size: tuple[int, int] = WIDE,
    camera: float = 0.0,
    seconds: float = 10.0,
    warped: float = 1.0,
    mixed: float = 1.0,
) -> ClipAnalysis:
    """Return an analysis with these errors of the flow fit and of the mixture fit."""
    motion = np.zeros((FRAME_SIZE, FRAME_SIZE), np.float32) if motion_HW is None else motion_HW
    return ClipAnalysis(
        path=Path("clip.mp4"),
        width=size[0],
        height=size[1],
        frames_per_s=25.0,
        duration_s=seconds,
        trained_s=0.7 * seconds,
        level_db=-20.0,
        level_range_db=(-45.0, -12.0),
        camera_moves_share=camera,
        motion_HW=motion,
        flow_fit_error=warped,
        mixture_fit_error=mixed,
    )


def motion_at(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """Return a motion map that is 20 in a rectangle given in shares of the frame."""
    motion = np.zeros((FRAME_SIZE, FRAME_SIZE), np.float32)
    motion[
        round(top * FRAME_SIZE) : round(bottom * FRAME_SIZE), round(left * FRAME_SIZE) : round(right * FRAME_SIZE)
    ] = 20
    return motion


def plan(minutes: float | None, pace: dict[SizeStep, float], seconds: float = 10.0, spent_s: float = 5.0) -> Plan:
    return choose_plan(
        analysis_of(seconds=seconds),
        PAINTING,
        Crop(80, 0, 480, 480, ""),
        SIZE_STEPS,
        pace.__getitem__,
        lambda: spent_s,
        minutes,
    )


def even_pace(seconds_at_64: float) -> dict[SizeStep, float]:
    return {size_step: seconds_at_64 * 2.0**index for index, size_step in enumerate(SIZE_STEPS)}


@pytest.mark.parametrize(
    ("analysis", "expected"),
    [
        (analysis_of(), (80, 0, 480, 480)),
        (analysis_of(motion_at(0, 0, 1, 1)), (80, 0, 480, 480)),
        (analysis_of(motion_at(0.75, 0.0, 1.0, 1.0)), (160, 0, 480, 480)),
        (analysis_of(motion_at(0.0, 0.0, 0.25, 1.0)), (0, 0, 480, 480)),
        (analysis_of(motion_at(0.75, 0.0, 1.0, 1.0), camera=0.9), (80, 0, 480, 480)),
        (analysis_of(motion_at(0.0, 0.75, 1.0, 1.0), size=(480, 640)), (0, 160, 480, 480)),
        (analysis_of(motion_at(0.75, 0.75, 0.85, 0.85), size=(160, 120)), (20, 0, 120, 120)),
    ],
    ids=["still", "everywhere", "right", "left", "camera", "portrait", "small"],
)
def test_the_crop_follows_the_motion(analysis: ClipAnalysis, expected: tuple[int, int, int, int]) -> None:
    assert choose_crop(analysis, SQUARE).box() == expected


def test_motion_in_a_corner_gives_a_smaller_crop() -> None:
    analysis = analysis_of(motion_at(0.75, 0.75, 0.85, 0.85))
    crop = choose_crop(analysis, SQUARE)
    assert (crop.width, crop.height) == (240, 240)
    assert motion_share(analysis, crop) > 0.99
    assert "smaller square" in crop.reason
    shaped = choose_crop(analysis)
    assert (shaped.width, shaped.height) == (320, 240)
    assert "smaller part" in shaped.reason
    # A family that wants more pixels than the part has gets a larger one.
    assert choose_crop(analysis, fewest_pixels=300).height == 360
    assert choose_crop(analysis, fewest_pixels=400).box() == (0, 0, *WIDE)


@pytest.mark.parametrize("size", [WIDE, (1920, 1080), (352, 288), (360, 640), (2000, 100)])
def test_the_crop_keeps_the_clip_s_shape(size: tuple[int, int]) -> None:
    crop = choose_crop(analysis_of(motion_at(0, 0, 1, 1), size=size))
    assert crop.box() == ((0, 0, *size) if size[0] <= 8 * size[1] else (600, 0, 800, 100))
    assert crop.reason.startswith("the whole frame") == (size[0] <= 8 * size[1])
    for size_step in allowed_size_steps(PAINTING, crop, None):
        frame = size_step.frame_size
        part = trimmed(crop, frame)
        assert part.width / part.height == pytest.approx(frame.width / frame.height, rel=0.02)
        assert part.width * part.height > 0.93 * crop.width * crop.height
        assert min(abs(frame.mean_side / step.frame_size.mean_side - 1.0) for step in SIZE_STEPS) < 0.12


@pytest.mark.parametrize(("text", "shape"), [("16:9", Fraction(16, 9)), ("9:16", Fraction(9, 16)), ("1:1", SQUARE)])
def test_a_shape_is_width_to_height(text: str, shape: Fraction) -> None:
    assert parse_shape(text) == shape
    crop = choose_crop(analysis_of(), shape)
    assert crop.width / crop.height == pytest.approx(float(shape), rel=0.01)


@pytest.mark.parametrize("text", ["16x9", "0:1", "9:1", "1:20", "square", ":", "1.5:1"])
def test_a_shape_that_no_frame_has_is_refused(text: str) -> None:
    with pytest.raises(TrainingError, match=f"--shape is '{text}'; width:height was expected, from 8:1 to 1:8"):
        parse_shape(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("24", "--size is 24; 32 pixels or more"),
        ("100", "--size is 100; both sides must be multiples of 8, such as 96"),
        ("640x361", "--size is 640x361; both sides must be multiples of 8, such as 640x360"),
        ("640,360", "--size is '640,360'; a number of pixels for a square was expected, or WIDTHxHEIGHT"),
        ("1280x32", "--size is 1280x32; the long side can be 8 times the short one at most, such as 256x32"),
    ],
)
def test_a_size_that_no_frame_has_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(TrainingError, match=re.escape(sentence)):
        parse_size(text)


def test_a_size_of_another_shape_than_the_crop_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"--size is 640x360 and the crop 480x480, .* such as 480x480, or leave"):
        allowed_size_steps(PAINTING, Crop(80, 0, 480, 480, ""), FrameSize(360, 640))
    (own,) = allowed_size_steps(PAINTING, Crop(0, 60, 640, 356, ""), FrameSize(360, 640))
    assert (own.image_size, dict(own.settings)) == ("640x360", {"model.generator.channels_base": 256})


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d", "0,0,641,480", "600,0,100,100", "0,0,0,10", "-1,0,10,10", ""])
def test_a_crop_outside_the_frame_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(TrainingError, match=r"--crop is .* was expected|reaches outside clip.mp4, which is 640x480"):
        parse_crop(text, analysis_of())
    assert parse_crop("0,0,640,480", analysis_of()).box() == (0, 0, 640, 480)


@pytest.mark.parametrize(
    ("minutes", "seconds_at_64", "expected"),
    [
        (10.0, 1.0, SIZE_STEPS[0]),
        (10.0, 0.4, SIZE_STEPS[1]),
        (10.0, 0.1, SIZE_STEPS[2]),
        (10.0, 0.01, SIZE_STEPS[3]),
        (60.0, 0.1, SIZE_STEPS[3]),
    ],
)
def test_the_plan_takes_the_largest_size_that_fits_the_time(
    minutes: float, seconds_at_64: float, expected: SizeStep
) -> None:
    assert plan(minutes, even_pace(seconds_at_64)).size_step == expected


def test_sizes_that_are_out_of_reach_are_not_measured() -> None:
    measured: list[SizeStep] = []

    def measure(size_step: SizeStep) -> float:
        measured.append(size_step)
        return 1.0

    chosen = choose_plan(analysis_of(), PAINTING, Crop(80, 0, 480, 480, ""), SIZE_STEPS, measure, lambda: 5.0, 3.0)
    assert (measured, chosen.larger) == ([SIZE_STEPS[0]], SIZE_STEPS[1])


def test_the_minutes_are_the_total_budget() -> None:
    chosen = plan(10.0, even_pace(0.06), spent_s=20.0)
    assert chosen.training_s + chosen.reserve_s + 20.0 == pytest.approx(600.0)
    assert chosen.settings()["minutes"] == pytest.approx(520.0 / 60.0)
    assert chosen.iterations == round(520.0 / 0.24)
    assert plan(0.1, even_pace(0.06), spent_s=100.0).training_s == pytest.approx(1.5)


def test_without_minutes_a_longer_clip_gets_more_time_within_bounds() -> None:
    pace = even_pace(0.06)
    short, long = (plan(None, pace, seconds=seconds).minutes for seconds in (10.0, 120.0))
    assert 5.0 <= short < long <= 60.0
    assert plan(None, even_pace(10.0)).minutes == 60.0
    assert plan(None, even_pace(0.0001)).minutes == 5.0
    for family in (PAINTING, LAYERED):
        usual = family.teaching.usual_iterations
        assert usual(10.0) < usual(60.0) < usual(1e5) == usual(1e6)


def image_sizes(family: FamilyChoice, width: int, height: int, size: FrameSize | None = None) -> list[object]:
    return [step.image_size for step in allowed_size_steps(family, Crop(0, 0, width, height, ""), size)]


def test_frames_are_not_enlarged_without_need() -> None:
    assert image_sizes(PAINTING, 150, 150) == [64, 128, 128]
    assert image_sizes(PAINTING, 20, 20) == [64]
    assert image_sizes(PAINTING, 150, 150, FrameSize(32, 32)) == [32]


@pytest.mark.parametrize(
    ("crop", "expected"),
    [
        ((1280, 720), "912x512"),
        ((720, 1280), "512x912"),
        ((352, 288), "352x288"),
        ((640, 480), "640x480"),
        ((61, 50), "64x48"),
    ],
)
def test_a_family_that_is_quick_at_any_size_gets_the_clip_s_own_pixels(crop: tuple[int, int], expected: str) -> None:
    assert image_sizes(LAYERED, *crop) == [expected]
    assert image_sizes(LAYERED, 640, 480, FrameSize(240, 320)) == ["320x240"]


@pytest.mark.parametrize(("height", "scale"), [(1080, 2), (720, 2), (512, None), (288, None)])
def test_a_clip_with_more_pixels_than_the_frame_gives_its_textures_them(height: int, scale: int | None) -> None:
    (step,) = allowed_size_steps(LAYERED, Crop(0, 0, height * 16 // 9, height, ""), None)
    assert dict(step.settings).get("model.generator.texture_scale") == scale


def test_a_long_clip_gets_more_textures() -> None:
    counts = [
        model_settings(LAYERED, SizeStep(64), analysis_of(seconds=seconds)).get("model.generator.textures", 0)
        for seconds in (10.0, 80.0, 300.0)
    ]
    assert counts == sorted(set(counts))


def test_settings_of_a_file_that_the_user_gave_stay(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("model: {generator: {textures: 3}}\nseed: 5\n")
    given = keys_of(file)
    assert given == {"model.generator.textures", "seed"}
    chosen = replace(plan(10.0, even_pace(0.06)), family=LAYERED, analysis=analysis_of(seconds=300.0))
    assert chosen.settings()["model.generator.textures"] == 6
    mine = replace(chosen, given=given).settings()
    assert "model.generator.textures" not in mine
    assert mine["intervals.sample"] == 0


def test_the_plan_prints_its_choices_with_reasons() -> None:
    chosen = plan(10.0, even_pace(0.06))
    text = "\n".join(chosen.lines("2 processor threads"))
    for part in (
        "clip.mp4: 10.0 s, 640x480",
        "stands still",
        "motion    fluid, surfaces that change all over: warping one frame explains 0% of what changes, mixing a few 0%",
        "family    listen_and_move: it paints",
        "80,0,480,480",
        "128x128, width 256; one iteration takes",
        "10 minutes in total",
        "60 s for evaluation",
    ):
        assert part in text
    assert "expect blur" in "\n".join(
        Plan(
            analysis=analysis_of(camera=0.9),
            family=PAINTING,
            crop=chosen.crop,
            size_step=chosen.size_step,
            iteration_s=1.0,
            minutes=1.0,
            spent_s=0.0,
        ).lines("cpu")
    )


@pytest.mark.parametrize("kind", ["solid", "fluid", "light"])
@pytest.mark.parametrize("size_step", SIZE_STEPS)
def test_every_size_step_gives_a_valid_configuration(size_step: SizeStep, kind: str) -> None:
    errors = {"solid": (0.5, 0.6), "fluid": (1.0, 1.0), "light": (1.0, 0.1)}[kind]
    analysis = analysis_of(warped=errors[0], mixed=errors[1])
    assert analysis.kind == kind
    config = load_train_config(CONFIGS / PAINTING.teaching.config_file, model_settings(PAINTING, size_step, analysis))
    assert (config.model.generator.warp_rank > 0) == (kind == "solid")
    assert (config.model.generator.relief_rank > 0) != (kind == "solid")
    assert config.model.image_size == size_step.image_size


def test_the_plan_tells_what_passes_before_the_first_iteration() -> None:
    painted = plan(10.0, even_pace(0.06))
    assert not any("beginning" in line for line in painted.lines("cpu"))
    (time,) = (line for line in replace(painted, family=LAYERED).lines("cpu") if line.startswith("time"))
    assert (
        "iterations (in a new run fewer: its beginning takes up to 60% of that time), and 60 s for evaluation" in time
    )


def test_the_plan_tells_when_the_time_is_too_short_for_a_larger_size() -> None:
    short = plan(3, even_pace(0.25))
    assert short.size_step.image_size == 64
    assert any("--size 128" in line for line in short.lines("1 thread"))
    assert not any("--size" in line for line in plan(60, even_pace(0.01)).lines("1 thread"))
