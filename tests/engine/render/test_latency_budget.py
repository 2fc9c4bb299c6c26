"""The latency budget that a show prints: its terms and their sums."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.app.report import start_report
from engine.audio.input_layout import UNNAMED
from engine.audio.resample import Resampler
from engine.audio.sources.inputs import OpenInputs
from engine.audio.sources.microphone import POLL_S
from engine.audio.sources.registry import open_source
from engine.audio.sources.samples import SampleSource
from engine.model.backend import Backend, WrappedBackend
from engine.model.backends.selection import open_backend
from engine.model.step import Step, StepInputs
from engine.render.latency_budget import WARM_UP_STEPS, budget_of, measure_budget, measure_steps_s, rate_lines
from tests.engine.app.shows import InventedClock
from tests.engine.model.probe_model import CARD


def test_the_sums_are_those_of_the_terms() -> None:
    budget = budget_of(
        CARD, block_s=0.004, buffer_s=0.008, resampler_s=0.001, steps_s=[0.009, 0.007, 0.030], display_hz=50.0
    )
    terms = {term.name: (term.typical_s, term.worst_s) for term in budget.terms}
    assert terms == {
        "capture": (pytest.approx(0.0025), pytest.approx(0.009)),
        "resampler": (0.001, 0.001),
        "frame interval": (0.025, 0.05),
        "look-ahead": (0.0, 0.0),
        "step": (0.009, 0.030),
        "display": (0.01, 0.02),
    }
    assert budget.typical_s() == pytest.approx(0.0475)
    assert budget.worst_s() == pytest.approx(0.110)
    # Effects of onsets wait neither for the hop nor for the step.
    assert budget.typical_s(onsets=True) == pytest.approx(0.0135)
    assert budget.worst_s(onsets=True) == pytest.approx(0.030)
    first, second = budget.lines()
    assert (
        "capture 2.5 + resampler 1.0 + frame interval 25 + step 9.0 + display 10 = 48 ms typical, 110 ms at worst"
        in first
    )
    assert "14 ms typical, 30 ms at worst" in second


@pytest.mark.parametrize(
    ("step_s", "trained_fps", "said"),
    [
        (0.044, 0.0, None),
        (0.090, 0.0, "about 10 steps a second are played and the others skipped; a smaller model or another --backend"),
        (0.090, 9.0, "about 10 steps a second are played and the others skipped; export it with --fps 10"),
        (0.090, 15.0, "a smaller model or another --backend helps"),
    ],
)
def test_a_rate_that_steps_cannot_hold_is_told_with_the_one_that_they_can(
    step_s: float, trained_fps: float, said: str | None
) -> None:
    lines = rate_lines(replace(CARD, trained_fps=trained_fps), step_s)
    assert len(lines) == (said is not None)
    for line in lines:
        assert "a step takes 90 ms here, and 20 a second leave 50 ms" in line
        assert said in line


def test_a_driver_of_unknown_buffer_holds_a_block() -> None:
    budget = budget_of(CARD, block_s=0.004, buffer_s=0.0, resampler_s=0.0, steps_s=[])
    assert budget.terms[0].worst_s == pytest.approx(0.005)


WARM_UP_S = 0.5
STEPS_S = (0.007, 0.009, 0.008, 0.030, 0.007, 0.008, 0.008, 0.009)


class TimedBackend(WrappedBackend):
    """A backend whose steps take invented times: one that warms up, then those of STEPS_S."""

    def __init__(self, inner: Backend, clock: InventedClock) -> None:
        super().__init__(inner)
        self._clock = clock
        self._durations_s = iter((WARM_UP_S, *STEPS_S))

    def step(self, inputs: StepInputs) -> Step:
        self._clock.sleep(next(self._durations_s))
        return super().step(inputs)


class DrivenSource(SampleSource):
    """A source with a driver that holds two blocks."""

    live, block_s, buffer_s = True, 0.004, 0.008


def test_the_steps_are_measured_on_the_backend_that_plays(probe_file: Path) -> None:
    clock = InventedClock()
    backend = TimedBackend(open_backend(str(probe_file), "onnx-cpu"), clock)
    assert measure_steps_s(backend, clock) == pytest.approx(STEPS_S)
    assert len(STEPS_S) == WARM_UP_STEPS


def test_the_measured_budget_is_the_sum_of_driver_resampler_hop_step_and_display(probe_file: Path) -> None:
    clock = InventedClock()
    backend = TimedBackend(open_backend(str(probe_file), "onnx-cpu"), clock)
    source = DrivenSource("driver", np.zeros((480, 1), np.float32), CARD.sample_rate_hz)
    budget = measure_budget(backend, source, clock, display_hz=50.0)
    terms = {term.name: (pytest.approx(term.typical_s), pytest.approx(term.worst_s)) for term in budget.terms}
    assert terms == {
        "capture": (0.0025, 0.009),
        "resampler": (0.0, 0.0),
        "frame interval": (0.025, 0.05),
        "look-ahead": (0.0, 0.0),
        "step": (0.008, 0.030),
        "display": (0.01, 0.02),
    }
    assert budget.typical_s() == pytest.approx(0.0025 + 0.025 + 0.008 + 0.01)
    assert budget.worst_s() == pytest.approx(0.009 + 0.05 + 0.030 + 0.02)


def test_without_a_driver_and_a_display_that_tells_its_rate_the_defaults_count(probe_file: Path) -> None:
    clock = InventedClock()
    backend = TimedBackend(open_backend(str(probe_file), "onnx-cpu"), clock)
    source = open_source("demo", live=True)
    budget = measure_budget(backend, source, clock, display_hz=0.0)
    terms = {term.name: term for term in budget.terms}
    assert terms["capture"].worst_s == pytest.approx(POLL_S)
    assert terms["resampler"].typical_s == Resampler(source.rate_hz, CARD.sample_rate_hz).delay_s > 0.0
    assert terms["display"].worst_s == pytest.approx(1.0 / 60.0)


def test_a_live_show_prints_its_budget_and_a_render_none(probe_file: Path) -> None:
    backend = open_backend(str(probe_file), "onnx-cpu")
    live = "\n".join(start_report(backend, [], OpenInputs(open_source("demo", live=True), UNNAMED), ["window"], []))
    assert "ms at worst" in live
    assert "--calibrate" in live
    assert "ms at worst" not in "\n".join(
        start_report(backend, [], OpenInputs(open_source("demo", live=False), UNNAMED), ["a.mp4"], [])
    )
