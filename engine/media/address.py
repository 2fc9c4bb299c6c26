"""Addresses: sound that a server, a camera or another program sends over the network.

Only the user names an address, on the command line or in a configuration. What an address leads to may name further addresses,
as playlists do, and never a file of this machine. An address may hold a password: it is shown without one.
"""

from __future__ import annotations

import re

from engine.core.errors import MediaError
from engine.core.printable import printable

SCHEMES = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "tcp", "tls", "udp", "rtp", "mmsh", "ftp")
"""What the FFmpeg inside PyAV opens. It has no SRT, RIST and WebRTC; see `check_scheme`."""

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+)://.*", re.DOTALL)
"""Two letters and more before the colon: one is a drive on Windows."""
_LONGEST_SHOWN = 200


def scheme_of(text: str) -> str | None:
    """Return the scheme of an address in small letters; None for a text that is none, such as a path."""
    found = _ADDRESS.fullmatch(text)
    return found[1].lower() if found else None


def shown_address(text: str) -> str:
    """Return an address, or a text that holds one, for messages: without user, password and query, and printable."""
    whole, channels = _split_channels(text)
    before, sign, place = whole.partition("://")
    if not sign:
        return printable(text, _LONGEST_SHOWN)
    # Passwords may hold any sign, also those that end a host: when in doubt, less is shown.
    login, at, rest = place.rpartition("@")
    if at and ("/" not in login or ":" in login):
        place = rest
    shown = re.split("[?#]", place, maxsplit=1)
    return printable(f"{before}://{shown[0]}{'?...' if len(shown) > 1 else ''}{channels}", _LONGEST_SHOWN)


def _split_channels(text: str) -> tuple[str, str]:
    """Split a choice of channels off the end, such as "@3,4"."""
    found = re.fullmatch(r"(.*)(@[\d,\- ]+)", text, re.DOTALL | re.ASCII)
    return (found[1], found[2]) if found else (text, "")


def check_scheme(address: str) -> None:
    """Raise MediaError for an address that FFmpeg cannot open here, with the way out."""
    scheme = scheme_of(address)
    if scheme in SCHEMES:
        return
    if scheme == "file":
        raise MediaError(f"{shown_address(address)} is a file; give its path alone, without file://.")
    raise MediaError(
        f"{shown_address(address)} cannot be opened: {scheme} is none of {', '.join(SCHEMES)}; let another program receive it, "
        "e.g. ffmpeg -i ADDRESS -f s16le -ac 2 -ar 48000 - | python run_live.py --source pcm:48000x2."
    )
