"""Which machines may send OSC."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from engine.core.errors import ConfigError
from engine.core.structured import shown

MOST_REMEMBERED = 256
TCP = "tcp"
"""Stands behind host and port of a sender that is connected by TCP."""
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AllowedSenders:
    """Networks from which datagrams are read; without any, all are."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """`networks` are texts with one or several networks or addresses between commas. Raises ConfigError."""
        self._networks = parse_networks(networks)
        self._judged: OrderedDict[str, bool] = OrderedDict()

    @property
    def are_named(self) -> bool:
        """Whether there are any."""
        return bool(self._networks)

    def admits(self, host: str) -> bool:
        """Return whether datagrams of a sender's address are read."""
        if not self._networks:
            return True
        judged = self._judged.get(host)
        if judged is None:
            judged = self._judged[host] = self._judge(host)
            if len(self._judged) > MOST_REMEMBERED:
                self._judged.popitem(last=False)
        return judged

    def _judge(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(plain_host(host))
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def plain_host(host: str) -> str:
    """Return a sender's address as it is written: a socket that is open to IPv4 and IPv6 gives ::ffff:10.0.0.1 for 10.0.0.1."""
    return host.removeprefix("::ffff:") if "." in host else host


def is_loopback(host: str) -> bool:
    """Return whether an address is one of this machine's that no other machine can reach."""
    try:
        return ipaddress.ip_address(plain_host(host)).is_loopback
    except ValueError:
        return host == "localhost"


def origin_of(sender: tuple[Any, ...] | None) -> str:
    """Return the origin of the values that a sender sets, e.g. "osc 10.0.0.7 port 9001": each sender is one of its own."""
    return f"{machine_origin(sender[0])}port {sender[1]}{' tcp' if TCP in sender[2:] else ''}" if sender else "osc"


def machine_origin(host: str) -> str:
    """Return what the origins of all senders of a machine begin with."""
    return f"osc {plain_host(host)} "


def parse_networks(given: Iterable[str]) -> tuple[_Network, ...]:
    """Return the networks that texts name, several of them between commas. Raises ConfigError."""
    texts = list(given)
    for text in texts:
        # Such as "$ADDRESS" of a script that never set it: it shall not let everybody in.
        if not text.replace(",", " ").strip():
            raise ConfigError(
                f"osc_allow holds {shown(text)}, which names no network; give one or leave osc_allow out."
            )
    return tuple(_network(part.strip()) for text in texts for part in text.split(",") if part.strip())


def _network(text: str) -> _Network:
    try:
        return ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError as error:
        raise ConfigError(
            f"osc_allow names {shown(text)}; an address or a network was expected, e.g. 10.0.0.7, 10.0.0.0/24 or fd00::/8."
        ) from error
