"""The minutes are kept on invented clocks: alone, on a busy machine, and where the clip took all the time."""

from dataclasses import dataclass, replace

import pytest

from training.autopilot.time_budget import (
    ALONE,
    ENDING_S,
    EVALUATION_S,
    EXTENTS,
    LEAST_SHARE,
    SYNCHRONY_FRAME_S,
    Clocks,
    Limits,
    TimeBudget,
    ending_s,
    evaluation_extent,
    frame_seconds,
    process_age_s,
    share_since,
)


@dataclass
class InventedClocks:
    """A process that gets `share` of a processor for each thread."""

    share: float = 1.0
    wall_s: float = 100.0
    worked_s: float = 7.0

    def read(self) -> Clocks:
        return Clocks(self.wall_s, self.worked_s)

    def pass_s(self, seconds: float) -> None:
        self.wall_s += seconds
        self.worked_s += self.share / ALONE * seconds


def budget_of(clocks: InventedClocks, **settings: float) -> TimeBudget:
    """Return ten minutes from now on, of which one is kept; `settings` replace limits."""
    limits = Limits(
        ends_at_s=clocks.wall_s + 600.0,
        least_training_s=150.0,
        reserve_s=60.0,
        test_s=4.0,
        frame_s=0.01,
        share=clocks.share,
    )
    return TimeBudget(replace(limits, **settings), clocks.read)


def trained_until_s(budget: TimeBudget, clocks: InventedClocks) -> float:
    while budget.training_left_s() > 0.0:
        clocks.pass_s(1.0)
    return clocks.wall_s


def test_alone_the_reserve_is_kept() -> None:
    clocks = InventedClocks()
    assert trained_until_s(budget_of(clocks), clocks) == pytest.approx(100.0 + 540.0, abs=1.0)


@pytest.mark.parametrize("share", [0.5, 0.2, 0.1])
def test_on_a_busy_machine_the_ending_gets_the_time_that_it_takes(share: float) -> None:
    clocks = InventedClocks(share)
    until_s = trained_until_s(budget_of(clocks), clocks)
    assert until_s + max(4.0 + ENDING_S / share, 60.0) == pytest.approx(700.0, abs=1.0)


def test_a_machine_that_becomes_busy_stops_earlier() -> None:
    clocks = InventedClocks()
    budget = budget_of(clocks)
    clocks.pass_s(100.0)
    clocks.share = 0.1
    until_s = trained_until_s(budget, clocks)
    assert 700.0 - until_s > 70.0


def test_training_gets_its_share_even_where_reading_the_clip_took_it_all() -> None:
    clocks = InventedClocks()
    budget = budget_of(clocks, ends_at_s=50.0)
    # The networks are built first.
    clocks.pass_s(20.0)
    assert trained_until_s(budget, clocks) == pytest.approx(120.0 + 150.0, abs=1.0)


def test_the_evaluation_shrinks_with_the_time_that_is_left() -> None:
    frame_s = 0.01
    needed_s = [
        EVALUATION_S + SYNCHRONY_FRAME_S * extent.synchrony_frames + 2.0 * extent.frames * frame_s for extent in EXTENTS
    ]
    assert needed_s == sorted(needed_s, reverse=True)
    for extent, smaller, needed in zip(EXTENTS, [*EXTENTS[1:], None], needed_s, strict=True):
        assert evaluation_extent(needed + 0.1, frame_s, 1.0) == extent
        assert evaluation_extent(needed - 0.1, frame_s, 1.0) == smaller
    assert evaluation_extent(needed_s[-1] + 0.1, frame_s, 0.3) is None
    clocks = InventedClocks()
    budget = budget_of(clocks)
    assert budget.evaluation() == EXTENTS[0]
    clocks.pass_s(599.0)
    assert budget.evaluation() is None


def test_a_machine_that_was_busy_may_be_so_again() -> None:
    clocks = InventedClocks(share=0.2)
    budget = budget_of(clocks)
    for _ in range(10):
        budget.training_left_s()
        clocks.pass_s(10.0)
    clocks.share = 1.0
    for _ in range(10):
        budget.training_left_s()
        clocks.pass_s(10.0)
    assert 0.5 < budget.share < 0.65


def test_a_process_has_an_age() -> None:
    """That of pytest, which has read libraries, in seconds of a day at most."""
    assert 0.1 < process_age_s() < 86400.0


def test_shares_and_frames() -> None:
    assert share_since(Clocks(5.0, 1.0), Clocks(5.0, 1.0)) == 1.0
    assert share_since(Clocks(0.0, 0.0), Clocks(10.0, 20.0)) == 1.0
    assert share_since(Clocks(0.0, 0.0), Clocks(10.0, 2.0)) == pytest.approx(0.2 * ALONE)
    assert share_since(Clocks(0.0, 0.0), Clocks(10.0, 0.0)) == LEAST_SHARE
    # Two threads on two processors beside six others: each waits for three quarters of its time, whatever both get together.
    assert share_since(Clocks(0.0, 1.0, 1.0), Clocks(10.0, 3.5, 8.5)) == 0.25
    # One that waits for the disk or a graphics card wants no processor.
    assert share_since(Clocks(0.0, 1.0, 1.0), Clocks(10.0, 1.5, 1.0)) == 1.0
    assert share_since(Clocks(0.0, 1.0, 1.0), Clocks(10.0, 1.0, 1.0)) == 1.0
    assert share_since(Clocks(0.0, 1.0, 1.0), Clocks(10.0, 1.0, 9.0)) == LEAST_SHARE
    assert frame_seconds(0.24, 12) == pytest.approx(0.01)
    assert ending_s(3.0, 0.5) == pytest.approx(3.0 + 2 * ENDING_S)
