"""Spans of samples are placed by their time stamps: gaps, overlaps, jitter, clocks that run off."""

import itertools

import numpy as np
import pytest

from engine.media.timeline import Placement, Span, Timeline

RATE_HZ, SAMPLES = 48000, 1024
RUN_S = SAMPLES / RATE_HZ


def placed(times_s: list[float | None]) -> tuple[Timeline, list[Placement]]:
    timeline = Timeline()
    placements = [timeline.put(Span(time_s, SAMPLES, RATE_HZ)) for time_s in times_s]
    return timeline, [*itertools.chain(*placements), *timeline.finish()]


def ends_s(placements: list[Placement]) -> np.ndarray:
    """Return where each span ends."""
    return np.cumsum([p.silence - p.left_out + p.stretch + SAMPLES for p in placements]) / RATE_HZ


def test_runs_without_a_gap_stay_as_they_are() -> None:
    _, placements = placed([7.0 + number * RUN_S for number in range(50)])
    assert placements == [Placement()] * 50


def test_runs_without_time_stamps_follow_each_other() -> None:
    assert placed([None] * 20)[1] == [Placement()] * 20


@pytest.mark.parametrize("missing", [1, 3, 200])
def test_a_gap_becomes_silence_of_its_length(missing: int) -> None:
    numbers = [*range(20), *range(20 + missing, 60 + missing)]
    timeline, placements = placed([number * RUN_S for number in numbers])
    assert [p.silence for p in placements if p.silence] == [missing * SAMPLES]
    assert placements[20].silence
    (gap,) = timeline.gaps
    assert (gap.time_s, gap.seconds) == pytest.approx((20 * RUN_S, missing * RUN_S))


def test_gaps_close_to_each_other_are_each_in_their_place() -> None:
    numbers = [*range(20), *range(22, 25), *range(27, 60)]
    _, placements = placed([number * RUN_S for number in numbers])
    assert [index for index, p in enumerate(placements) if p.silence == 2 * SAMPLES] == [20, 23]


def test_an_overlap_is_left_out() -> None:
    times_s = [*(number * RUN_S for number in range(20)), *((number - 2) * RUN_S for number in range(20, 50))]
    _, placements = placed(times_s)
    assert sum(p.left_out for p in placements) == 2 * SAMPLES
    assert ends_s(placements)[-1] == pytest.approx(48 * RUN_S)


def test_jitter_is_not_followed() -> None:
    jitter = np.random.default_rng(0).uniform(-0.003, 0.003, 400)
    _, placements = placed([0.0, *(number * RUN_S + jitter[number] for number in range(1, 400))])
    assert not any(p.silence or p.left_out for p in placements)
    assert abs(ends_s(placements) - np.arange(1, 401) * RUN_S).max() < 0.003


@pytest.mark.parametrize("speed", [0.995, 1.005])
def test_a_clock_that_runs_off_is_followed_within_a_millisecond(speed: float) -> None:
    timeline, placements = placed([number * RUN_S * speed for number in range(1000)])
    assert not any(p.silence or p.left_out for p in placements)
    assert abs(ends_s(placements) - np.arange(1, 1001) * RUN_S * speed).max() < 0.001
    assert timeline.stretched_s == pytest.approx(1000 * RUN_S * (speed - 1), abs=0.002)


def test_a_clock_that_no_device_has_is_ignored() -> None:
    timeline, placements = placed([number * RUN_S * 1.2 for number in range(500)])
    assert timeline.wrong_clock
    assert ends_s(placements)[-1] == pytest.approx(500 * RUN_S, rel=0.02)
