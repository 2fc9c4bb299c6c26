"""Numbers of things in sentences: "1 frame", "2 frames"."""

from __future__ import annotations


def counted(number: int, thing: str, things: str = "") -> str:
    """Return the number with the word for one or for several; without `things`, that is the word with an s."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
