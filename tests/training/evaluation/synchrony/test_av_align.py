"""AV-Align by hand: what each published variant counts, and what is undefined."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.evaluation.synchrony.av_align import VARIANTS, Variant, av_align

FPS = 10


def flow(*peaks: int, height: float = 1.0, frames: int = 40) -> np.ndarray:
    """Motion that is quickest into the frames of these numbers."""
    found = np.zeros(frames)
    found[list(peaks)] = height
    return found


@pytest.mark.parametrize("variant", VARIANTS)
def test_onsets_at_the_peaks_score_one_and_far_from_them_nothing(variant: Variant) -> None:
    motion_N = flow(5, 15, 25)
    assert av_align(np.array([0.5, 1.5, 2.5]), motion_N, FPS, variant) == 1.0
    assert av_align(np.array([1.0, 2.0, 3.0]), motion_N, FPS, variant) == 0.0


@pytest.mark.parametrize(
    ("variant", "value"),
    [
        # One peak is shared by both onsets: m = 2 of 2 + 1.
        ("v2023", 2.0),
        # It is taken once: m = 1 of 2 + 1.
        ("v2025", 1 / 2),
        # (2 + 1) / 2 in common of 2 + 1.
        ("paper", 1.0),
    ],
)
def test_two_onsets_around_one_peak(variant: Variant, value: float) -> None:
    assert av_align(np.array([0.45, 0.55]), flow(5), FPS, variant) == pytest.approx(value)


def test_matches_are_less_than_a_frame_away_and_in_the_paper_one_and_a_half() -> None:
    motion_N = flow(5)
    assert av_align(np.array([0.595]), motion_N, FPS, "v2025") == 1.0
    assert av_align(np.array([0.605]), motion_N, FPS, "v2025") == 0.0
    assert av_align(np.array([0.645]), motion_N, FPS, "paper") == 1.0
    assert av_align(np.array([0.655]), motion_N, FPS, "paper") == 0.0


def test_the_first_free_peak_is_taken() -> None:
    """Two onsets between two peaks: the first takes the first, the second the other."""
    motion_N = flow(5, 7, 30)
    assert av_align(np.array([0.605, 0.695]), motion_N, FPS, "v2025") == pytest.approx(1 / 4)
    assert av_align(np.array([0.595, 0.605]), motion_N, FPS, "v2025") == pytest.approx(2 / 3)


@pytest.mark.parametrize(("variant", "value"), [("v2025", 0.0), ("v2023", 1.0), ("paper", 1.0)])
def test_small_motion_is_a_peak_in_the_older_variants_alone(variant: Variant, value: float) -> None:
    assert av_align(np.array([0.5]), flow(5, height=0.09), FPS, variant) == value


def test_neither_end_nor_a_plateau_is_a_peak() -> None:
    motion_N = flow(0, 10, 11, 39)
    assert av_align(np.array([0.0, 1.0, 3.9]), motion_N, FPS, "v2023") == 0.0


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_onset_is_undefined_and_no_peak_is_nothing(variant: Variant) -> None:
    assert math.isnan(av_align(np.zeros(0), flow(5), FPS, variant))
    assert math.isnan(av_align(np.zeros(0), flow(), FPS, variant))
    assert av_align(np.array([0.5]), flow(), FPS, variant) == 0.0
    assert av_align(np.array([0.5]), np.zeros(2), FPS, variant) == 0.0
