"""What becomes of many messages at once, and who is answered how often, by an invented clock."""

from __future__ import annotations

import struct

import pytest

from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.remotes.osc_inbox import FOREIGN_ANSWERS_AT_ONCE, Inbox
from engine.control.remotes.osc_limits import (
    ANSWERS_AT_ONCE,
    MOST_SENDERS,
    SENDER_ANSWERS_A_SECOND,
    SENDER_ANSWERS_AT_ONCE,
    AnswerLimits,
)
from engine.control.remotes.remote_access import RemoteAccess
from engine.core.token_bucket import Bucket
from tests.engine.app.shows import InventedClock
from tests.engine.control.remotes.test_osc import message
from tests.engine.model.probe_model import CARD

CONTROLLER, OTHER = ("10.0.0.1", 9001), ("10.0.0.2", 9000)


@pytest.fixture
def inbox(store: ParameterStore, clock: InventedClock) -> Inbox:
    return Inbox(RemoteAccess(store), lambda: {"hops": 7}, clock)


def test_the_last_valid_value_counts(store, inbox):
    for value in (1.0, 99.0, 3.0, float("nan"), "loud"):
        inbox.put(message("gain_db", value), CONTROLLER)
    inbox.put(message("gain_db"), CONTROLLER)
    answers = inbox.apply()
    assert store.values()["gain_db"] == 3.0
    assert (inbox.counts.received, inbox.counts.refused, inbox.counts.clipped) == (6, 2, 0)
    assert answers[-1] == (CONTROLLER, ("/fluid/gain_db", (3.0,)))


def test_things_that_happen_are_all_given_in_order(store, inbox):
    for number in (3, 5, 3, 3, 8):
        inbox.put(message("scene", number), CONTROLLER)
        inbox.put(message("gain_db", float(number)), CONTROLLER)
        inbox.put(message("reset"), CONTROLLER)
    assert inbox.apply() == []
    assert [event.number for event in store.take_snapshot(0).events if event.name == "scene"] == [3, 5, 3, 3, 8]
    assert store.values()["reset"] == 5


class Noted(ParameterStore):
    """Records the order in which values reach it."""

    def __init__(self, parameters):
        super().__init__(parameters)
        self.names = []

    def set(self, name, given, *, clip=True, origin="", times=1):
        self.names.append(name)
        return super().set(name, given, clip=clip, origin=origin, times=times)


def test_parameters_are_set_in_the_order_of_their_last_values(clock):
    store = Noted(parameters_for(CARD))
    inbox = Inbox(RemoteAccess(store), dict, clock)
    for name in ("gain_db", "zoom", "tap", "glow", "gain_db", "zoom", "trail"):
        inbox.put(message(name, 1.0), CONTROLLER)
    inbox.apply()
    assert store.names == ["tap", "glow", "gain_db", "zoom", "trail"]


def test_bad_elements_of_a_bundle_are_counted_and_the_good_ones_applied(store, inbox):
    elements = [
        message("gain_db", 3.0),
        b"garbage!",
        b"",
        message("zoom", "near"),
        b"/other/thing\0\0\0\0",
        message("brightness", 0.5),
    ]
    bundle = b"#bundle\0" + bytes(8) + b"".join(struct.pack(">i", len(e)) + e for e in elements) + b"\xff\xff\xff\xfc"
    inbox.put(bundle, CONTROLLER)
    sentences = [values[0] for _, (to, values) in inbox.apply() if to == "/fluid/error"]
    assert (store.values()["gain_db"], store.values()["brightness"]) == (3.0, 0.5)
    assert (inbox.counts.received, inbox.counts.refused, inbox.counts.foreign) == (7, 5, 1)
    assert len(sentences) == 5


def test_a_sender_is_answered_so_often_and_again_after_a_while(inbox, clock):
    for _ in range(1000):
        inbox.put(message("ping"), CONTROLLER)
    assert len(inbox.apply()) == SENDER_ANSWERS_AT_ONCE
    assert inbox.counts.unanswered == 1000 - SENDER_ANSWERS_AT_ONCE
    inbox.put(message("ping"), OTHER)
    assert inbox.apply() == [(OTHER, ("/fluid/pong", ()))]
    clock.time_s += 1.0
    for _ in range(1000):
        inbox.put(message("gain_bd", 1.0), CONTROLLER)
    assert len(inbox.apply()) == SENDER_ANSWERS_A_SECOND
    assert inbox.counts.refused == 1000


def test_many_senders_together_are_answered_so_often(inbox):
    for number in range(3000):
        inbox.put(message("stats"), ("10.0.0.1", number))
    assert len(inbox.apply()) == ANSWERS_AT_ONCE


def test_senders_are_forgotten_but_not_the_limit_of_all():
    limits = AnswerLimits()
    allowed = [limits.allow(("10.0.0.1", number), 0.0) for number in range(10 * MOST_SENDERS)]
    assert sum(allowed) == ANSWERS_AT_ONCE


def test_a_bucket_fills_up_to_its_brim():
    bucket = Bucket(2.0, 3.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(0.6), bucket.take(0.6)] == [True, False]
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]


def test_addresses_of_other_programs_are_counted_and_rarely_answered(inbox, clock):
    for number in range(500):
        inbox.put(b"/elsewhere/%03d\0,f\0\0" % number, CONTROLLER)
    assert len(inbox.apply()) == FOREIGN_ANSWERS_AT_ONCE
    assert (inbox.counts.foreign, inbox.counts.refused) == (500, 500)
    clock.time_s += 60.0
    inbox.put(b"/gain_db\0\0\0\0,f\0\0" + struct.pack(">f", 1.0), CONTROLLER)
    assert inbox.apply() == [
        (CONTROLLER, ("/fluid/error", ("There is no address /gain_db. Did you mean '/fluid/gain_db'?",)))
    ]


def test_names_are_suggested_a_few_times_a_second_and_remembered(inbox, clock):
    for number in range(50):
        inbox.put(message(f"gain_d{number}", 1.0), CONTROLLER)
    suggested = ["Did you mean '/fluid/gain_db'" in values[0] for _, (_, values) in inbox.apply()]
    assert suggested == [True] * 10 + [False] * 40
    inbox.put(message("gain_d0", 1.0), CONTROLLER)
    assert "Did you mean" in inbox.apply()[0][1][1][0]
    clock.time_s += 1.0
    inbox.put(message("gain_d49", 1.0), CONTROLLER)
    assert "Did you mean" in inbox.apply()[0][1][1][0]


@pytest.mark.parametrize(
    ("first", "rounds"),
    [
        (message("stats"), 1),
        (message("ping"), 1),
        (message("gain_db"), 1),
        (message("gain_db", 99.0), 1),
        (message("gain_bd", 1.0), 1),
        (b"garbage", 1),
        (message("stats", 1), 0),
        (message("pong", 1), 0),
        (message("error", "x"), 0),
        (message("gain_db", 1.0), 0),
        (message("out/level", 0.5), 0),
        (message("out/nothing"), 0),
    ],
)
def test_two_shows_that_take_each_other_for_remotes_fall_silent(clock, first, rounds):
    shows = [Inbox(RemoteAccess(ParameterStore(parameters_for(CARD))), lambda: {"hops": 7}, clock) for _ in range(2)]
    datagrams, exchanged = [first], 0
    for number in range(4):
        for datagram in datagrams:
            shows[number % 2].put(datagram, OTHER)
        answers = shows[number % 2].apply()
        datagrams = [message(to.removeprefix("/fluid/"), *values) for _, (to, values) in answers]
        exchanged += bool(datagrams)
    assert exchanged == rounds


def test_somebody_who_is_not_to_be_answered_is_obeyed(store, inbox):
    for datagram in (message("ping"), message("gain_db", 99.0), message("gain_bd"), b"garbage"):
        inbox.put(datagram, None)
    assert inbox.apply() == []
    assert store.values()["gain_db"] == 40.0


def test_a_flood_of_taps_takes_the_place_of_no_scene(store, inbox):
    inbox.put(message("scene", 3), CONTROLLER)
    for _ in range(500):
        inbox.put(message("tap"), OTHER)
    inbox.put(message("scene", 5), CONTROLLER)
    for _ in range(500):
        inbox.put(message("tap"), OTHER)
    assert inbox.apply() == []
    assert [event.number for event in store.take_snapshot(0).events if event.name == "scene"] == [3, 5]
    assert store.values()["tap"] == 1000
