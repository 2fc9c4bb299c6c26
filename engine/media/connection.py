"""Connects to an address."""

from __future__ import annotations

import socket
from contextlib import suppress
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.error import ExitError, FFmpegError

from engine.core.errors import MediaError
from engine.core.printable import LONGEST_REASON, printable, printable_name
from engine.media.address import SCHEMES, check_scheme, scheme_of, shown_address

_WEB = ("http", "https", "ftp", "mmsh")
_BELOW_WEB = (*_WEB, "tcp", "tls", "httpproxy", "crypto")
_BELOW_OTHERS = (*SCHEMES, "srtp")
"""What an address may lead to, by itself or through a playlist: no file, no pipe, no device."""
_ON_DEMAND = (*_WEB, "rtsp", "rtsps")
"""Servers of these also send recordings, which have an end."""
_PLAYLISTS = ("hls", "dash")

OPEN_WITHIN_S = READ_WITHIN_S = 10.0
"""A connection that brings nothing for so long is made again."""
PLAYLIST_READ_WITHIN_S = 30.0
"""The next segment of a live playlist is up to ten seconds away, and may be late."""
_ANALYSED_S = 1.0
"""How much of a feed is looked at before it plays: the codec of a camera or a mixing desk shows at once."""


def open_address(address: str) -> InputContainer:
    """Connect and find the tracks, within OPEN_WITHIN_S. Raises MediaError for what refuses, is silent, or sends no media."""
    check_scheme(address)
    try:
        return av.open(
            address,
            timeout=(OPEN_WITHIN_S, read_within_s(address)),
            metadata_errors="replace",
            options=_options(scheme_of(address) or ""),
        )
    # FFmpeg's errors quote the address, and with it a password; and its parts are the user's own text.
    except (FFmpegError, OSError, ValueError) as error:
        raise MediaError(
            f"{shown_address(address)} cannot be opened ({failure(error, address, OPEN_WITHIN_S)}); check with ffplay ADDRESS "
            "whether it is sending."
        ) from None


def has_end(container: InputContainer, address: str) -> bool:
    """Return whether the address leads to a recording: it says how long it is. A radio or a camera does not."""
    if scheme_of(address) not in _ON_DEMAND:
        return False
    if container.duration:
        return True
    # Without jumps in the file FFmpeg may not know its length, yet the server told its size. Of a playlist that says nothing.
    return container.size > 0 and not container.format.name.startswith(_PLAYLISTS)


def read_within_s(address: str) -> float:
    """Return how long an address may bring nothing."""
    path = address.partition("?")[0].lower()
    return PLAYLIST_READ_WITHIN_S if path.endswith((".m3u8", ".mpd")) else READ_WITHIN_S


def failure(error: Exception, address: str, within_s: float) -> str:
    """Return why a connection failed, in words and without the address; `within_s` was its time limit."""
    if isinstance(error, ExitError):
        return f"nothing came within {within_s:g} s"
    host = _host(address)
    if host and type(error).__name__ == "OSError" and not _is_known(host):
        return f"no machine called {printable_name(host)} is known"
    return printable(getattr(error, "strerror", None) or "it is no address", LONGEST_REASON)


def _options(scheme: str) -> dict[str, str]:
    if scheme in _WEB:
        return {"protocol_whitelist": ",".join(_BELOW_WEB)}
    options = {
        "protocol_whitelist": ",".join(_BELOW_OTHERS),
        "analyzeduration": f"{1e6 * _ANALYSED_S:.0f}",
        "fflags": "nobuffer",
    }
    if scheme in ("rtsp", "rtsps"):
        # Through every firewall, and without lost packets.
        options["rtsp_flags"] = "prefer_tcp"
    if scheme == "udp":
        options["overrun_nonfatal"] = "1"
    return options


def _host(address: str) -> str | None:
    with suppress(ValueError):
        return urlsplit(address).hostname
    return None


def _is_known(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return False
    return True
