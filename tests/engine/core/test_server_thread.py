"""A server's socket and thread: bound, served, closed within a bound."""

from __future__ import annotations

import socket
import threading

import pytest

from engine.core import server_thread
from engine.core.errors import ConfigError
from engine.core.server_thread import ServerThread, bind_socket, in_words, parse_host

HOST = "127.0.0.1"
PATIENCE_S = 20.0
WORDS = {"purpose": "listen", "way_out": "choose another"}


def test_what_arrives_is_served_until_the_close() -> None:
    bound = bind_socket(socket.SOCK_DGRAM, HOST, 0, **WORDS)
    received, came = [], threading.Event()

    def receive() -> None:
        received.append(bound.recv(100))
        came.set()

    server = ServerThread("test", bound, receive)
    server.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"hello", bound.getsockname())
        assert came.wait(PATIENCE_S)
    server.close()
    server.close()
    assert received == [b"hello"]
    assert bound.fileno() == -1


def test_a_callback_that_hangs_does_not_hold_the_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_thread, "CLOSE_WITHIN_S", 0.1)
    bound, entered, release = bind_socket(socket.SOCK_DGRAM, HOST, 0, **WORDS), threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        release.wait(PATIENCE_S)

    server = ServerThread("test", bound, hang)
    server.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"", bound.getsockname())
    assert entered.wait(PATIENCE_S)
    server.close()
    assert not release.is_set()
    assert bound.fileno() == -1
    release.set()


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_taken_port_is_refused_in_one_sentence(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind((HOST, 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            ConfigError, match=rf"^Cannot listen on {HOST} port {port}: .*; choose another\.$"
        ) as caught:
            bind_socket(kind, HOST, port, **WORDS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("host", "port"), [(HOST, 70000), (HOST, -1), ("no.such.host.invalid", 0), ("a" * 70, 0)])
def test_an_address_that_cannot_be_is_refused(host: str, port: int) -> None:
    with pytest.raises(ConfigError, match="choose another"):
        bind_socket(socket.SOCK_STREAM, host, port, **WORDS)


@pytest.mark.parametrize(
    ("host", "family", "bare", "shown"),
    [
        ("127.0.0.1", socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        ("localhost", socket.AF_INET, "localhost", "localhost"),
        ("::1", socket.AF_INET6, "::1", "[::1]"),
        ("[::1]", socket.AF_INET6, "::1", "[::1]"),
        ("::", socket.AF_INET6, "::", "[::]"),
        ("fe80::1%eth0", socket.AF_INET6, "fe80::1%eth0", "[fe80::1%eth0]"),
    ],
)
def test_hosts_are_read_with_and_without_brackets(
    host: str, family: socket.AddressFamily, bare: str, shown: str
) -> None:
    assert parse_host(host) == (family, bare)
    assert in_words(host) == shown


@pytest.mark.parametrize("host", ["[::1", "::g", "fe80::1%no-such-interface"])
def test_what_is_no_address_is_one_sentence(host: str) -> None:
    with pytest.raises(ConfigError, match=r"^Cannot listen on .* port 0: .*; choose another\.$"):
        bind_socket(socket.SOCK_DGRAM, host, 0, **WORDS)
