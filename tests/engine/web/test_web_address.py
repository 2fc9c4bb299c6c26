"""What users write behind --web."""

from __future__ import annotations

import pytest

from engine.core.errors import ConfigError
from engine.web.web_address import DEFAULT_WEB_PORT, WebAddress, parse_web_address, url


@pytest.mark.parametrize(
    ("text", "address", "is_loopback"),
    [
        ("8080", WebAddress("127.0.0.1", 8080, True), True),
        ("0", WebAddress("127.0.0.1", 0, True), True),
        ("127.0.0.1", WebAddress("127.0.0.1", DEFAULT_WEB_PORT, False), True),
        ("127.0.0.9:80", WebAddress("127.0.0.9", 80, True), True),
        ("localhost:81", WebAddress("localhost", 81, True), True),
        ("0.0.0.0", WebAddress("0.0.0.0", DEFAULT_WEB_PORT, False), False),
        ("0.0.0.0:9", WebAddress("0.0.0.0", 9, True), False),
        ("::", WebAddress("::", DEFAULT_WEB_PORT, False), False),
        ("::1", WebAddress("::1", DEFAULT_WEB_PORT, False), True),
        ("[::1]:82", WebAddress("[::1]", 82, True), True),
        ("[fe80::1%eth0]:82", WebAddress("[fe80::1%eth0]", 82, True), False),
        ("stage-left.local:82", WebAddress("stage-left.local", 82, True), False),
    ],
)
def test_addresses(text: str, address: WebAddress, is_loopback: bool) -> None:
    assert parse_web_address(text) == address
    assert address.is_loopback is is_loopback


@pytest.mark.parametrize(
    "text", ["65536", "99999999", ":8080", "host:", "host:99999", "a b", "http://host/", "-1", "²"]
)
def test_what_is_no_address_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match=r"web is .*; a port, an address or both were expected"):
        parse_web_address(text)


def test_the_address_for_a_browser() -> None:
    assert url("http", "127.0.0.1", 8080) == "http://127.0.0.1:8080/"
    assert url("https", "fd00::7", 8080, "word") == "https://[fd00::7]:8080/?token=word"
