"""TLS: the certificate that is made here, others' certificates, and a real client that trusts the first."""

from __future__ import annotations

import asyncio
import datetime
import os
import ssl
import sys
from pathlib import Path

import pytest
from aiohttp import ClientSession, TCPConnector
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from engine.core.errors import ConfigError
from engine.web.certificate import AUTO, own_certificate, tls_context
from tests.engine.web.page_server import HOST, PAGE, answered, page_server

MOST_VALID = datetime.timedelta(days=398)
"""Browsers refuse what is valid for longer."""
NAMES = ["localhost", "127.0.0.1", "::1", "stage.example"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "fluid" / "web"


def test_the_page_is_served_over_tls_to_a_client_that_trusts_the_certificate(tmp_path: Path, cache: Path) -> None:
    tls = tls_context(AUTO, None, NAMES)
    trusted = ssl.create_default_context(cafile=str(cache / "certificate.pem"))

    async def visit(port: int) -> str:
        async with ClientSession(connector=TCPConnector(ssl=trusted)) as session:
            answer = await session.get(f"https://{HOST}:{port}/page/")
            async with session.ws_connect(
                f"wss://{HOST}:{port}/page/socket", headers={"Origin": f"https://{HOST}:{port}"}
            ) as socket:
                assert (await socket.receive_json())["type"] == "hello"
            return await answer.text()

    with page_server(tmp_path, tls=tls) as stage:
        assert asyncio.run(visit(stage.port)) == PAGE
        # Whoever speaks no TLS gets nothing, and costs no line.
        assert PAGE.encode() not in answered(stage.port, f"GET /page/ HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert stage.lines == []


def test_the_certificate_names_this_machine_and_only_this_user_can_read_it(cache: Path) -> None:
    path = own_certificate(cache, NAMES)
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(name.value) for name in named} == set(NAMES)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc <= MOST_VALID
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(cache) == ["certificate.pem"]


def test_a_machine_with_other_letters_in_its_name_has_one_too(cache: Path) -> None:
    first = own_certificate(cache, ["bühne", *NAMES]).read_bytes()
    assert own_certificate(cache, ["bühne", *NAMES]).read_bytes() == first


def test_it_stays_until_this_machine_gets_another_name(cache: Path) -> None:
    first = own_certificate(cache, NAMES).read_bytes()
    assert own_certificate(cache, NAMES[:2]).read_bytes() == first
    second = own_certificate(cache, [*NAMES, "10.0.0.7"]).read_bytes()
    assert second != first
    (cache / "certificate.pem").write_text("damaged")
    assert b"BEGIN CERTIFICATE" in own_certificate(cache, NAMES).read_bytes()


def test_a_certificate_and_its_key_in_two_files(tmp_path: Path, cache: Path) -> None:
    both = own_certificate(cache, NAMES).read_text()
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    end = both.index("-----BEGIN PRIVATE KEY")
    certificate.write_text(both[:end])
    key.write_text(both[end:])
    assert isinstance(tls_context(str(certificate), str(key), []), ssl.SSLContext)
    with pytest.raises(ConfigError, match=r"cert\.pem cannot be used .* in PEM form and its key .* or --web-cert auto"):
        tls_context(str(certificate), None, [])
    locked = serialization.load_pem_private_key(key.read_bytes(), None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"word")
    )
    key.write_bytes(locked)
    with pytest.raises(ConfigError, match=r"with the key .*key\.pem cannot be used"):
        tls_context(str(certificate), str(key), [])


def test_what_is_no_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("no certificate")
    for name in ("text.pem", "none.pem", "."):
        with pytest.raises(ConfigError, match="cannot be used"):
            tls_context(str(tmp_path / name), None, [])
    with pytest.raises(ConfigError, match="web_cert is auto, which has a key of its own; leave web_key out"):
        tls_context(AUTO, "key.pem", [])


def test_a_cache_that_cannot_be_written_costs_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be written .*; give one with --web-cert and --web-key"):
        own_certificate(tmp_path / "file" / "web", NAMES)
