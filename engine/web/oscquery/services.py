"""What of a show is advertised, and where it can be reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.control.remotes.osc_senders import is_loopback

OSCQUERY, OSC, PAGE, SECURE_PAGE = "_oscjson._tcp", "_osc._udp", "_http._tcp", "_https._tcp"
_ALL, _ALL_WITH_IPV6 = "0.0.0.0", "::"


@dataclass(frozen=True, slots=True)
class Bound:
    """An address in numbers, and a port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Service:
    """One service, and where it is bound to."""

    kind: str
    at: Bound

    def addresses(self, here: Sequence[str]) -> list[str]:
        """Return those of this machine's addresses at which it can be reached."""
        if self.at.host not in (_ALL, _ALL_WITH_IPV6):
            return [one for one in here if one == self.at.host]
        return [one for one in here if self.at.host == _ALL_WITH_IPV6 or "." in one]


def services(web: Bound, is_secure: bool, osc_host: str, osc_port: int | None) -> list[Service]:
    """Return what other machines can use of a show whose page is at `web`; `osc_port` is None where OSC is not listened to.

    OSCQuery answers those whom OSC lets in, and none of its clients speaks TLS.
    """
    kinds = [(SECURE_PAGE if is_secure else PAGE, web)]
    if not is_secure and not is_loopback(osc_host):
        kinds.append((OSCQUERY, web))
    if osc_port is not None:
        kinds.append((OSC, Bound(osc_host, osc_port)))
    return [Service(kind, at) for kind, at in kinds if not is_loopback(at.host)]
