"""Under which names and addresses other machines reach this one."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress


def addresses() -> list[str]:
    """Return this machine's addresses that others can use, IPv4 first; without loopback and link-local ones."""
    # Part of zeroconf.
    import ifaddr

    found = list[ipaddress.IPv4Address | ipaddress.IPv6Address]()
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            found.append(ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0]))
    usable = [one for one in found if not (one.is_loopback or one.is_link_local)]
    return [str(one) for one in sorted(usable, key=lambda one: one.version)]


def address_of(host: str) -> str:
    """Return a host as an address in numbers, where there is one."""
    bare = host.strip("[]")
    with suppress(ValueError):
        return str(ipaddress.ip_address(bare))
    with suppress(OSError):
        return socket.gethostbyname(bare)
    return bare


def names() -> list[str]:
    """Return this machine's names, in small letters: the one of the system, with .local, and the whole one."""
    short = socket.gethostname().casefold()
    # Asks the file of hosts first; without an answer it is the name itself.
    return list(dict.fromkeys((short, f"{short.partition('.')[0]}.local", socket.getfqdn(short).casefold())))


def advertised_name(port: int) -> str:
    """Return what zeroconf calls this machine for what is at `port`: the system's own .local name may belong to another program."""
    short = "".join(
        c for c in socket.gethostname().partition(".")[0].casefold() if c.isascii() and (c.isalnum() or c == "-")
    )
    return f"fluid-{port}-{short[:40].strip('-') or 'show'}.local"
