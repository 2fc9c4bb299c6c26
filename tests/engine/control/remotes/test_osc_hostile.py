"""Thousands of random hostile datagrams, by a fixed seed: patterns, all types, locks, mutated bytes."""

from __future__ import annotations

import random

import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from benchmarks.osc_hostile import hostile
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.remotes.osc_inbox import FOREIGN_TOLD, UNKNOWN_TOLD, Answer, Inbox
from engine.control.remotes.remote_access import RECORDINGS_AT_ONCE, SCENES_AT_ONCE, RemoteAccess
from tests.engine.app.shows import InventedClock
from tests.engine.model.probe_model import CARD

LOCKED = ("flash_guard", "scene", "tap", "gain")
LOCKED_WITH_SCENE = ("next_scene", "playlist")
DATAGRAMS = 6000
SENDERS = [("10.0.0.1", 9001), ("10.0.0.2", 9001), ("::1", 9001, 0, 0), None]


def sent(answer: Answer) -> OscMessage:
    """Return an answer as its receiver reads it."""
    builder = OscMessageBuilder(address=answer[0])
    for value in answer[1]:
        builder.add_arg(value)
    return OscMessage(builder.build().dgram)


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_comes_locked_parameters_stay_and_the_others_keep_their_ranges(seed: int) -> None:
    rolled, clock, lines = random.Random(seed), InventedClock(), list[str]()
    store = ParameterStore(parameters_for(CARD), notify=lines.append)
    begun, names = dict(store.values()), [*store.parameters, "hit_zoom", "ping", "stats", "error"]
    inbox = Inbox(RemoteAccess(store, LOCKED, lines.append, clock), lambda: {"hops": 7}, clock)
    answers, changed, saved, recordings = 0, set[str](), 0, 0
    for number in range(DATAGRAMS):
        inbox.put(hostile(rolled, names), rolled.choice(SENDERS))
        was_recording = store.values()["record"]
        if number % 3 == 0:
            for _, answer in inbox.apply():
                message = sent(answer)
                assert message.address.startswith("/fluid/")
                assert all("\x1b" not in value for value in message.params if isinstance(value, str))
                answers += 1
            recordings += store.values()["record"] and not was_recording
            saved += sum(event.name == "save_scene" for event in store.take_snapshot(number).events)
        clock.time_s += 0.001
        changed |= {name for name, value in store.values().items() if value != begun[name]}
    for name in (*LOCKED, *LOCKED_WITH_SCENE):
        assert store.values().get(name) == begun.get(name)
    for name, parameter in store.parameters.items():
        if parameter.is_number and parameter.kind != "event":
            assert parameter.low <= store.values()[name] <= parameter.high
        elif parameter.kind == "bool":
            assert isinstance(store.values()[name], bool)
    # Nearly all others were set, so the datagrams are no mere noise.
    assert len(changed) > 0.9 * (len(begun) - len(LOCKED))
    counts = inbox.counts
    assert DATAGRAMS / 4 < counts.refused < counts.received
    assert 0 < answers < counts.received
    assert saved <= SCENES_AT_ONCE + 0.001 * DATAGRAMS
    assert recordings <= RECORDINGS_AT_ONCE + 1
    assert len(lines) <= UNKNOWN_TOLD + FOREIGN_TOLD + len((*LOCKED, *LOCKED_WITH_SCENE)) + 1
    assert not any("\x1b" in line or "\n" in line for line in lines)
