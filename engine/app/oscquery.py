"""Opens OSCQuery on the port of the web page, and advertises the show on the network."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from engine.core.clock import WallClock
from engine.core.this_machine import address_of
from engine.web.web_address import ALL, ALL_WITH_IPV6

if TYPE_CHECKING:
    from engine.app.remotes import RemoteParts
    from engine.control.remotes.osc import OscServer
    from engine.web.web_part import WebPart

NEEDS_PACKAGE = "The show is not advertised on the network: that needs the package zeroconf, pip install zeroconf."


def oscquery_parts(parts: RemoteParts, osc: OscServer | None) -> list[WebPart]:
    """Return the part of the web server that answers OSCQuery, unless it or OSC is switched off. Raises ConfigError."""
    config = parts.config
    if not has_oscquery(parts):
        return []
    from engine.app.report import remote_figures
    from engine.web.oscquery.admission import Admission
    from engine.web.oscquery.service import OscQuery, OscQueryParts

    host = address_of(config.osc_host)
    query = OscQuery(
        OscQueryParts(
            name=web_name(parts),
            access=parts.access,
            telemetry=parts.telemetry,
            describe_stats=lambda: remote_figures(parts.monitor),
            admission=Admission(host, config.osc_allow),
            osc_ip="" if host in (ALL, ALL_WITH_IPV6) else host,
            osc_port=osc.port if osc else None,
            clock=WallClock(),
        )
    )
    return [query]


def has_oscquery(parts: RemoteParts) -> bool:
    """Return whether the show answers OSCQuery: it has no password, so whoever switches OSC off does not get it either."""
    return parts.config.oscquery and parts.config.osc


def web_name(parts: RemoteParts) -> str:
    """Return what the show is called on the network."""
    return parts.config.web_name or parts.config.title


def advertise(parts: RemoteParts, host: str, port: int, is_secure: bool, osc: OscServer | None) -> list[str]:
    """Advertise what other machines can reach of a show, and return the line of the report about it; none where they reach nothing.

    The web page is bound to `host` and `port`.
    """
    if not has_oscquery(parts):
        return []
    from engine.core.advertised_service import Bound
    from engine.web.oscquery.services import services

    osc_host = address_of(parts.config.osc_host)
    advertised = services(Bound(address_of(host), port), is_secure, osc_host, osc.port if osc else None)
    if not advertised:
        return []
    if find_spec("zeroconf") is None:
        return [NEEDS_PACKAGE]
    from engine.core.advertising import Advertisement, service_name
    from engine.core.this_machine import addresses, advertised_name

    name = web_name(parts)
    advertisement = Advertisement(name, advertised, advertised_name(port), addresses, parts.notice_log.tell)
    parts.releasing.callback(advertisement.close)
    advertisement.start()
    return [f"zeroconf {service_name(name)}"]
