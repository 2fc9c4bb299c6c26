"""The parameters that a session applies around the step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.core.errors import BackendError
from engine.model.backend import Backend, LazyState, WrappedBackend
from engine.model.backends.onnx_cpu import open_model
from engine.model.session import Session, apply_gain
from engine.model.step import Step, StepInputs
from tests.engine.model.probe_model import CARD

LOUD = np.full(CARD.window_samples, 0.25, np.float32)


@pytest.fixture
def session(probe_file: Path) -> Session:
    return Session(open_model(probe_file, threads=1), seed=3)


def memory(session: Session, **controls: float | int | bool) -> float:
    """Take a step and return the state of the model, as its features report it."""
    return float(session.step(LOUD, controls, 0).features_F[1])


def test_the_state_is_carried(session: Session) -> None:
    assert [memory(session) for _ in range(3)] == pytest.approx([0.25, 0.375, 0.4375])


def test_the_cards_controls_reach_the_model(session: Session) -> None:
    assert memory(session, gain=2.0, unknown_to_the_card=5.0) == pytest.approx(0.5)


def test_gain_is_in_decibels_and_stays_in_range() -> None:
    assert apply_gain(LOUD, 6.0206)[0] == pytest.approx(0.5)
    assert apply_gain(LOUD, 60.0).max() == 1.0
    faulty = np.array([np.nan, np.inf, -np.inf, 0.5], np.float32)
    assert apply_gain(faulty, 0.0).tolist() == [0.0, 0.0, 0.0, 0.5]
    assert np.isnan(faulty[0])


def test_sound_that_is_not_finite_is_silence(session: Session) -> None:
    session.step(np.full(CARD.window_samples, np.nan, np.float32), {}, 0)
    assert memory(session) == pytest.approx(0.25)


def test_freeze_holds_frame_and_state(session: Session) -> None:
    before = session.step(LOUD, {}, 0)
    for index in range(1, 4):
        held = session.step(np.ones_like(LOUD), {"freeze": True}, index)
        assert np.array_equal(held.pixels_HWC, before.pixels_HWC)
    assert memory(session) == pytest.approx(0.375)


def test_frozen_from_the_start_there_is_a_frame(session: Session) -> None:
    assert session.step(LOUD, {"freeze": True}, 0).pixels_HWC.any()


def test_each_reset_returns_to_the_initial_state_once(session: Session) -> None:
    assert memory(session, reset=0) == pytest.approx(0.25)
    assert memory(session, reset=1) == pytest.approx(0.25)
    assert memory(session, reset=1) == pytest.approx(0.375)
    assert memory(session, reset=2, freeze=True) == pytest.approx(0.25)


def test_the_seed_decides_the_noise(session: Session, probe_file: Path) -> None:
    same = Session(open_model(probe_file, threads=1), seed=99)
    ours, theirs = session.step(LOUD, {}, 5).pixels_HWC, same.step(LOUD, {"seed": 3}, 5).pixels_HWC
    assert np.array_equal(ours, theirs)
    assert not np.array_equal(ours, same.step(LOUD, {"reset": 1}, 5).pixels_HWC)


def test_an_early_step_shows_the_hop_and_changes_nothing(session: Session, probe_file: Path) -> None:
    untouched = Session(open_model(probe_file, threads=1), seed=3)
    assert session.early(LOUD, {}, 0) is None
    for index in range(4):
        early = session.early(LOUD, {}, index)
        late, plain = session.step(LOUD, {}, index), untouched.step(LOUD, {}, index)
        assert np.array_equal(late.pixels_HWC, plain.pixels_HWC)
        assert early is None or np.array_equal(early.pixels_HWC, late.pixels_HWC)
        assert (early is None) == (index == 0)
    assert session.early(LOUD, {"freeze": True}, 4) is None


class FailingBackend(WrappedBackend):
    """A real backend whose steps fail, or give a state that is not finite, when told to."""

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner)
        self.fails = False
        self.diverges = False
        self.loses = False

    def step(self, inputs: StepInputs) -> Step:
        if self.fails:
            raise BackendError("the step failed.")
        step = self.inner.step(inputs)
        if self.loses:
            return step._replace(next_state=LostState())
        if self.diverges:
            return step._replace(next_state={"memory": np.array([np.nan], np.float32)})
        return step


@pytest.fixture
def failing(probe_file: Path) -> FailingBackend:
    return FailingBackend(open_model(probe_file, threads=1))


def test_a_failed_step_keeps_the_state_and_the_last_frame(failing: FailingBackend) -> None:
    session = Session(failing)
    assert not session.held({}).pixels_HWC.any()
    good = session.step(LOUD, {}, 0)
    failing.fails = True
    with pytest.raises(BackendError):
        session.step(LOUD, {}, 1)
    assert np.array_equal(session.held({}).pixels_HWC, good.pixels_HWC)
    failing.fails = False
    assert memory(session) == pytest.approx(0.375)


def test_a_state_that_is_not_finite_is_replaced_by_the_initial_one(failing: FailingBackend) -> None:
    session = Session(failing)
    memory(session)
    failing.diverges = True
    with pytest.raises(BackendError, match="'memory' is no longer finite"):
        session.step(LOUD, {}, 1)
    failing.diverges = False
    assert memory(session) == pytest.approx(0.25)


def test_the_first_frame_after_a_state_that_was_not_finite_follows_from_none(failing: FailingBackend) -> None:
    session = Session(failing)
    session.step(LOUD, {}, 0)
    failing.diverges = True
    with pytest.raises(BackendError):
        session.step(LOUD, {}, 1)
    failing.diverges = False
    assert [session.step(LOUD, {}, k).follows for k in (2, 3)] == [False, True]


class LostState(LazyState):
    """A state on a device that is gone."""

    on_device = True

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        raise RuntimeError("the device was lost")

    def __iter__(self) -> Iterator[str]:
        return iter(["memory"])

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize("early", [False, True])
def test_a_state_that_was_lost_with_its_device_is_left(failing: FailingBackend, early: bool) -> None:
    session = Session(failing)
    session.step(LOUD, {}, 0)
    failing.loses = True
    session.step(LOUD, {}, 1)
    failing.loses, failing.fails = False, True
    with pytest.raises(BackendError):
        (session.early if early else session.step)(LOUD, {}, 2)
    failing.fails = False
    assert not session.step(LOUD, {}, 3).follows, "it does not go on from the frame before"
    assert memory(session) == pytest.approx(0.375)
