"""OSC over TCP to a real server, with python-osc's own client as the independent peer."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from pythonosc import slip
from pythonosc.osc_message import OscMessage
from pythonosc.tcp_client import SimpleTCPClient

from engine.control.parameter_store import ParameterStore
from engine.control.remotes.osc import OscServer
from engine.control.remotes.osc_senders import TCP, AllowedSenders
from engine.control.remotes.osc_tcp import MOST_CONNECTIONS
from engine.control.remotes.remote_access import RemoteAccess
from engine.core.clock import WallClock
from engine.core.errors import ConfigError
from tests.engine.control.remotes.test_osc import message

WITHIN_S = 10.0


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def server(store: ParameterStore, lines: list[str]) -> Iterator[OscServer]:
    server = OscServer(RemoteAccess(store, notify=lines.append), "127.0.0.1", 0, lambda: {"hops": 7})
    server.listen_to_tcp(0)
    server.start()
    yield server
    server.close()


class Connected:
    """A controller that is connected by TCP and puts the length before each message."""

    def __init__(self, server: OscServer) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.tcp_port or 0), WITHIN_S)

    def send(self, datagram: bytes) -> None:
        self.socket.sendall(struct.pack(">i", len(datagram)) + datagram)

    def receive(self) -> tuple[str, list[object]]:
        length = int.from_bytes(self._exactly(4), "big")
        answer = OscMessage(self._exactly(length))
        return answer.address, list(answer.params)

    def ask(self, datagram: bytes) -> tuple[str, list[object]]:
        self.send(datagram)
        return self.receive()

    def ends(self) -> bool:
        """Read to the end; whether there is one."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionError:
            pass
        except TimeoutError:
            return False
        return True

    def _exactly(self, length: int) -> bytes:
        content = b""
        while len(content) < length:
            piece = self.socket.recv(length - len(content))
            assert piece, "the connection has ended"
            content += piece
        return content


@pytest.mark.parametrize("mode", ["1.0", "1.1"])
def test_another_librarys_client_sets_and_asks(store, server, mode):
    client = SimpleTCPClient("127.0.0.1", server.tcp_port or 0, mode=mode)
    client.send_message("/fluid/zoom", 2.5)
    client.send_message("/fluid/zoom", [])
    answer = next(client.get_messages(WITHIN_S))
    assert (answer.address, answer.params) == ("/fluid/zoom", [2.5])
    assert store.values()["zoom"] == 2.5
    client.close()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("zoom", 2, 2.0), ("freeze", True, True), ("freeze", 1.0, True), ("seed", 5.0, 5), ("gain_db", 99.0, 40.0)],
)
def test_types_are_those_of_udp(store, server, name, value, expected):
    connected = Connected(server)
    connected.send(message(name, value))
    while connected.ask(message("ping")) != ("/fluid/pong", []):
        pass
    assert store.values()[name] == expected


def test_a_numeric_text_is_one_sentence(server):
    to, said = Connected(server).ask(message("zoom", "2.0"))
    assert to == "/fluid/error"
    assert "not the text '2.0'; send a number" in str(said[0])


@pytest.mark.parametrize("stream", [b"GET / HTTP/1.1\r\n\r\n", b"\0\xff\xff\xff", b"\xff"])
def test_what_is_no_osc_is_told_and_hung_up_on(server, stream, capfd):
    connected = Connected(server)
    connected.socket.sendall(stream)
    assert connected.ends()
    assert server.counts.refused == 1
    assert Connected(server).ask(message("ping")) == ("/fluid/pong", [])
    assert capfd.readouterr().err == ""


def test_the_sentence_reaches_one_who_speaks_something_else(server):
    connected = Connected(server)
    connected.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
    answer = b""
    while piece := connected.socket.recv(65536):
        answer += piece
    assert b"This is no OSC over TCP" in slip.decode(answer)


def test_a_connection_too_many_takes_the_place_of_the_one_silent_longest(server):
    connections = [Connected(server) for _ in range(MOST_CONNECTIONS)]
    for connected in connections[::-1]:
        assert connected.ask(message("ping")) == ("/fluid/pong", [])
    one_more = Connected(server)
    assert one_more.ask(message("ping")) == ("/fluid/pong", [])
    assert connections[-1].ends()
    assert connections[0].ask(message("ping")) == ("/fluid/pong", [])


def test_strangers_are_hung_up_on_counted_and_told(store, lines):
    server = OscServer(RemoteAccess(store, notify=lines.append), "127.0.0.1", 0, allowed=AllowedSenders(["10.0.0.0/8"]))
    server.listen_to_tcp(0)
    server.start()
    assert Connected(server).ends()
    assert server.counts.strangers == 1
    assert lines == ["OSC of 127.0.0.1 is not read, since osc_allow does not name it. This is told once."]
    server.close()


def test_a_taken_port_is_one_sentence_and_releases_the_other(store, server):
    another = OscServer(RemoteAccess(store), "127.0.0.1", 0)
    with pytest.raises(
        ConfigError, match=r"Cannot listen to OSC over TCP on 127\.0\.0\.1 port \d+: Address already in use"
    ):
        another.listen_to_tcp(server.tcp_port or 0)
    OscServer(RemoteAccess(store), "127.0.0.1", another.port).close()


def test_a_subscriber_over_tcp_is_told_on_its_connection_and_not_of_its_own(store, server):
    connected = Connected(server)
    connected.send(message("subscribe"))
    told: dict[str, list[object]] = {}
    while len(told) < sum(not parameter.happens for parameter in store.parameters.values()):
        to, values = connected.receive()
        told[to] = values
    assert told["/fluid/zoom"] == [1.0]
    assert told["/fluid/flash_guard"] == [1]
    connected.send(message("zoom", 3.0))
    assert connected.ask(message("ping")) == ("/fluid/pong", [])
    store.set("glow", 0.5, origin="midi")
    assert connected.receive() == ("/fluid/glow", [0.5])


def test_one_who_does_not_read_is_hung_up_on_and_holds_nobody_up(store, server):
    stalled, other = Connected(server), Connected(server)
    assert stalled.ask(message("ping")) == ("/fluid/pong", [])
    sender = ("127.0.0.1", stalled.socket.getsockname()[1], TCP)
    for _ in range(1000):
        server.send(sender, bytes(60_000))
    assert other.ask(message("ping")) == ("/fluid/pong", [])
    assert stalled.ends()
    # What is sent to nobody is lost.
    server.send(sender, b"late")
    assert other.ask(message("ping")) == ("/fluid/pong", [])


def test_a_bundle_is_obeyed_when_it_is_due_although_nothing_else_comes(store, server):
    inner = message("zoom", 2.0)
    due = struct.pack(">Q", int((WallClock.unix_s() + 2_208_988_800 + 0.3) * 2**32))
    connected = Connected(server)
    connected.send(b"#bundle\0" + due + struct.pack(">i", len(inner)) + inner)
    applied = threading.Event()
    store.subscribe(lambda change: applied.set() if change.values.get("zoom") == 2.0 else None, "test")
    assert applied.wait(WITHIN_S)
