"""OSC over real UDP: what is understood, what is refused, and that nothing ends the server."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.remotes.osc import OscServer
from engine.control.remotes.remote_access import RemoteAccess
from engine.core.errors import ConfigError
from tests.engine.model.probe_model import CARD

ANSWER_WITHIN_S = 10.0


def message(name: str, *values: object) -> bytes:
    builder = OscMessageBuilder(address="/fluid/" + name)
    for value in values:
        builder.add_arg(value)
    return builder.build().dgram


class Remote:
    """A controller on the network."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(ANSWER_WITHIN_S)
        self.socket.connect(("127.0.0.1", port))

    def ask(self, datagram: bytes) -> tuple[str, list[object]]:
        self.socket.send(datagram)
        answer = OscMessage(self.socket.recv(65536))
        return answer.address, list(answer.params)

    def tell(self, datagram: bytes) -> None:
        """Send and wait until it has been obeyed: the next answer comes after it."""
        self.socket.send(datagram)
        assert self.ask(message("ping")) == ("/fluid/pong", [])


@pytest.fixture
def store() -> ParameterStore:
    return ParameterStore(parameters_for(CARD))


@pytest.fixture
def server(store: ParameterStore) -> Iterator[OscServer]:
    server = OscServer(RemoteAccess(store), "127.0.0.1", 0, lambda: {"hops": 7, "age_p50_ms": 12.5})
    server.start()
    yield server
    server.close()
    server.close()


@pytest.fixture
def remote(server: OscServer) -> Iterator[Remote]:
    remote = Remote(server.port)
    yield remote
    remote.socket.close()


def test_parameters_are_set(store, server, remote):
    for name, value in (("gain_db", 6.0), ("gain", 2), ("freeze", True), ("mirror", 1.0), ("seed", 5.0), ("reset", 1)):
        remote.tell(message(name, value))
    remote.tell(message("reset"))
    given = {"gain_db": 6.0, "gain": 2.0, "freeze": True, "mirror": True, "seed": 5, "reset": 2}
    untouched = {
        parameter.name: parameter.default for parameter in store.parameters.values() if parameter.kind != "event"
    }
    assert store.values() == {**untouched, **given}
    assert server.counts.refused == server.counts.clipped == 0


def test_a_bundle_of_yesterday_is_obeyed_now_and_one_of_tomorrow_is_refused(store, server, remote):
    inner = message("gain_db", 3.0)
    element = struct.pack(">i", len(inner)) + inner
    remote.tell(b"#bundle\0" + struct.pack(">II", 3_000_000_000, 0) + element)
    assert store.values()["gain_db"] == 3.0
    to, said = remote.ask(b"#bundle\0" + struct.pack(">II", 0xFFFFFF00, 0) + element)
    assert to == "/fluid/error"
    assert "at most 2 s are waited for" in str(said[0])
    assert (server.counts.far_ahead, server.counts.refused) == (1, 1)


def test_out_of_range_is_clipped_and_told(store, server, remote):
    to, said = remote.ask(message("gain_db", 99.0))
    assert to == "/fluid/error"
    assert said == ["gain_db takes a number from -60 to 40 dB; it is now 40."]
    assert (store.values()["gain_db"], server.counts.clipped, server.counts.refused) == (40.0, 1, 0)


def test_questions_are_answered(remote):
    assert remote.ask(message("brightness")) == ("/fluid/brightness", [1.0])
    assert remote.ask(message("stats")) == ("/fluid/stats", ["hops", 7, "age_p50_ms", 12.5])


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(message("gain_db", float("nan")), id="nan"),
        pytest.param(message("gain_db", float("inf")), id="inf"),
        pytest.param(message("gain_db", "loud"), id="text"),
        pytest.param(message("gain_db", b"\0\1"), id="blob"),
        pytest.param(message("gain_db", True), id="bool"),
        pytest.param(message("gain_db", [1.0]), id="array"),
        pytest.param(message("gain_db", 1.0, 2.0), id="two"),
        pytest.param(message("seed", 0.5), id="fraction"),
        pytest.param(message("gain_bd", 1.0), id="unknown address"),
        pytest.param(b"/fluid/gain_db\0\0,z\0\0", id="unknown type"),
        pytest.param(b"/fluid/gain_db\0\0,f\0\0\x3f", id="cut float"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe\xfd\xfc" * 20, id="noise"),
        pytest.param(b"/\xff\xff\0,f\0\0\0\0\0\0", id="bad utf-8"),
        pytest.param(b"#bundle\0" + b"\0" * 7 + b"\1" + b"\x7f\xff\xff\xff", id="huge length"),
        pytest.param(b"#bundle\0\0\0\0\0\0\0\0\1\xff\xff\xff\xf0", id="negative length"),
        pytest.param(b"#bundle\0\0\0\0\0\0\0\0\1\xff\xff\xff\xfc", id="negative length that comes back to itself"),
        pytest.param(b"/fluid/gain_db\0\0," + 5000 * b"[" + b"\0\0\0", id="nested arrays"),
    ],
)
def test_garbage_is_answered_and_changes_nothing(store, server, remote, datagram, capfd):
    before = store.values()
    to, said = remote.ask(datagram)
    assert to == "/fluid/error"
    assert isinstance(said[0], str)
    assert server.counts.refused == 1
    assert store.values() == before
    assert remote.ask(message("ping")) == ("/fluid/pong", [])
    assert capfd.readouterr().err == ""


def test_bundles_nested_too_deep_are_refused(server, remote, capfd):
    datagram = message("gain_db", 1.0)
    while len(datagram) < 60_000:
        datagram = b"#bundle\0" + b"\0" * 7 + b"\1" + struct.pack(">i", len(datagram)) + datagram
    assert remote.ask(datagram)[0] == "/fluid/error"
    assert remote.ask(message("ping")) == ("/fluid/pong", [])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "said",
    [
        message("error", "you are wrong"),
        message("error"),
        message("pong"),
        message("stats", "hops", 7),
        message("stats", "hops", 7, "age_p50_ms", 12.5),
    ],
)
def test_an_answer_is_not_answered(server, remote, said):
    remote.socket.send(said)
    assert remote.ask(message("ping")) == ("/fluid/pong", [])
    assert server.counts.refused == 0


def test_a_port_in_use_is_one_sentence(server):
    with pytest.raises(ConfigError, match=rf"port {server.port}: Address already in use, \d+ is free; choose another"):
        OscServer(RemoteAccess(ParameterStore(())), "127.0.0.1", server.port)


def test_an_unknown_host_is_one_sentence():
    with pytest.raises(ConfigError, match="--osc-host"):
        OscServer(RemoteAccess(ParameterStore(())), "256.0.0.1", 0)


def test_a_thread_that_hangs_does_not_keep_the_server_from_closing(store):
    hangs, goes_on = threading.Event(), threading.Event()

    def hang() -> dict[str, float]:
        hangs.set()
        goes_on.wait()
        return {}

    server = OscServer(RemoteAccess(store), "127.0.0.1", 0, hang)
    server.start()
    remote = Remote(server.port)
    remote.socket.send(message("stats"))
    assert hangs.wait(ANSWER_WITHIN_S)
    server.close()
    goes_on.set()
    remote.socket.close()


def test_values_after_a_flood_are_those_sent_last(store, server, remote):
    # As many as fit into the smallest receive buffer.
    for number in range(200):
        remote.socket.send(message("gain_db", float(number % 37)))
        remote.socket.send(message("brightness", number / 100))
    remote.tell(message("gain_db", -3.0))
    remote.tell(message("brightness", 0.25))
    assert (store.values()["gain_db"], store.values()["brightness"]) == (-3.0, 0.25)


def test_a_server_never_answers_itself(server):
    assert server.answer(message("stats"), ("127.0.0.1", server.port)) == []
    assert server.answer(message("stats"), ("127.0.0.2", server.port)) != []


def test_a_server_bound_to_every_address_knows_its_own_addresses(store):
    server = OscServer(RemoteAccess(store), "0.0.0.0", 0)
    assert server.answer(message("ping"), ("127.0.0.3", server.port)) == []
    # An address for documents (RFC 5737): another machine's.
    assert server.answer(message("ping"), ("192.0.2.1", server.port)) != []
    server.close()


PLAUSIBLE = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda name, tags, rest: b"/fluid/" + name.encode() + b"\0" * (4 - (len(name) + 7) % 4) + b"," + tags + rest,
        st.sampled_from(["gain_db", "scene", "reset", "stats", "ping", "error", "nothing"]),
        st.binary(max_size=8),
        st.binary(max_size=40),
    ),
    st.lists(st.tuples(st.integers(-8, 40), st.binary(max_size=40)), max_size=6).map(
        lambda parts: b"#bundle\0" + bytes(8) + b"".join(struct.pack(">i", length) + part for length, part in parts)
    ),
)


@seed(1)
@settings(max_examples=400, deadline=None, database=None)
@given(datagram=PLAUSIBLE)
def test_whatever_comes_is_counted_and_answered_with_what_can_be_sent(datagram):
    server = OscServer(RemoteAccess(ParameterStore(parameters_for(CARD))), "127.0.0.1", 0)
    try:
        answers = server.answer(datagram)
        counts = server.counts
        assert 0 <= len(answers) <= counts.received
        assert counts.refused <= counts.received
        assert all(to.startswith("/fluid/") for to, _ in answers)
    finally:
        server.close()
