"""OS2L: messages cut out of a stream, the beat they give, and a real sender over TCP."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import TABLE
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.tempo.beat_messages_tempo import BeatMessagesTempo
from engine.control.tempo.os2l_messages import (
    LONGEST_MESSAGE,
    BeatMessage,
    ButtonMessage,
    CommandMessage,
    MessageReader,
)
from engine.control.tempo.os2l_server import MOST_SENDERS, Os2lServer
from engine.core.clock import WallClock

BEAT = b'{"evt":"beat","change":false,"pos":12,"bpm":126.5,"strength":0.5}'
BUTTON = b'{"evt":"btn","name":"scene } 3","page":"","state":"on"}'
COMMAND = b'{"evt":"cmd","id":3,"param":100.0}'


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_messages_are_cut_out_of_a_stream_wherever_it_is_divided(size: int) -> None:
    stream, reader = b"\n".join((BEAT, BUTTON)) + COMMAND + b" \0" + BEAT, MessageReader()
    messages = [one for at in range(0, len(stream), size) for one in reader.feed(stream[at : at + size])]
    beat = BeatMessage(126.5, 12, False)
    assert messages == [beat, ButtonMessage("scene } 3", True), CommandMessage(3, 100.0), beat]
    assert reader.refused == 0


@pytest.mark.parametrize(
    "noise",
    [
        b"{}GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"{" * 5000,
        b'{"evt":"' + b"x" * 5000 + b'"}',
        b'{"evt":"beat","bpm":NaN}',
        b'{"evt":"beat","bpm":1e999}',
        b'{"evt":"beat","bpm":true}',
        b'{"evt":"beat","bpm":4}',
        b'{"evt":"btn","name":3,"state":"on"}',
        b'{"evt":"btn","name":"x","state":[]}',
        b'{"evt":"cmd","id":1.5,"param":1}',
        b'{"evt":"cmd","id":99999999999999999999,"param":1}',
        b'{"evt":{}}',
        b'{"evt":"party"}',
        b"{\xff\xfe}",
    ],
)
def test_what_is_no_message_is_counted_and_the_next_one_is_read(noise: bytes) -> None:
    reader = MessageReader()
    assert reader.feed(noise) == []
    assert reader.refused >= 1
    assert reader.feed(b"\n" + BEAT + BEAT)[-1] == BeatMessage(126.5, 12, False)


def test_a_request_of_a_web_page_presses_no_button() -> None:
    reader = MessageReader()
    body = b'{"evt":"btn","name":"scene 3","state":"on"}'
    assert reader.feed(b"POST / HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n" + body) == []
    assert reader.is_foreign
    assert reader.feed(body) == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=200), st.sampled_from([BEAT, BUTTON, COMMAND])), max_size=20))
def test_no_stream_breaks_the_reader(parts: list[bytes]) -> None:
    reader = MessageReader()
    reader.feed(BEAT)
    for part in parts:
        reader.feed(part)
    reader.feed(b'"' + b"}" * LONGEST_MESSAGE)
    reader.feed(b"x" * LONGEST_MESSAGE)
    assert reader.feed(BEAT)


def test_late_messages_move_the_beat_little() -> None:
    tempo, noise = BeatMessagesTempo(), random.Random(2)
    for number in range(64):
        tempo.add(BeatMessage(120.0, number, False), 10.0 + 0.5 * number + noise.uniform(0.0, 0.01))
    position = tempo.position(42.0)
    assert position
    assert position.bpm == 120.0
    assert position.is_bar_known
    # Messages are late by 5 ms on average.
    assert position.beats_at(42.0) == pytest.approx(64.0 - 0.01, abs=0.01)


def test_a_change_is_taken_over_at_once_and_silence_ends_it() -> None:
    tempo = BeatMessagesTempo()
    tempo.add(BeatMessage(120.0, 4, False), 1.0)
    tempo.add(BeatMessage(90.0, 32, True), 1.3)
    position = tempo.position(1.3)
    assert position
    assert (position.beats, position.bpm) == (32.0, 90.0)
    assert tempo.position(2.9)
    assert tempo.position(3.1) is None


def test_beats_without_a_number_are_counted() -> None:
    tempo = BeatMessagesTempo()
    for number in range(5):
        tempo.add(BeatMessage(120.0, None, False), 1.0 + 0.5 * number)
    position = tempo.position(3.0)
    assert position
    assert not position.is_bar_known
    assert position.beats == pytest.approx(4.0)


class Served:
    """A server with its store."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.store = ParameterStore(TABLE)
        self.tempo = BeatMessagesTempo()
        access = RemoteAccess(self.store, ("glow", "freeze"), self.told.append)
        self.server = Os2lServer(access, self.tempo, "127.0.0.1", 0, WallClock())
        self.server.start()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server.port), 5.0)

    def events(self) -> list[tuple[str, int]]:
        return [(event.name, event.number) for event in self.store.take_snapshot(0).events]


def until(condition: Callable[[], bool]) -> bool:
    clock = WallClock()
    end_s = clock.now_s() + 5.0
    while not condition() and clock.now_s() < end_s:
        clock.sleep(0.01)
    return condition()


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.server.close()


def test_a_sender_leads_the_beat_and_its_buttons_set_parameters(served: Served) -> None:
    with served.connect() as sender:
        for name in ("scene 3", "17", "Tap", "blackout"):
            sender.sendall(json.dumps({"evt": "btn", "name": name, "page": "", "state": "on"}).encode())
        sender.sendall(COMMAND.replace(b"3", b"5") + COMMAND.replace(b"100.0", b"0") + BEAT)
        assert until(lambda: served.server.counts.beats == 1)
    assert served.server.counts.commands == 5
    assert served.events() == [("scene", 3), ("scene", 17), ("tap", 0), ("scene", 5)]
    assert served.store.values()["blackout"] is True
    assert served.tempo.position(WallClock().now_s())


def test_what_cannot_be_applied_is_told_once_and_locks_hold(served: Served) -> None:
    with served.connect() as sender:
        for name in ("party", "party", "freeze", "brightness", "scene 999"):
            sender.sendall(json.dumps({"evt": "btn", "name": name, "state": "on"}).encode())
        assert until(lambda: served.server.counts.refused == 5)
    assert served.store.values()["freeze"] is False
    assert sum("'party'" in line for line in served.told) == 1
    assert any("'brightness' is neither a scene" in line for line in served.told)
    assert any("takes a whole number from 1 to 128, not 999" in line for line in served.told)


def test_a_flood_is_disconnected_and_of_too_many_one_goes(served: Served) -> None:
    with served.connect() as sender:
        sender.sendall(BEAT)

        def is_dropped() -> bool:
            try:
                sender.sendall(b"x" * 4096)
            except OSError:
                return True
            return False

        assert until(is_dropped)
    before = served.server.counts.dropped_senders
    senders = [served.connect() for _ in range(MOST_SENDERS + 1)]
    assert until(lambda: served.server.counts.dropped_senders == before + 1)
    for sender in senders:
        sender.close()
    with served.connect() as sender:
        assert until(lambda: _beats(served, sender))


def _beats(served: Served, sender: socket.socket) -> bool:
    try:
        sender.sendall(BEAT)
    except OSError:
        return False
    return served.server.counts.beats > 0


def test_a_fader_recalls_its_scene_when_it_rises_and_not_on_its_way(served: Served) -> None:
    def command(param: int) -> bytes:
        return json.dumps({"evt": "cmd", "id": 4, "param": param}).encode()

    with served.connect() as sender:
        sender.sendall(b"".join(map(command, (10, 40, 100, 60, 0, 30))) + BEAT)
        assert until(lambda: served.server.counts.beats == 1)
    assert served.events() == [("scene", 4), ("scene", 4)]


def test_the_sender_that_is_silent_longest_makes_room(served: Served) -> None:
    with ExitStack() as connected:
        senders = [connected.enter_context(served.connect()) for _ in range(MOST_SENDERS + 1)]
        senders[-1].sendall(BEAT)
        assert until(lambda: served.server.counts.beats == 1)
        senders[0].settimeout(5.0)
        assert senders[0].recv(1) == b""
