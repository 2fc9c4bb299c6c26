"""What of a show is advertised beside its page."""

from __future__ import annotations

from engine.control.remotes.osc_senders import is_loopback
from engine.core.advertised_service import Bound, Service

OSCQUERY, OSC, PAGE, SECURE_PAGE = "_oscjson._tcp", "_osc._udp", "_http._tcp", "_https._tcp"


def services(web: Bound, is_secure: bool, osc_host: str, osc_port: int | None) -> list[Service]:
    """Return what other machines can use of a show whose page is at `web`; `osc_port` is None where OSC is not listened to.

    OSCQuery answers those whom OSC lets in, and none of its clients speaks TLS.
    """
    advertised = [Service(SECURE_PAGE if is_secure else PAGE, web, told=("path", "/"))]
    if not is_secure and not is_loopback(osc_host):
        advertised.append(Service(OSCQUERY, web))
    if osc_port is not None:
        advertised.append(Service(OSC, Bound(osc_host, osc_port)))
    return [service for service in advertised if not is_loopback(service.at.host)]
