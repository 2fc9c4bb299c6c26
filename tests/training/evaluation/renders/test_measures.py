"""Equations with known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.evaluation.renders.clip_pairs import others
from training.evaluation.renders.measures import Measure, inception_score


@pytest.mark.parametrize("classes", [2, 5, 101])
def test_the_inception_score_of_no_idea_is_one_and_of_sure_classes_their_number(classes: int) -> None:
    assert inception_score(np.full((7, classes), 1.0 / classes)) == pytest.approx(1.0)
    assert inception_score(np.eye(classes)) == pytest.approx(classes)
    assert inception_score(np.tile(np.eye(classes)[0], (7, 1))) == pytest.approx(1.0)


def test_the_inception_score_by_hand() -> None:
    """Means 0.7 and 0.3; 0.9 ln(0.9/0.7) + 0.1 ln(0.1/0.3), and 0.5 ln(0.5/0.7) + 0.5 ln(0.5/0.3)."""
    first = 0.9 * math.log(0.9 / 0.7) + 0.1 * math.log(0.1 / 0.3)
    second = 0.5 * math.log(0.5 / 0.7) + 0.5 * math.log(0.5 / 0.3)
    found = inception_score(np.array([[0.9, 0.1], [0.5, 0.5]]))
    assert found == pytest.approx(math.exp((first + second) / 2.0))


@pytest.mark.parametrize("samples", [0, 1])
def test_the_inception_score_of_one_sample_is_undefined(samples: int) -> None:
    assert math.isnan(inception_score(np.eye(3)[:samples]))


def test_undefined_clips_do_not_count() -> None:
    found = Measure.over_clips("m", [1.0, math.nan, 3.0], [math.nan] * 3, [4.0], floor_is="", ceiling_is="")
    assert (found.value, found.deviation, found.clips, found.ceiling) == (2.0, pytest.approx(math.sqrt(2.0)), 2, 4.0)
    assert math.isnan(found.floor)
    assert len(found.each) == 3


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([""], [None]),
        (["", ""], [1, 0]),
        (["", "", ""], [1, 2, 0]),
        # Clips of one film are neighbours.
        (["a", "a", "a", "b", "b", "b"], [3, 4, 5, 0, 1, 2]),
        (["a", "b", "b", "b"], [2, 0, 0, 0]),
        (["a", "a", "a", "a"], [2, 3, 0, 1]),
    ],
)
def test_another_clip_is_far_away_and_of_another_label(labels: list[str], expected: list[int | None]) -> None:
    assert others(labels) == expected
