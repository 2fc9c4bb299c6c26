"""TLS for the port: a certificate of the user's, or one that is made here.

A browser gives a page the microphone only in a secure context: on this machine itself, or over TLS.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.core.cache_folder import cache_root
from engine.core.clock import utc
from engine.core.errors import ConfigError

if TYPE_CHECKING:
    from cryptography import x509

AUTO = "auto"
WARNING = (
    "The certificate was made on this machine, so each browser warns once that the connection is not private: choose Advanced, "
    "then Proceed; or give a certificate of your own with --web-cert and --web-key."
)
_DAYS = 397
"""Browsers take none that is valid for longer."""
_RENEWED_DAYS = 30


def tls_context(certificate: str, key: str | None, names: Iterable[str]) -> ssl.SSLContext:
    """Return what serves TLS with a certificate's file and its key's, or with one of our own for `names`. Raises ConfigError."""
    if certificate == AUTO:
        if key:
            raise ConfigError("web_cert is auto, which has a key of its own; leave web_key out.")
        certificate = key = str(own_certificate(cache_root() / "web", names))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # A key with a password would ask for it here, and wait.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        with_key = f" with the key {key}" if key else ""
        raise ConfigError(
            f"The certificate {certificate}{with_key} cannot be used ({getattr(error, 'reason', None) or error.args[-1]}); a file "
            "in PEM form and its key without a password were expected, or --web-cert auto."
        ) from error
    return context


def own_certificate(folder: Path, names: Iterable[str]) -> Path:
    """Return the file with a certificate for `names`, which are names and addresses, and its key. It is made if there is none that
    fits; only this user can read it. Raises ConfigError."""
    # A certificate names other letters in a form that few machines have.
    path, wanted = folder / "certificate.pem", sorted({name for name in names if name.isascii()})
    try:
        if not _fits(path, wanted):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write(path, _made(wanted))
        path.chmod(0o600)
    except OSError as error:
        raise ConfigError(
            f"The certificate {path} cannot be written ({error.strerror}); give one with --web-cert and --web-key."
        ) from error
    return path


def _fits(path: Path, names: list[str]) -> bool:
    """Return whether a certificate is there, names them all and is valid for some time."""
    from cryptography import x509

    if not path.is_file():
        return False
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    known = {str(name.value) for name in named}
    return known >= set(names) and certificate.not_valid_after_utc > utc(_RENEWED_DAYS)


def _made(names: list[str]) -> bytes:
    """Return a key and a certificate that is signed with it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Fluid")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks of phones are late now and then.
        .not_valid_before(utc(-1))
        .not_valid_after(utc(_DAYS - 1))
        .add_extension(x509.SubjectAlternativeName([_general_name(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    written = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + written


def _general_name(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(path: Path, content: bytes) -> None:
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    # Nobody else can read it at any moment.
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    partial.replace(path)
