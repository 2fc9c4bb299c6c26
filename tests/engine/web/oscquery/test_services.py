"""What of a show is advertised."""

from __future__ import annotations

import pytest

from engine.core.advertised_service import Bound
from engine.web.oscquery.services import OSC, OSCQUERY, PAGE, SECURE_PAGE, services


@pytest.mark.parametrize(
    ("web_host", "is_secure", "osc_host", "osc_port", "kinds"),
    [
        ("0.0.0.0", False, "0.0.0.0", 9000, {PAGE: 8080, OSCQUERY: 8080, OSC: 9000}),
        # OSCQuery lets in whom OSC lets in.
        ("0.0.0.0", False, "127.0.0.1", 9000, {PAGE: 8080}),
        ("127.0.0.1", False, "0.0.0.0", 9000, {OSC: 9000}),
        ("127.0.0.1", False, "::1", 9000, {}),
        ("0.0.0.0", True, "0.0.0.0", 9000, {SECURE_PAGE: 8080, OSC: 9000}),
        # Another program had the port of OSC.
        ("10.0.0.5", False, "10.0.0.5", None, {PAGE: 8080, OSCQUERY: 8080}),
    ],
)
def test_only_what_others_can_use_is_advertised(
    web_host: str, is_secure: bool, osc_host: str, osc_port: int | None, kinds: dict[str, int]
) -> None:
    advertised_services = services(Bound(web_host, 8080), is_secure, osc_host, osc_port)
    assert {service.kind: service.at.port for service in advertised_services} == kinds
