"""The ending of `teach`: five lines whatever could be measured, and an advice for each outcome."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.autopilot.test_plan import analysis_of
from training.autopilot.summary import Ending, advice

FIGURES = {"l1": 0.06, "mean_frame_l1": 0.08, "motion_share": 0.8}
ENDING = Ending(
    analysis=analysis_of(),
    figures=FIGURES,
    reason="",
    exported=1000,
    last=1200,
    chosen=True,
    model_file=Path("runs/x/x.onnx"),
    report="tables and samples: runs/x/report.html",
)


def test_the_ending_has_five_lines_with_two_figures_and_the_command() -> None:
    quality, motion, trained, following, play = ENDING.lines()
    assert quality.split(maxsplit=1)[1].startswith("good: on the last fifth of the clip")
    assert ("0.060" in quality, "0.080" in quality) == (True, True)
    assert motion.split(maxsplit=1)[1] == "80% of the clip's: as lively as the clip"
    assert "7.0 s of clip.mp4, with sound from -45 dB in quiet moments to -12 dB in loud ones" in trained
    assert "after 1,000 of 1,200 iterations, the best on a part" in trained
    assert following.endswith("; tables and samples: runs/x/report.html")
    assert play == "play it   python run_live.py --model runs/x/x.onnx"


def test_with_several_clips_each_figure_says_which_ones_it_is_of() -> None:
    quality, motion, trained, *_ = replace(ENDING, more_clips=2).lines()
    assert "on the last fifth of each clip, " in quality
    assert "that of the mean frame is 0.080" in quality
    assert motion.split(maxsplit=1)[1] == "80% of the clips': as lively as the clip"
    assert "on 7.0 s of clip.mp4 and on 2 more clips; the sound of clip.mp4 goes from -45 dB" in trained
    assert "and on 1 more clip; " in replace(ENDING, more_clips=1).lines()[2]


def test_figures_that_could_not_be_had_are_said_in_the_same_five_lines() -> None:
    lines = replace(ENDING, figures=None, reason="training was stopped", chosen=False).lines()
    assert len(lines) == 5
    assert lines[0] == "quality   not measured: training was stopped"
    assert lines[1] == "motion    not measured"
    assert "the newest checkpoint, after 1,000 iterations" in lines[2]


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
    quality, motion, *_ = replace(ENDING, figures=figures).lines()
    assert quality.split(maxsplit=1)[1].startswith(f"{word}:")
    assert remark in motion


@pytest.mark.parametrize(
    ("figures", "exported", "expected"),
    [
        (None, 1000, "run the same command again"),
        (FIGURES, 1000, "play it, or run the same command again"),
        (FIGURES, 500, "use a longer clip: more time no longer helped"),
        ({**FIGURES, "l1": 0.09}, 1000, "whose end is like the rest"),
        ({**FIGURES, "motion_share": 0.2}, 1000, "with more time it moves more"),
    ],
)
def test_the_advice_follows_the_outcome(figures: dict[str, float] | None, exported: int, expected: str) -> None:
    assert expected in advice(figures, exported, 1000)
