"""The ending of `teach`: five lines whatever could be measured, and one way to go on for each outcome."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.autopilot.test_plan import analysis_of
from training.autopilot.summary import LONGER, Ending, advice, no_longer_helps

FIGURES = {"l1": 0.06, "mean_frame_l1": 0.08, "motion_share": 0.8}
ENDING = Ending(
    analysis=analysis_of(),
    figures=FIGURES,
    reason="",
    exported=1000,
    last=1200,
    chosen=True,
    model_file=Path("runs/x/x.onnx"),
    film="runs/x/preview.mp4",
    report="tables: runs/x/report.html",
)


def test_the_ending_has_five_lines_with_figures_film_and_command() -> None:
    quality, trained, watch, following, play = ENDING.lines()
    assert quality == (
        "quality   good: on the last fifth of the clip, which was not trained, the error is 0.060 (a still frame: 0.080), "
        "with 80% of the clip's motion: as lively as the clip"
    )
    assert "7.0 s of clip.mp4, with sound from -45 dB in quiet moments to -12 dB in loud ones" in trained
    assert "after 1,000 of 1,200 iterations, the best on a part" in trained
    assert watch == "watch     runs/x/preview.mp4, the clip beside the model; tables: runs/x/report.html"
    assert following == f"go on     {LONGER}"
    assert play == "play it   python run_live.py --model runs/x/x.onnx"


def test_synchrony_is_a_phrase_of_the_first_line() -> None:
    quality = replace(ENDING, synchrony="in time with the sound: x 0.4").lines()[0]
    assert quality.endswith("as lively as the clip; in time with the sound: x 0.4")
    unmeasured = replace(ENDING, figures=None, reason="training was stopped", synchrony="synchrony not measured: x")
    assert unmeasured.lines()[0] == "quality   not measured: training was stopped"


def test_with_several_clips_each_figure_says_which_ones_it_is_of() -> None:
    quality, trained, *_ = replace(ENDING, more_clips=2).lines()
    assert "on the last fifth of each clip, " in quality
    assert "with 80% of the clips' motion: as lively as the clip" in quality
    assert "on 7.0 s of clip.mp4 and on 2 more clips; the sound of clip.mp4 goes from -45 dB" in trained
    assert "and on 1 more clip; " in replace(ENDING, more_clips=1).lines()[1]


def test_figures_that_could_not_be_had_are_said_in_the_same_five_lines() -> None:
    ending = replace(ENDING, figures=None, reason="training was stopped", chosen=False, film="")
    quality, trained, watch, _, _ = ending.lines()
    assert quality == "quality   not measured: training was stopped"
    assert "the newest checkpoint, after 1,000 iterations" in trained
    assert watch == "watch     tables: runs/x/report.html"


def test_a_held_out_part_that_stands_still_has_no_figures_to_compare_with() -> None:
    still = replace(ENDING, figures={"l1": 0.01, "mean_frame_l1": 0.0, "motion_share": math.nan}).lines()
    assert still[0].endswith("not measured: the last fifth of the clip, which was not trained, is a still frame")
    quiet = replace(ENDING, figures={"l1": 0.01, "mean_frame_l1": 0.1, "motion_share": math.nan}).lines()
    assert quiet[0].endswith("with nothing that moves in it")
    assert len(still) == len(quiet) == 5


@pytest.mark.parametrize(
    ("error", "share", "word", "remark"),
    [
        (0.06, 1.0, "good", "as lively"),
        (0.0704, 0.5, "fair", "calmer"),
        (0.079, 0.2, "weak", "nearly still"),
        (0.08, 1.5, "poor, no better than a still frame", "more restless"),
    ],
)
def test_the_words_follow_the_figures(error: float, share: float, word: str, remark: str) -> None:
    figures = {"l1": error, "mean_frame_l1": 0.08, "motion_share": share}
    quality, *_ = replace(ENDING, figures=figures).lines()
    assert quality.split(maxsplit=1)[1].startswith(f"{word}:")
    assert remark in quality


@pytest.mark.parametrize(
    ("figures", "exported", "last", "expected"),
    [
        (None, 1000, 1200, LONGER),
        (FIGURES, 1000, 1200, LONGER),
        (FIGURES, 600, 1200, "use a longer clip: more time no longer helped"),
        (None, 600, 1200, "use a longer clip: more time no longer helped"),
        ({**FIGURES, "l1": 0.09}, 1000, 1200, "use a longer clip whose end is like the rest"),
        ({**FIGURES, "l1": 0.09}, 200, 200, LONGER),
        ({**FIGURES, "motion_share": 0.2}, 1000, 1200, "with more time it moves more"),
        ({**FIGURES, "motion_share": math.nan}, 1000, 1200, LONGER),
    ],
)
def test_the_advice_follows_the_outcome(
    figures: dict[str, float] | None, exported: int, last: int, expected: str
) -> None:
    assert expected in advice(figures, exported, last)


@pytest.mark.parametrize(
    ("best", "last", "vain"),
    [(500, 543, False), (100, 203, False), (100, 599, False), (500, 1000, True), (900, 1700, False)],
)
def test_points_that_are_near_each_other_prove_nothing(best: int, last: int, vain: bool) -> None:
    assert no_longer_helps(best, last) == vain
