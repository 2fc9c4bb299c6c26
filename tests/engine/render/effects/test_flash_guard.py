"""The flash guard against the definition of WCAG 2.3.1: no harmful flash gets through, and harmless frames stay as they are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.render.effects.flash_guard import FlashGuard
from tests.engine.render.effects.flash_definition import worst

SIDE = 48
BLACK, WHITE = np.zeros(3), np.full(3, 255.0)
RED, BLUE, CYAN, GREY = np.array([255.0, 0, 0]), np.array([0, 0, 255.0]), np.array([0, 255.0, 255.0]), np.full(3, 128.0)
COLOURS = st.sampled_from([BLACK, WHITE, RED, BLUE, CYAN, GREY, np.array([255.0, 90, 0]), np.array([120.0, 0, 0])])


def plain(colour, side=SIDE):
    return np.broadcast_to(np.rint(colour).astype(np.uint8), (side, side, 3)).copy()


def alternating(a, b, changes_hz, fps, seconds):
    """Return two frames in turn, with their times."""
    times = np.arange(round(seconds * fps)) / fps
    return [(a, b)[int(time * changes_hz + 1e-6) % 2].copy() for time in times], times


def guarded(frames, times, guard=None, **settings):
    guard = guard or FlashGuard()
    return [guard.apply(pixels_HWC, time, **settings) for pixels_HWC, time in zip(frames, times, strict=True)]


def unchanged(frames, shown):
    return all(a is b for a, b in zip(frames, shown, strict=True))


@st.composite
def shows(draw):
    """Strobes, jumping and moving shapes, noise, swelling light and cuts over each other, at any rate, with uneven times."""
    fps, count = draw(st.sampled_from([10, 20, 30])), 36
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    times = np.arange(count) / fps + random.uniform(0.0, draw(st.sampled_from([0.0, 0.4])) / fps, count)
    frames = np.zeros((count, SIDE, SIDE, 3)) + draw(COLOURS)
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["strobe", "moving", "noise", "swell", "random cuts"]))
        height, width = draw(st.sampled_from([(48, 48), (24, 48), (48, 24), (8, 8), (9, 9), (16, 48)]))
        colour, hold = draw(COLOURS), draw(st.integers(1, 6))
        for index in range(count):
            top, left = (0, 0) if kind != "moving" else ((7 * index) % (49 - height), (5 * index) % (49 - width))
            part = frames[index, top : top + height, left : left + width]
            if kind in ("strobe", "moving") and (index // hold) % 2:
                part[:] = colour
            elif kind == "noise":
                part[:] = random.integers(0, 256, (6, 6, 3)).repeat(8, 0).repeat(8, 1)[:height, :width]
            elif kind == "swell":
                part[:] += (colour - part) * (0.5 - 0.5 * np.cos(2.0 * np.pi * index / (2.5 * hold)))
            elif kind == "random cuts" and random.random() < 0.5:
                part[:] = colour
    return list(np.rint(frames).astype(np.uint8)), times


@settings(max_examples=15, deadline=None)
@given(shows())
def test_no_harmful_flash_gets_through(show) -> None:
    frames, times = show
    shown = guarded(frames, times)
    assert not worst(shown, times).harmful
    # One change more may have been under way when a second began.
    if worst(frames, times).changes <= 5:
        assert unchanged(frames, shown)


@pytest.mark.parametrize("fps", [10, 25, 60])
@pytest.mark.parametrize(
    ("a", "b"), [(BLACK, WHITE), (RED, BLUE), (BLACK, RED), (GREY, WHITE)], ids=["white", "red-blue", "red", "grey"]
)
def test_strobes_are_softened_at_every_rate(fps: int, a, b) -> None:
    frames, times = alternating(plain(a), plain(b), 10, fps, 1.2)
    assert worst(frames, times).harmful
    assert not worst(guarded(frames, times), times).harmful


def test_a_strobe_is_softened_at_the_rate_of_fast_displays() -> None:
    frames, times = alternating(plain(BLACK), plain(RED), 10, 120, 1.2)
    assert not worst(guarded(frames, times), times).harmful


def test_a_long_strobe_ends_between_its_two_levels() -> None:
    frames, times = alternating(plain(BLACK), plain(WHITE), 20, 60, 6.0)
    shown = np.array([pixels_HWC.mean() for pixels_HWC in guarded(frames, times)[-60:]])
    assert shown.min() > 80
    assert shown.max() < 180
    assert np.ptp(shown) < 15


@pytest.mark.parametrize("side", [16, 47, 100, 128, 200])
def test_frames_of_any_size_are_guarded(side: int) -> None:
    frames, times = alternating(plain(BLACK, side), plain(WHITE, side), 20, 20, 1.5)
    assert not worst(guarded(frames, times), times).harmful


def test_the_size_may_change_during_a_strobe() -> None:
    frames, times = alternating(plain(BLACK), plain(WHITE), 20, 20, 2.0)
    frames = [pixels_HWC if n < 17 else pixels_HWC.repeat(2, 0).repeat(2, 1) for n, pixels_HWC in enumerate(frames)]
    shown = guarded(frames, times)
    assert [pixels_HWC.shape for pixels_HWC in shown] == [pixels_HWC.shape for pixels_HWC in frames]
    assert not worst(shown, times).harmful


@pytest.mark.parametrize("fps", [10, 30, 60])
def test_three_flashes_a_second_pass(fps: int) -> None:
    frames, times = alternating(plain(BLACK), plain(WHITE), 6 if fps > 10 else 5, fps, 3.0)
    assert unchanged(frames, guarded(frames, times))


@pytest.mark.parametrize(
    ("a", "b"),
    [(np.full(3, 128.0), np.full(3, 146.0)), (np.full(3, 232.0), np.full(3, 255.0)), (BLUE, BLACK)],
    ids=["by less than a tenth", "both light", "dark blue"],
)
def test_harmless_changes_pass_at_any_speed(a, b) -> None:
    frames, times = alternating(plain(a), plain(b), 20, 40, 2.0)
    assert unchanged(frames, guarded(frames, times))


def test_a_quarter_of_a_field_may_flash_and_no_more() -> None:
    def corner(side):
        pixels_HWC = plain(BLACK)
        pixels_HWC[:side, :side] = 255
        return pixels_HWC

    small, times = alternating(plain(BLACK), corner(8), 20, 20, 2.0)
    large, _ = alternating(plain(BLACK), corner(9), 20, 20, 2.0)
    assert unchanged(small, guarded(small, times))
    assert not unchanged(large, guarded(large, times))
    assert not worst(guarded(large, times), times).harmful


def test_only_cells_that_flash_are_softened() -> None:
    frames, times = alternating(plain(GREY), plain(GREY), 20, 20, 2.0)
    for n, pixels_HWC in enumerate(frames):
        pixels_HWC[:16, :16] = 255 * (n % 2)
        pixels_HWC[30:, 30:] = n
    shown = guarded(frames, times)
    assert not unchanged(frames, shown)
    assert all(np.array_equal(a[24:, 24:], b[24:, 24:]) for a, b in zip(frames, shown, strict=True))


def test_flashes_that_move_are_counted_together() -> None:
    frames = [plain(BLACK) for _ in range(20)]
    for n in range(6):
        frames[3 * n + 1][:, (0, 24)[n % 2] : (24, 48)[n % 2]] = 255
    times = np.arange(20) / 20
    assert worst(frames, times).harmful
    assert not worst(guarded(frames, times), times).harmful


def test_after_the_flashes_frames_are_unchanged_again() -> None:
    frames, times = alternating(plain(BLACK), plain(WHITE), 20, 20, 2.0)
    still = [plain(GREY + n) for n in range(60)]
    shown = guarded(frames + still, [*times, *(2.0 + np.arange(60) / 20)])
    assert unchanged(still[-20:], shown[-20:])


def test_switched_off_it_measures_and_changes_nothing() -> None:
    guard = FlashGuard()
    frames, times = alternating(plain(BLACK), plain(WHITE), 20, 60, 2.0)
    assert unchanged(frames, guarded(frames, times, guard, guarded=False))
    assert guard.meter.general_flashes_a_second == 10
    assert guard.meter.softened == 0
    frames, times = alternating(plain(RED), plain(BLUE), 12, 60, 2.0)
    guarded(frames, times + 2.0, guard, guarded=False)
    assert guard.meter.red_flashes_a_second == 6


def test_the_meter_counts_the_frames_shown() -> None:
    guard = FlashGuard()
    assert guard.meter == (0.0, 0.0, 0)
    frames, times = alternating(plain(BLACK), plain(WHITE), 20, 60, 1.0)
    shown = guarded(frames, times, guard)
    softened = sum(a is not b for a, b in zip(frames, shown, strict=True))
    assert guard.meter.general_flashes_a_second == 3
    assert guard.meter.softened == softened > 0


def test_switched_on_in_a_strobe_it_softens_within_a_second() -> None:
    guard = FlashGuard()
    frames, times = alternating(plain(BLACK), plain(WHITE), 20, 60, 2.0)
    guarded(frames, times, guard, guarded=False)
    shown = guarded(frames, times + 2.0, guard)
    assert not worst(shown, times).harmful


def test_a_blackout_is_black_at_once_even_in_a_strobe() -> None:
    guard = FlashGuard()
    frames, times = alternating(plain(BLACK), plain(WHITE), 20, 20, 2.0)
    guarded(frames, times, guard)
    assert guard.apply(plain(BLACK), 2.0, blackout=True).max() == 0


def test_blackouts_played_as_a_strobe_stay_harmless() -> None:
    guard, shown, times = FlashGuard(), [], np.arange(75) / 30
    for n, time in enumerate(times):
        black = (n // 2) % 2 == 1
        shown.append(guard.apply(plain(BLACK if black else WHITE), time, blackout=black))
        assert not black or shown[-1].max() == 0
    assert not worst(shown, times).harmful


def test_times_that_stand_still_or_go_back_let_no_flash_through() -> None:
    guard = FlashGuard()
    shown = [guard.apply(plain((BLACK, WHITE)[n % 2]), (1.0, 0.5)[n % 2]) for n in range(600)]
    assert sum(np.ptp([a.mean(), b.mean()]) > 90 for a, b in itertools.pairwise(shown)) <= 6


def test_the_same_show_is_guarded_the_same_again() -> None:
    frames, times = alternating(plain(BLACK), plain(RED), 15, 30, 2.0)
    assert all(np.array_equal(a, b) for a, b in zip(guarded(frames, times), guarded(frames, times), strict=True))
