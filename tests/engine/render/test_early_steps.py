"""When a hop is stepped early: at an onset and once it has risen, and only where there is time."""

from __future__ import annotations

import pytest

from engine.audio.features.audio_features import AudioFeatures
from engine.audio.features.onsets import RISE_S
from engine.render.early_steps import EarlySteps
from engine.render.pacing import early_step_fits
from tests.engine.model.probe_model import CARD

HOP, RATE_HZ = CARD.hop_samples, CARD.sample_rate_hz
QUICK_S, SLOW_S = 0.005, 0.04


def heard(sample: int, onsets: int, age_s: float = 0.0) -> AudioFeatures:
    return AudioFeatures(end_sample=sample, onsets=onsets, onset_age_s=age_s, onset_strength=1.0)


def after_a_hop(step_s: float, onsets: int = 0) -> EarlySteps:
    """Return the decisions after hop 0, which heard so many onsets long before its end."""
    steps = EarlySteps(CARD)
    steps.stepped(step_s, heard(HOP, onsets, age_s=0.04))
    return steps


def test_an_onset_is_stepped_at_once_and_again_when_it_has_risen() -> None:
    steps, begin, risen = after_a_hop(QUICK_S), HOP + 64, HOP + 64 + round(RISE_S * RATE_HZ)
    assert not steps.due(heard(begin - 32, 0), 1)
    assert steps.due(heard(begin, 1), 1)
    assert not steps.due(heard(risen - 1, 1), 1)
    assert steps.due(heard(risen, 1), 1)
    assert not steps.due(heard(risen + 64, 1), 1)


def test_an_onset_that_is_heard_when_it_has_risen_is_stepped_once() -> None:
    steps, late = after_a_hop(QUICK_S), heard(HOP + round(2 * RISE_S * RATE_HZ), 1, age_s=2 * RISE_S)
    assert steps.due(late, 1)
    assert not steps.due(late, 1)


def test_what_a_hop_has_heard_is_not_stepped_again() -> None:
    assert not after_a_hop(QUICK_S, onsets=1).due(heard(HOP + 64, 1, age_s=0.044), 1)


def test_an_onset_at_the_very_end_of_a_hop_is_stepped_again_when_it_has_risen() -> None:
    steps = EarlySteps(CARD)
    steps.stepped(QUICK_S, heard(HOP, 1, age_s=0.0))
    assert not steps.due(heard(HOP + 64, 1), 1)
    assert steps.due(heard(HOP + round(RISE_S * RATE_HZ), 1), 1)


def test_without_time_for_a_step_an_onset_waits_for_its_hop() -> None:
    assert not after_a_hop(SLOW_S).due(heard(HOP + 64, 1), 1)
    steps = after_a_hop(QUICK_S)
    assert not steps.due(heard(2 * HOP - 64, 1), 1), "4 ms before the end of the hop"
    assert not EarlySteps(CARD).due(heard(64, 1), 0), "no step was timed"


def test_the_slowest_of_the_last_steps_counts() -> None:
    steps = after_a_hop(SLOW_S)
    steps.stepped(QUICK_S, heard(2 * HOP, 0))
    assert not steps.due(heard(2 * HOP + 64, 1), 2)


@pytest.mark.parametrize(
    ("step_s", "left_s", "taken", "fits"),
    [
        (0.010, 0.030, 0, True),
        (0.010, 0.009, 0, False),
        (0.010, 0.030, 1, True),
        (0.010, 0.030, 3, False),
        (0.021, 0.050, 0, False),
    ],
)
def test_room_for_an_early_step(step_s: float, left_s: float, taken: int, fits: bool) -> None:
    assert early_step_fits(step_s, 0.05, left_s, taken) == fits
