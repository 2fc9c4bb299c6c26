"""An onset that is drawn late begins when it is drawn, once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.audio.features.audio_features import NEVER_S, AudioFeatures
from engine.render.late_onsets import LATEST_S, LateOnsets


def heard(onsets: int, age_s: float, **inputs: AudioFeatures) -> AudioFeatures:
    return AudioFeatures(onsets=onsets, onset_strength=1.0, onset_age_s=age_s, inputs=inputs)


def test_an_onset_begins_at_its_first_drawing_and_ages_from_there() -> None:
    late = LateOnsets()
    assert late.begun(heard(0, NEVER_S)).onset_age_s == NEVER_S
    ages_s = [late.begun(heard(1, age_s)).onset_age_s for age_s in (0.09, 0.1, 0.15)]
    assert ages_s == pytest.approx([0.0, 0.01, 0.06])
    assert late.begun(heard(2, 0.02)).onset_age_s == 0.0


def test_one_that_is_over_when_the_window_returns_is_not_drawn_again() -> None:
    late = LateOnsets()
    assert late.begun(heard(1, LATEST_S + 0.1)).onset_age_s == pytest.approx(LATEST_S + 0.1)


def test_each_named_input_has_an_onset_of_its_own() -> None:
    late, drums = LateOnsets(), heard(3, 0.05)
    first = late.begun(heard(1, 0.2, drums=drums))
    then = late.begun(heard(1, 0.23, drums=replace(drums, onset_age_s=0.08)))
    assert (first.onset_age_s, first.inputs["drums"].onset_age_s) == (0.0, 0.0)
    assert (then.onset_age_s, then.inputs["drums"].onset_age_s) == pytest.approx((0.03, 0.03))
