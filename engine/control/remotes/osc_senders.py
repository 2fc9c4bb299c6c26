"""Which machines may send OSC."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Iterable

from engine.core.errors import ConfigError
from engine.core.structured import shown

MOST_REMEMBERED = 256
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AllowedSenders:
    """Networks from which datagrams are read; without any, all are."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """`networks` are texts with one or several networks or addresses between commas. Raises ConfigError."""
        self._networks = parse_networks(networks)
        self._judged: OrderedDict[str, bool] = OrderedDict()

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
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        # A socket that is open to both IPv4 and IPv6 gives IPv4 senders as ::ffff:10.0.0.1.
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)


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
