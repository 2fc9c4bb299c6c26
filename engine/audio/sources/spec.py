"""Source specs: what a user writes to name a sound, `[NAME=]SPEC[@CHANNELS]`, taken apart.

A path may hold every sign of the grammar. So a file that exists under a text is that file, whatever the text looks like.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from engine.core.errors import SourceError
from engine.media.address import scheme_of, shown_address

SourceKind = Literal["mic", "system", "jack", "web", "demo", "tone", "pcm", "address", "file"]

ACCEPTED = (
    "mic, mic:NAME, system, jack:CLIENT, web, demo, tone, tone:HZ, pcm:RATExCHANNELS, an address such as rtsp://..., or the path "
    "of a sound or video file"
)
WITH_TRACKS = ("file", "address")
"""Kinds that may hold several sounds, one of which is chosen."""
MOST_CHANNELS = 64
"""Channels are numbered from 1 to this."""

_KIND = re.compile(r"(mic|system|jack|web|demo|tone|pcm)(?::(.*))?", re.DOTALL)
_CHANNELS = re.compile(r"[\d,\- ]*", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceSpec:
    """A source spec, taken apart. Nothing was opened."""

    text: str
    """The whole, as the user wrote it."""
    name: str | None
    """The name that the user gave the sound; None: none."""
    kind: SourceKind
    detail: str
    """What follows the kind: a device, a client, Hz, RATExCHANNELS; the whole address or path. Empty: nothing."""
    channels: tuple[int, ...]
    """The chosen channels in their order, numbered from 1; empty: no choice."""

    @property
    def shown(self) -> str:
        """The whole for messages: an address without its password."""
        return shown_address(self.text)


def parse_spec(text: str, is_file: Callable[[str], bool] | None = None) -> SourceSpec:
    """Take a source spec apart. `is_file` tells whether a path names a file (default: on the disk).

    Raises SourceError for a choice of channels or a name that cannot be.
    """
    exists = is_file or _is_file
    if exists(text):
        return SourceSpec(text=text, name=None, kind="file", detail=text, channels=())
    name, rest = _split_name(text, exists)
    if exists(rest):
        return SourceSpec(text=text, name=name, kind="file", detail=rest, channels=())
    what, channels = _split_channels(text, rest, exists)
    if text and not what.strip():
        given = f"{name}=" if name else ""
        raise SourceError(f"'{shown_address(text)}' names no sound; a source was expected, e.g. {given}mic.")
    kind, detail = ("file", what) if exists(what) else _kind(what)
    return SourceSpec(text=text, name=name, kind=kind, detail=detail, channels=channels)


def is_sound(text: str) -> bool:
    """Return whether a text names a file that exists or anything else that can be heard. Nothing is opened."""
    try:
        spec = parse_spec(text)
    except SourceError:
        return False
    return spec.kind != "file" or _is_file(spec.detail)


def parse_channels(chosen: str, text: str) -> tuple[int, ...]:
    """Return the channels of a choice such as "3,4" or "1-8". Raises SourceError, which quotes `text`."""
    channels: list[int] = []
    for part in chosen.split(","):
        bounds = re.fullmatch(r"\s*(\d{1,4})\s*(?:-\s*(\d{1,4})\s*)?", part, re.ASCII)
        if not bounds:
            raise _wrong_channels(text, chosen)
        first, last = int(bounds[1]), int(bounds[2] or bounds[1])
        if not 1 <= first <= last <= MOST_CHANNELS:
            raise _wrong_channels(text, chosen)
        channels += range(first, last + 1)
    if len(set(channels)) != len(channels):
        raise SourceError(f"'{shown_address(text)}' chooses a channel twice; name each channel once, e.g. @1-8.")
    return tuple(channels)


def _wrong_channels(text: str, chosen: str) -> SourceError:
    return SourceError(
        f"'{shown_address(text)}' chooses the channels '{chosen}'; numbers from 1 to {MOST_CHANNELS} were expected, e.g. @3,4 or @1-8 or @5."
    )


def _split_name(text: str, exists: Callable[[str], bool]) -> tuple[str | None, str]:
    """Split NAME= off, unless the sign belongs to a device's name, an address or a path."""
    name, equals, rest = text.partition("=")
    if not equals or (_kind(name.partition("@")[0])[0] != "file" and ":" in name):
        return None, text
    if _is_name(name):
        return name, rest
    if _kind(rest.rpartition("@")[0] or rest)[0] != "file" or exists(rest):
        raise SourceError(
            f"'{name}' in '{shown_address(text)}' is no name for a sound; letters, digits and _ were expected, not first a digit, "
            f"e.g. drums={shown_address(rest)}."
        )
    return None, text


def _is_name(name: str) -> bool:
    return name.isascii() and name.isidentifier() and not keyword.iskeyword(name)


def _split_channels(text: str, rest: str, exists: Callable[[str], bool]) -> tuple[str, tuple[int, ...]]:
    """Split @CHANNELS off. In addresses and paths the sign counts only before numbers, or after a file that exists."""
    what, at, chosen = rest.rpartition("@")
    if not at:
        return rest, ()
    free = _kind(rest)[0] in ("address", "file") and _kind(what)[0] in ("address", "file")
    if free and not (exists(what) or (chosen and _CHANNELS.fullmatch(chosen) and not what.endswith("/"))):
        return rest, ()
    return what, parse_channels(chosen, text)


def _kind(what: str) -> tuple[SourceKind, str]:
    found = _KIND.fullmatch(what)
    if found:
        return cast(SourceKind, found[1]), (found[2] or "").strip()
    return ("address" if scheme_of(what) else "file"), what


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        # Longer than names can be, or with a zero byte in it.
        return False
