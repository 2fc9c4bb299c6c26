"""What an OSC flood leaves behind in memory, counted by the interpreter's own books."""

from __future__ import annotations

import gc
import random
import tracemalloc
from collections.abc import Iterator

import pytest

from benchmarks.osc_flood_traffic import KINDS
from benchmarks.osc_hostile import hostile
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.remotes.osc import OscServer
from engine.control.remotes.osc_inbox import Inbox
from engine.control.remotes.remote_access import RemoteAccess
from tests.engine.app.shows import InventedClock
from tests.engine.control.remotes.test_osc import Remote, message
from tests.engine.model.probe_model import CARD

DATAGRAMS, MOST_GROWN_BYTES = 3000, 64 << 10
LARGE_BYTES = 32 << 10


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.fixture
def inbox(store: ParameterStore, clock: InventedClock) -> Inbox:
    return Inbox(RemoteAccess(store, ["mirror"], [].append, clock), lambda: {"hops": 7}, clock)


def put_all(inbox: Inbox, store: ParameterStore, clock: InventedClock, seed: int) -> None:
    """Put hostile datagrams of many senders, no two of them alike, and one of each kind of flood between them."""
    rolled, names, kinds = random.Random(seed), list(store.parameters), list(KINDS.values())
    for number in range(DATAGRAMS):
        sender = (f"10.0.{rolled.randrange(256)}.{rolled.randrange(256)}", rolled.randrange(65536))
        inbox.put(hostile(rolled, names), sender)
        inbox.put(kinds[number % len(kinds)](rolled), sender)
        clock.time_s += 0.001
        if number % 10 == 0:
            inbox.apply()
            store.take_snapshot(number)
    inbox.apply()
    store.take_snapshot(DATAGRAMS)


def test_what_is_remembered_of_strangers_has_an_end(
    inbox: Inbox, store: ParameterStore, clock: InventedClock, traced: None
) -> None:
    held_bytes: list[int] = []
    for seed in range(4):
        put_all(inbox, store, clock, seed)
        gc.collect()
        held_bytes.append(tracemalloc.get_traced_memory()[0])
    assert held_bytes[-1] - held_bytes[0] < MOST_GROWN_BYTES


def test_a_flood_leaves_no_work_for_the_garbage_collector(
    inbox: Inbox, store: ParameterStore, clock: InventedClock
) -> None:
    """The step thread has to do it."""
    gc.collect()
    gc.disable()
    try:
        put_all(inbox, store, clock, 5)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_small_datagram_takes_little_memory_on_its_way(store: ParameterStore, traced: None) -> None:
    """A buffer of the largest size for each would leave holes in the thread's memory, which grow with a flood."""
    server = OscServer(RemoteAccess(store), "127.0.0.1", 0)
    server.start()
    remote = Remote(server.port)
    try:
        remote.tell(message("glow", 0.5))
        tracemalloc.reset_peak()
        before_bytes, _ = tracemalloc.get_traced_memory()
        for number in range(20):
            remote.socket.send(message("glow", number / 20))
        remote.socket.send(message("ping"))
        # Answered after what came before it.
        assert remote.socket.recv(64).startswith(b"/fluid/pong")
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        remote.socket.close()
        server.close()
    assert peak_bytes - before_bytes < LARGE_BYTES


def test_a_flood_of_triggers_is_counted_whole_and_set_once(store: ParameterStore, clock: InventedClock) -> None:
    counted: list[int] = []

    class Counting(ParameterStore):
        def set(self, name, given, *, clip=True, origin="", times=1):
            counted.append(times)
            return super().set(name, given, clip=clip, origin=origin, times=times)

    counting = Counting(parameters_for(CARD))
    inbox = Inbox(RemoteAccess(counting), dict, clock)
    for number in range(500):
        inbox.put(message("tap", *([number % 2] if number % 3 else [])), ("10.0.0.1", 9001))
    assert inbox.apply() == []
    presses = sum(1 for number in range(500) if number % 3 == 0 or number % 2)
    assert counted == [presses]
    assert counting.values()["tap"] == presses
