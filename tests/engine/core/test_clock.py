"""Time: the wall clock, and pacing with invented times."""

from engine.core.clock import WallClock
from engine.core.notices import Notices
from engine.render.pacing import Pick, is_over, pick_hop

HOP = 800


def test_the_wall_clock_never_goes_back() -> None:
    clock = WallClock()
    times_s = [clock.now_s() for _ in range(100)]
    clock.sleep(0.001)
    assert times_s == sorted(times_s)
    assert clock.now_s() > times_s[-1]


def test_a_hop_waits_for_its_last_sample() -> None:
    assert pick_hop(HOP - 1, HOP, -1, live=True) is None
    assert pick_hop(HOP, HOP, -1, live=True) == Pick(0, 0)
    assert pick_hop(2 * HOP - 1, HOP, 0, live=True) is None
    assert pick_hop(2 * HOP, HOP, 0, live=True) == Pick(1, 0)


def test_live_overload_takes_the_newest_hop_and_counts_the_rest() -> None:
    assert pick_hop(5 * HOP + 3, HOP, 0, live=True) == Pick(4, 3)


def test_offline_takes_every_hop() -> None:
    assert pick_hop(5 * HOP, HOP, 0, live=False) == Pick(1, 0)


def test_a_slow_model_never_falls_behind() -> None:
    """Each step takes 2.6 hops; the age of the sound stays below one hop, for ever."""
    hop_s, step_s, now_s, last, skipped = 0.05, 0.13, 0.0, -1, 0
    for _ in range(1000):
        received_samples = int(now_s / hop_s * HOP + 1e-6)
        pick = pick_hop(received_samples, HOP, last, live=True)
        if pick is None:
            now_s += 0.001
            continue
        assert now_s - (pick.index + 1) * hop_s < hop_s + 0.002
        last, skipped, now_s = pick.index, skipped + pick.skipped_hops, now_s + step_s
    assert skipped > 1000


def test_seconds_end_the_show_at_a_hop() -> None:
    assert not is_over(19, 0.05, 1.0)
    assert is_over(20, 0.05, 1.0)
    assert not is_over(10**9, 0.05, None)


def test_notices_of_one_kind_are_counted_rather_than_repeated() -> None:
    lines: list[str] = []
    notices = Notices(lines.append, interval_s=10.0)
    for tenth in range(250):
        notices.tell_sparsely("overload", "{count} hops", tenth / 10)
    assert lines == ["1 hops", "100 hops", "100 hops"]
    notices.tell("at once")
    assert lines[-1] == "at once"
