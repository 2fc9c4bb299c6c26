"""Time tags of bundles, by an invented clock and an invented wall time."""

from __future__ import annotations

import struct

import pytest

from engine.control.remotes.osc_inbox import Inbox
from engine.control.remotes.osc_schedule import MOST_AHEAD_S, MOST_SCHEDULED, MOST_SCHEDULED_BYTES, Schedule, ahead_s
from engine.control.remotes.remote_access import RemoteAccess
from engine.core.errors import ConfigError
from tests.engine.control.remotes.test_osc import message

CONTROLLER = ("10.0.0.1", 9001)
UNIX_S = 1_800_000_000.0


def tag(ahead: float) -> bytes:
    return struct.pack(">Q", round((UNIX_S + 2_208_988_800 + ahead) * 2**32))


def bundle(head: bytes, *elements: bytes) -> bytes:
    return b"#bundle\0" + head + b"".join(struct.pack(">i", len(element)) + element for element in elements)


@pytest.fixture
def inbox(store, clock) -> Inbox:
    return Inbox(RemoteAccess(store), dict, clock, unix_s=lambda: UNIX_S)


@pytest.mark.parametrize("head", [bytes(7) + b"\1", bytes(8), tag(0.0), tag(-0.001), tag(-1e6)])
def test_a_bundle_for_now_or_for_the_past_is_applied_at_once(store, inbox, head):
    inbox.put(bundle(head, message("zoom", 2.0)), CONTROLLER)
    assert inbox.due_in_s() is None
    assert inbox.apply() == []
    assert store.values()["zoom"] == 2.0


def test_a_bundle_waits_for_its_time(store, inbox, clock):
    inbox.put(bundle(tag(1.5), message("zoom", 2.0), message("glow", 0.5)), CONTROLLER)
    inbox.put(bundle(tag(0.5), message("zoom", 3.0)), CONTROLLER)
    inbox.apply()
    assert store.values()["zoom"] == 1.0
    assert inbox.due_in_s() == pytest.approx(0.5, abs=1e-3)
    clock.time_s += 0.51
    inbox.apply()
    assert (store.values()["zoom"], store.values()["glow"]) == (3.0, 0.0)
    clock.time_s += 1.0
    inbox.apply()
    assert (store.values()["zoom"], store.values()["glow"]) == (2.0, 0.5)
    assert inbox.due_in_s() is None


def test_a_bundle_that_is_too_far_ahead_is_refused_once_and_counted_whole(store, inbox):
    inbox.put(bundle(tag(MOST_AHEAD_S + 0.1), message("zoom", 2.0), message("glow", 0.5)), CONTROLLER)
    ((receiver, (to, (said,))),) = inbox.apply()
    assert (receiver, to) == (CONTROLLER, "/fluid/error")
    assert str(said).startswith("This bundle is due in 2.1 s, and at most 2 s are waited for;")
    assert (inbox.counts.far_ahead, inbox.counts.refused) == (2, 2)
    assert store.values()["zoom"] == 1.0


def test_a_bundle_inside_another_is_due_no_earlier(store, inbox, clock):
    inner_now, inner_later = bundle(bytes(7) + b"\1", message("zoom", 2.0)), bundle(tag(1.5), message("glow", 0.5))
    inbox.put(bundle(tag(1.0), inner_now, inner_later, message("trail", 0.5)), CONTROLLER)
    clock.time_s += 0.9
    inbox.apply()
    assert (store.values()["zoom"], store.values()["trail"]) == (1.0, 0.0)
    clock.time_s += 0.2
    inbox.apply()
    assert [store.values()[name] for name in ("zoom", "trail", "glow")] == [2.0, 0.5, 0.0]
    clock.time_s += 0.5
    inbox.apply()
    assert store.values()["glow"] == 0.5


def test_what_was_wrong_is_answered_when_it_is_due(inbox, clock):
    inbox.put(bundle(tag(1.0), message("zoom", "near")), CONTROLLER)
    assert inbox.apply() == []
    clock.time_s += 1.01
    assert [to for _, (to, _) in inbox.apply()] == ["/fluid/error"]


def test_only_so_many_messages_wait(store, inbox, clock):
    for number in range(MOST_SCHEDULED + 50):
        inbox.put(bundle(tag(1.0), message("gain_db", float(number % 40))), None)
    assert inbox.counts.refused == 50
    clock.time_s += 1.01
    inbox.apply()
    assert store.values()["gain_db"] == float((MOST_SCHEDULED - 1) % 40)


def test_only_so_many_bytes_wait():
    schedule, put = Schedule(), MOST_SCHEDULED_BYTES // 60_000
    for _ in range(put):
        schedule.put(1.0, bytes(60_000), None)
    with pytest.raises(ConfigError, match="wait for their time"):
        schedule.put(1.0, bytes(60_000), None)
    assert len(schedule.take(2.0)) == put
    schedule.put(1.0, bytes(60_000), None)


def test_the_wait_is_what_the_wall_clocks_differ_by():
    assert ahead_s(int.from_bytes(tag(0.25), "big"), UNIX_S) == pytest.approx(0.25, abs=1e-3)
