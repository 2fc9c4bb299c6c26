"""What a show tells of itself, when, and to whom."""

from __future__ import annotations

import re
import socket
from dataclasses import replace

import pytest
from pythonosc.osc_message import OscMessage

from engine.control.parameter_store import ParameterStore
from engine.control.remotes.osc import OscServer
from engine.control.remotes.osc_feedback import Feedback
from engine.control.remotes.osc_listeners import Listener, parse_listener
from engine.control.remotes.osc_out import OscOut
from engine.control.remotes.osc_telemetry import (
    LONGEST_TEXT,
    MOST_LINES_AT_ONCE,
    OUTGOING,
    WHOLE_EVERY_S,
    TelemetryFeed,
    lines_due,
)
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.telemetry import Telemetry
from engine.core.clock import WallClock
from engine.core.errors import ConfigError
from engine.core.notice_log import NoticeLog, ToldLine

SHOW = Telemetry(
    level=0.5, beats=9.25, tempo_bpm=120.0, fps=20.0, frame_age_ms=31.5, scene=3, scene_name="sea", model="water",
    inputs={"drums": 0.75, "a b/c#*": 0.5},
)  # fmt: skip


def read(datagrams: list[bytes]) -> dict[str, tuple[object, ...]]:
    messages = [OscMessage(datagram) for datagram in datagrams]
    return {message.address.removeprefix("/fluid/out/"): tuple(message.params) for message in messages}


def test_all_is_told_first_and_again_every_few_seconds():
    feed = TelemetryFeed(20.0)
    first = read(feed.due(0.0, SHOW))
    assert first["level"] == (0.5,)
    assert (first["beat_phase"], first["beat"], first["bar"], first["tempo"]) == ((0.25,), (2,), (3,), (120.0,))
    assert first["scene"] == (3, "sea")
    assert (first["recording"], first["model"], first["problem"]) == ((0,), ("water",), ("",))
    assert first["input/drums"] == (0.75,)
    assert first["input/a_b_c__"] == (0.5,)
    assert len(first) == len(OUTGOING) + 2
    assert feed.due(1.0, SHOW) == []
    assert read(feed.due(WHOLE_EVERY_S, SHOW)) == first


def test_a_sync_meter_that_says_nothing_is_no_value_from_0_to_1():
    told = read(TelemetryFeed(20.0).due(0.0, replace(SHOW, sync_undefined="no onsets")))
    assert (told["sync"], told["sync_floor"], told["sync_undefined"]) == ((-1.0,), (-1.0,), ("no onsets",))
    told = read(TelemetryFeed(20.0).due(0.0, replace(SHOW, sync=0.5, sync_floor=0.0)))
    assert (told["sync"], told["sync_floor"], told["sync_undefined"]) == ((0.5,), (0.0,), ("",))


def test_only_what_changed_is_told_and_only_so_often():
    feed = TelemetryFeed(20.0)
    feed.due(0.0, SHOW)
    louder = replace(SHOW, level=0.75, inputs={"drums": 1.0})
    assert feed.due(0.04, louder) == []
    assert read(feed.due(0.05, louder)) == {"level": (0.75,), "input/drums": (1.0,)}


@pytest.mark.parametrize("rate_hz", [1.0, 20.0, 60.0])
def test_the_rate_is_kept_although_the_thread_looks_at_other_moments(rate_hz):
    feed = TelemetryFeed(rate_hz)
    told = sum(bool(feed.due(0.01 * look, replace(SHOW, level=look / 1000))) for look in range(1000))
    assert told == pytest.approx(10.0 * rate_hz, abs=1)


def test_after_a_pause_nothing_is_caught_up_on():
    feed = TelemetryFeed(20.0)
    feed.due(0.0, SHOW)
    feed.due(3.0, replace(SHOW, level=0.1))
    assert feed.due(3.01, replace(SHOW, level=0.2)) == []


def test_an_onset_is_told_at_once_and_those_before_the_start_are_not():
    feed = TelemetryFeed(1.0)
    before = replace(SHOW, onsets=5)
    assert "onset" not in read(feed.due(0.0, before))
    assert read(feed.due(0.01, replace(before, onsets=6, onset_strength=0.5))) == {"onset": (0.5,)}
    assert feed.due(0.02, replace(before, onsets=6)) == []


def test_values_have_the_types_that_the_table_says():
    for outgoing in OUTGOING:
        values = read(TelemetryFeed(1.0).due(0.0, SHOW))[outgoing.address.removeprefix("/fluid/out/")]
        assert [{float: "f", int: "i", str: "s"}[type(value)] for value in values] == list(outgoing.types)


def test_lines_are_told_as_far_as_anybody_reads_them():
    lines = [ToldLine(number, 0.0, f"{number} " + 1000 * "x") for number in range(100)]
    texts = [OscMessage(datagram).params[0] for datagram in lines_due(lines)]
    assert len(texts) == MOST_LINES_AT_ONCE
    assert texts[-1].startswith("99 ")
    assert len(texts[-1]) == LONGEST_TEXT


def test_texts_that_osc_cannot_carry_are_escaped():
    strange = replace(SHOW, scene_name="a\0b", model="\udcff.onnx", problem="zwölf")
    told = read(TelemetryFeed(1.0).due(0.0, strange))
    assert told["scene"] == (3, r"a\x00b")
    assert told["problem"] == ("zwölf",)
    assert str(told["model"][0]).endswith(".onnx")
    assert OscMessage(lines_due([ToldLine(1, 0.0, "lost \udcff\0")])[0]).params[0].startswith("lost ")


@pytest.mark.parametrize(
    ("given", "host", "port"),
    [("10.0.0.7:9001", "10.0.0.7", 9001), ("[fd00::7]:9001", "fd00::7", 9001), ("tablet.local:1", "tablet.local", 1)],
)
def test_a_listener_is_a_host_and_a_port(given, host, port):
    assert parse_listener(given) == (host, port)


@pytest.mark.parametrize(
    "given", ["", "10.0.0.7", "9001", ":9001", "10.0.0.7:0", "10.0.0.7:65536", "fd00::7:9001", "a b:1", "x:1:2"]
)
def test_what_is_no_listener_is_one_sentence(given):
    with pytest.raises(ConfigError, match=r"^osc_out names .*; a host and a port were expected"):
        parse_listener(given)


class Heard:
    """A listener's socket."""

    def __init__(self, family: socket.AddressFamily = socket.AF_INET) -> None:
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        self.socket.settimeout(10.0)
        self.address = parse_listener(
            f"{'127.0.0.1' if family == socket.AF_INET else '[::1]'}:{self.socket.getsockname()[1]}"
        )

    def hear(self, *addresses: str) -> None:
        """Return once each of these has come."""
        missing = set(addresses)
        while missing:
            missing.discard(OscMessage(self.socket.recv(65536)).address)


def test_listeners_are_told_of_show_lines_and_parameters(store):
    one, other = Heard(), Heard()
    clock, lines = WallClock(), list[str]()
    log = NoticeLog(lines.append, clock)
    feedback = Feedback(RemoteAccess(store), clock)
    out = OscOut(
        [Listener(heard.address, log.tell) for heard in (one, other)], lambda: SHOW, log, feedback, clock, 20.0
    )
    out.start()
    for heard in (one, other):
        heard.hear("/fluid/out/level", "/fluid/zoom", "/fluid/seed")
    log.tell("Something failed. The show goes on.")
    store.set("zoom", 2.0, origin="midi")
    for heard in (one, other):
        heard.hear("/fluid/out/notice", "/fluid/zoom")
    out.close()
    out.close()


def test_a_listener_that_is_gone_costs_one_line_and_the_others_nothing(store):
    gone, there = Heard(), Heard()
    gone.socket.close()
    clock, lines = WallClock(), list[str]()
    log = NoticeLog(lines.append, clock)
    listeners = [Listener(heard.address, log.tell) for heard in (gone, there)]
    out = OscOut(
        listeners,
        lambda: replace(SHOW, level=clock.now_s() % 1),
        log,
        Feedback(RemoteAccess(store), clock),
        clock,
        60.0,
    )
    out.start()
    for _ in range(20):
        there.hear("/fluid/out/level")
    out.close()
    assert len(lines) == 1
    assert re.fullmatch(
        r"OSC for 127\.0\.0\.1 port \d+ does not arrive \(nothing listens there\)\. The show goes on and keeps sending; this is told once\.",
        lines[0],
    )


def test_a_name_that_nobody_knows_costs_one_line():
    clock, lines = WallClock(), list[str]()
    listener = Listener(parse_listener("no-such-host.invalid:9001"), lines.append)
    until_s = clock.now_s() + 10.0
    while not lines and clock.now_s() < until_s:
        clock.sleep(0.01)
    assert len(lines) == 1
    assert lines[0].startswith("OSC for no-such-host.invalid port 9001 does not arrive (")
    assert listener.follower is None
    listener.close()


def test_the_shows_own_port_is_no_listener(store: ParameterStore):
    server = OscServer(RemoteAccess(store), "127.0.0.1", 0)
    with pytest.raises(ConfigError, match="where this show itself listens to OSC; name another port"):
        Listener(parse_listener(f"127.0.0.1:{server.port}"), print, server)
    server.close()
