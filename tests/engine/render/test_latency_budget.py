"""The budget that a show prints: every term, and sums that belong to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.app.report import start_report
from engine.audio.sources.registry import open_source
from engine.model.backends.selection import open_backend
from engine.render.latency_budget import WARM_UP_STEPS, budget_of, measure_budget, measure_steps_s
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
        "hop": (0.025, 0.05),
        "look-ahead": (0.0, 0.0),
        "step": (0.009, 0.030),
        "display": (0.01, 0.02),
    }
    assert budget.typical_s() == pytest.approx(0.0475)
    assert budget.worst_s() == pytest.approx(0.110)
    # What hits do waits neither for the hop nor for the step.
    assert budget.typical_s(hits=True) == pytest.approx(0.0135)
    assert budget.worst_s(hits=True) == pytest.approx(0.030)
    first, second = budget.lines()
    assert "capture 2.5 + resampler 1.0 + hop 25 + step 9.0 + display 10 = 48 ms typical, 110 ms at worst" in first
    assert "14 ms typical, 30 ms at worst" in second


def test_a_driver_that_does_not_know_its_buffer_is_taken_to_hold_a_block() -> None:
    budget = budget_of(CARD, block_s=0.004, buffer_s=0.0, resampler_s=0.0, steps_s=[])
    assert budget.terms[0].worst_s == pytest.approx(0.005)


def test_the_step_is_measured_on_the_backend_that_plays(probe_file: Path) -> None:
    backend, clock = open_backend(str(probe_file), "onnx-cpu"), InventedClock()
    assert measure_steps_s(backend, clock) == [0.0] * WARM_UP_STEPS
    budget = measure_budget(backend, open_source("demo", live=True), clock, display_hz=0.0)
    assert [term.name for term in budget.terms if term.worst_s] == ["capture", "resampler", "hop", "display"]


def test_a_live_show_announces_its_budget_and_a_rendering_none(probe_file: Path) -> None:
    backend = open_backend(str(probe_file), "onnx-cpu")
    live = "\n".join(start_report(backend, [], open_source("demo", live=True), ["window"], "off"))
    assert "ms at worst" in live
    assert "--calibrate" in live
    assert "ms at worst" not in "\n".join(start_report(backend, [], open_source("demo", live=False), ["a.mp4"], "off"))
