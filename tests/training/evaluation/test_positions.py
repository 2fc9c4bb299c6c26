"""Figures along a sequence: means over the rollouts that reach a position, and curves that stay what they are."""

import numpy as np
import pytest

from training.evaluation.position_plots import smoothed
from training.evaluation.positions import Curve, curves

NAN = np.nan


def test_a_curve_is_over_the_rollouts_that_reach_a_position() -> None:
    curve = Curve.of([np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 6.0])])
    assert curve.position.tolist() == [1, 2, 3, 4]
    assert curve.mean.tolist() == [2.0, 4.0, 3.0, 4.0]
    assert curve.deviation[:2].tolist() == pytest.approx([2**0.5, 8**0.5])
    assert np.isnan(curve.deviation[2:]).all()
    assert curve.rollouts.tolist() == [2, 2, 1, 1]
    assert curve.runs() == [slice(0, 2), slice(2, 4)]


def test_positions_that_were_not_measured_are_left_out() -> None:
    curve = curves([{"SSIM": np.array([NAN, 0.5, NAN, 0.7])}, {"SSIM": np.array([NAN, 0.7])}])["SSIM"]
    assert (curve.position.tolist(), curve.rollouts.tolist()) == ([2, 4], [2, 1])
    assert curve.mean.tolist() == pytest.approx([0.6, 0.7])


def test_smoothing_keeps_ends_lines_and_the_number_of_values() -> None:
    line = np.arange(9.0)
    assert smoothed(line, 3).tolist() == pytest.approx(line.tolist())
    assert smoothed(np.array([0.0, 3.0, 0.0, 3.0]), 1).tolist() == pytest.approx([0.0, 1.0, 2.0, 3.0])
    assert smoothed(line, 0).tolist() == line.tolist()
    assert smoothed(line[:1], 5).tolist() == [0.0]
