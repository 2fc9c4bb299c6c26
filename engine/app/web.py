"""Opens the web page of a show: who may come in, where it is, and the lines that say so."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from engine.app.oscquery import advertise, oscquery_parts
from engine.core.clock import WallClock
from engine.core.errors import ConfigError
from engine.web.web_address import ALL, ALL_WITH_IPV6, WebAddress, parse_web_address, url

if TYPE_CHECKING:
    import ssl

    from engine.app.remotes import RemoteParts
    from engine.control.remotes.osc import OscServer
    from engine.web.show_control import MidiControl
    from engine.web.web_part import WebPart

PACKAGE = "aiohttp"
NEEDS_PACKAGE = "The web page needs the package aiohttp, which is not installed: pip install aiohttp"
MOST_SHOWN = 4
"""Addresses of a machine that are printed."""


def has_web() -> bool:
    """Return whether the package that serves the page is installed."""
    return find_spec(PACKAGE) is not None


def open_web(parts: RemoteParts, midi: MidiControl | None, osc: OscServer | None) -> list[str]:
    """Serve the page if the configuration asks for it, and return the lines of the report that say where. Raises ConfigError."""
    config = parts.config
    if config.web is None:
        return []
    if not has_web():
        raise ConfigError(f"{NEEDS_PACKAGE}, or leave web out.")
    from engine.web.access import WebAccess, check_token, new_token
    from engine.web.server import WebServer, bind_web
    from engine.web.static_files import StaticFiles

    address = parse_web_address(str(config.web))
    token = check_token(config.web_token) if config.web_token else None if address.is_loopback else new_token()
    tls = _tls(parts, address)
    bound = bind_web(address, parts.notice_log.tell)
    port = int(bound.getsockname()[1])
    # The port belongs to the name: browsers keep cookies by host alone, and two shows may run on one.
    access = WebAccess(_names(address, port), token, f"fluid_{port}", tls is not None, WallClock())
    server = WebServer(bound, access, _web_parts(parts, midi, osc), StaticFiles(), parts.notice_log.tell, tls)
    parts.releasing.callback(server.close)
    server.start()
    scheme = "https" if tls else "http"
    urls = [url(scheme, host, port, token) for host in _hosts(address)]
    lines = [f"page     {', '.join(urls[:MOST_SHOWN])}"]
    if not address.is_loopback:
        _print_qr_code(urls[0])
    return lines + advertise(parts, address.host, port, tls is not None, osc)


def _web_parts(parts: RemoteParts, midi: MidiControl | None, osc: OscServer | None) -> list[WebPart]:
    from engine.web.page_socket import PageShow, PageSocket
    from engine.web.preview import PagePreview
    from engine.web.sound import PageSound

    config = parts.config
    shown = PageShow(
        title=config.title,
        card=parts.card,
        live=True,
        sound_from_browser=parts.browser_sound.is_offered,
        access=parts.access,
        telemetry=parts.telemetry,
        notice_log=parts.notice_log,
        show=parts.show_control,
        midi=midi,
    )
    page = PageSocket(shown, WallClock())
    parts.releasing.callback(page.close)
    preview = [PagePreview(parts.preview, parts.clock)] if parts.preview else []
    return [page, *preview, PageSound(parts.browser_sound, parts.clock), *oscquery_parts(parts, osc)]


def _tls(parts: RemoteParts, address: WebAddress) -> ssl.SSLContext | None:
    config = parts.config
    if config.web_cert is None:
        if config.web_key:
            raise ConfigError("web_key is given without web_cert; give the certificate of that key too.")
        return None
    from engine.web.certificate import AUTO, WARNING, tls_context

    context = tls_context(
        config.web_cert, config.web_key, {*_names(address, address.port), *_hosts(address), "127.0.0.1", "::1"}
    )
    if config.web_cert == AUTO:
        parts.notice_log.tell(WARNING)
    return context


def _names(address: WebAddress, port: int) -> list[str]:
    """Return the names under which the page may be opened."""
    from engine.core.this_machine import advertised_name, names

    return ["localhost", address.host.strip("[]"), *([] if address.is_loopback else (*names(), advertised_name(port)))]


def _hosts(address: WebAddress) -> list[str]:
    """Return where the page can be opened, the best for another machine first."""
    if address.host.strip("[]") not in (ALL, ALL_WITH_IPV6):
        return [address.host]
    from engine.core.this_machine import addresses

    usable = [one for one in addresses() if address.host != ALL or ":" not in one]
    return usable or ["127.0.0.1"]


def _print_qr_code(address: str) -> None:
    """Print the address for the camera of a phone, where somebody sees it."""
    if not sys.stdout.isatty():
        return
    from engine.web.qr_code import qr_lines

    lines = qr_lines(address)
    try:
        "".join(lines).encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return
    print(*lines, sep="\n", flush=True)
