"""The address that the web page is served at, as the user writes it: [HOST:]PORT."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from engine.core.errors import ConfigError
from engine.core.server_thread import in_words
from engine.core.structured import shown

LOOPBACK = "127.0.0.1"
ALL, ALL_WITH_IPV6 = "0.0.0.0", "::"
DEFAULT_WEB_PORT = 8080
_WITH_PORT = re.compile(r"(?P<host>\[[^\]]+\]|[^:]*):(?P<port>\d{1,5})")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class WebAddress:
    """Where to listen."""

    host: str
    port: int
    is_port_given: bool
    """Whether the user named the port; otherwise the next free one serves as well."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        bare = self.host.strip("[]").casefold()
        return bare in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", bare) is not None


def parse_web_address(text: str) -> WebAddress:
    """Return the address that a text names: a port, a host, or both; a port alone is on 127.0.0.1. Raises ConfigError."""
    given = text.strip()
    host, port = LOOPBACK, DEFAULT_WEB_PORT
    found = _WITH_PORT.fullmatch(given)
    if given.isdecimal() and given.isascii() and len(given) <= 5:
        port, is_port_given = int(given), True
    elif found and found["host"]:
        host, port, is_port_given = found["host"], int(found["port"]), True
    else:
        host, is_port_given = given, False
    if port > 65535 or not _is_host(host):
        raise ConfigError(
            f"web is {shown(text)}; a port, an address or both were expected, e.g. 8080, 0.0.0.0 or 10.0.0.7:8080."
        )
    return WebAddress(host, port, is_port_given)


def _is_host(host: str) -> bool:
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if ":" not in host:
        return _NAME.fullmatch(host) is not None and not host.isdecimal()
    try:
        ipaddress.IPv6Address(bare)
    except ValueError:
        return False
    return True


def url(scheme: str, host: str, port: int, token: str | None = None) -> str:
    """Return what a browser opens."""
    return f"{scheme}://{in_words(host)}:{port}/{f'?token={token}' if token else ''}"
