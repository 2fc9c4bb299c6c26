"""Which machines may send, and on which addresses the show listens."""

from __future__ import annotations

import socket

import pytest

from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.control.remotes.osc import STRANGERS_TOLD, OscServer
from engine.control.remotes.osc_senders import MOST_REMEMBERED, AllowedSenders
from engine.control.remotes.remote_access import RemoteAccess
from engine.core.errors import ConfigError
from tests.engine.control.remotes.test_osc import message
from tests.engine.model.probe_model import CARD
from tests.fixtures_display import wait_until


@pytest.mark.parametrize(
    ("networks", "host", "is_admitted"),
    [
        ((), "192.0.2.1", True),
        (("10.0.0.0/24",), "10.0.0.255", True),
        (("10.0.0.0/24",), "10.0.1.0", False),
        (("10.0.0.7/24",), "10.0.0.8", True),
        (("10.0.0.7",), "10.0.0.8", False),
        (("10.0.0.7, 10.0.0.8",), "10.0.0.8", True),
        (("10.0.0.0/24",), "::ffff:10.0.0.1", True),
        (("10.0.0.0/24",), "::1", False),
        (("[::1]",), "::1", True),
        (("fe80::/10", "10.0.0.0/24"), "fe80::1%eth0", True),
        (("fd00::/8",), "fe80::1", False),
        (("10.0.0.0/24",), "no address", False),
    ],
)
def test_networks_admit_their_addresses(networks, host, is_admitted) -> None:
    allowed = AllowedSenders(networks)
    assert (allowed.admits(host), allowed.admits(host)) == (is_admitted, is_admitted)


def test_many_senders_are_judged_rightly_although_few_are_remembered() -> None:
    allowed = AllowedSenders(["10.0.0.0/16"])
    hosts = [f"10.{number % 2}.{number // 250}.{number % 250}" for number in range(10 * MOST_REMEMBERED)]
    assert [allowed.admits(host) for host in hosts] == [number % 2 == 0 for number in range(10 * MOST_REMEMBERED)]


@pytest.mark.parametrize("network", ["10.0.0.0/33", "controller", "10.0.0", "10.0.0.1:9000", "*"])
def test_what_is_no_network_is_one_sentence(network) -> None:
    with pytest.raises(ConfigError, match=r"osc_allow names .*; an address or a network was expected, e\.g\."):
        AllowedSenders([network])


@pytest.mark.parametrize("empty", [" ", ",", " , "])
def test_a_text_without_a_network_does_not_admit_everybody(empty: str) -> None:
    with pytest.raises(ConfigError, match="names no network"):
        AllowedSenders([empty])


def listen(host: str, lines: list[str], *networks: str) -> tuple[ParameterStore, OscServer]:
    store = ParameterStore(parameters_for(CARD))
    server = OscServer(RemoteAccess(store, (), lines.append), host, 0, allowed=AllowedSenders(networks))
    server.start()
    return store, server


def test_strangers_are_dropped_counted_and_told_once() -> None:
    lines: list[str] = []
    store, server = listen("0.0.0.0", lines, "127.0.0.1", "10.0.0.0/8")
    senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(STRANGERS_TOLD + 2)]
    for number, sender in enumerate(senders):
        sender.bind((f"127.0.1.{number}", 0))
        for _ in range(4):
            # Not even this costs an answer or a count of what was refused.
            sender.sendto(b"garbage", ("127.0.0.1", server.port))
            sender.sendto(message("zoom", 4.0), ("127.0.0.1", server.port))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as controller:
        controller.sendto(message("zoom", 2.0), ("127.0.0.1", server.port))
    wait_until(lambda: store.values()["zoom"] == 2.0, "the controller")
    server.close()
    assert (server.counts.strangers, server.counts.received, server.counts.refused) == (8 * len(senders), 1, 0)
    assert lines == [
        f"OSC of 127.0.1.{number} is not read, since osc_allow does not name it. This is told once."
        for number in range(STRANGERS_TOLD)
    ]
    for sender in senders:
        sender.close()


@pytest.mark.usefixtures("ipv6")
@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_ipv6_is_answered(host) -> None:
    _, server = listen(host, [])
    assert server.name == f"osc [::1] port {server.port}"
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as controller:
        controller.settimeout(10.0)
        controller.sendto(message("ping"), ("::1", server.port))
        assert controller.recv(100) == b"/fluid/pong\0,\0\0\0"
    server.close()


@pytest.mark.usefixtures("ipv6")
def test_all_addresses_are_those_of_ipv4_too() -> None:
    store, server = listen("::", [], "127.0.0.0/8", "::1")
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as controller:
            controller.settimeout(10.0)
            controller.sendto(message("ping"), (host, server.port))
            assert controller.recv(100) == b"/fluid/pong\0,\0\0\0"
    # A datagram whose sender is the show itself.
    assert server.answer(message("ping"), ("::ffff:127.0.0.3", server.port, 0, 0)) == []
    assert server.answer(message("ping"), ("::1", server.port, 0, 0)) == []
    assert server.answer(message("ping"), ("2001:db8::1", server.port, 0, 0)) != []
    assert store.values()["zoom"] == 1.0
    server.close()


@pytest.mark.parametrize("host", ["127.0.0.1:9000", "[::1]:9000", "localhost:1"])
def test_a_host_with_a_port_is_one_sentence(host) -> None:
    with pytest.raises(ConfigError, match="an address without a port was expected"):
        OscServer(RemoteAccess(ParameterStore(())), host, 0)
