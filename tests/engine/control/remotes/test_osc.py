"""OSC over real UDP: what is understood, what is refused, and that nothing ends the server."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.remotes.osc import OscServer
from engine.core.errors import ConfigError
from tests.engine.model.probe_model import CARD

ANSWER_WITHIN_S = 10.0


def message(name: str, *values: object) -> bytes:
    builder = OscMessageBuilder(address="/fluid/" + name)
    for value in values:
        builder.add_arg(value)
    return builder.build().dgram


class Remote:
    """A box of faders on the network."""

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
def server() -> Iterator[OscServer]:
    server = OscServer(ParameterStore(parameters_for(CARD)), "127.0.0.1", 0, lambda: {"hops": 7, "age_p50_ms": 12.5})
    server.start()
    yield server
    server.close()
    server.close()


@pytest.fixture
def remote(server: OscServer) -> Iterator[Remote]:
    remote = Remote(server.port)
    yield remote
    remote.socket.close()


def values(server: OscServer) -> dict[str, object]:
    return dict(server._store.values())


def test_parameters_are_set(server, remote):
    for name, value in (("gain_db", 6.0), ("gain", 2), ("freeze", True), ("mirror", 1.0), ("seed", 5.0), ("reset", 1)):
        remote.tell(message(name, value))
    remote.tell(message("reset"))
    given = {"gain_db": 6.0, "gain": 2.0, "freeze": True, "mirror": True, "seed": 5, "reset": 2}
    untouched = {
        parameter.name: parameter.default
        for parameter in server._store.parameters.values()
        if parameter.kind != "event"
    }
    assert values(server) == {**untouched, **given}
    assert server.refused == server.clipped == 0


def test_a_bundle_of_tomorrow_is_obeyed_now(server, remote):
    inner = message("gain_db", 3.0)
    remote.tell(b"#bundle\0" + struct.pack(">II", 0xFFFFFF00, 0) + struct.pack(">i", len(inner)) + inner)
    assert values(server)["gain_db"] == 3.0


def test_out_of_range_is_clipped_and_told(server, remote):
    to, said = remote.ask(message("gain_db", 99.0))
    assert to == "/fluid/error"
    assert said == ["gain_db takes a number from -60 to 40 dB; it is now 40."]
    assert (values(server)["gain_db"], server.clipped, server.refused) == (40.0, 1, 0)


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
    ],
)
def test_garbage_is_answered_and_changes_nothing(server, remote, datagram, capfd):
    before = values(server)
    to, said = remote.ask(datagram)
    assert to == "/fluid/error"
    assert isinstance(said[0], str)
    assert server.refused == 1
    assert values(server) == before
    assert remote.ask(message("ping")) == ("/fluid/pong", [])
    assert capfd.readouterr().err == ""


def test_bundles_nested_too_deep_are_refused(server, remote, capfd):
    datagram = message("gain_db", 1.0)
    while len(datagram) < 60_000:
        datagram = b"#bundle\0" + b"\0" * 7 + b"\1" + struct.pack(">i", len(datagram)) + datagram
    assert remote.ask(datagram)[0] == "/fluid/error"
    assert remote.ask(message("ping")) == ("/fluid/pong", [])
    assert capfd.readouterr().err == ""


def test_an_error_is_not_answered_with_an_error(server, remote):
    remote.socket.send(message("error", "you are wrong"))
    assert remote.ask(message("ping")) == ("/fluid/pong", [])
    assert server.refused == 0


def test_a_port_in_use_is_one_sentence(server):
    with pytest.raises(ConfigError, match=f"port {server.port}: Address already in use; choose another"):
        OscServer(ParameterStore(()), "127.0.0.1", server.port)


def test_an_unknown_host_is_one_sentence():
    with pytest.raises(ConfigError, match="--osc-host"):
        OscServer(ParameterStore(()), "256.0.0.1", 0)
