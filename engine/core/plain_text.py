"""Text of strangers, made fit for a terminal, a log or an answer."""

from __future__ import annotations

LONGEST_SHOWN = 100
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def plain(text: str, most: int = LONGEST_SHOWN) -> str:
    """Return at most `most` characters of `text`, with a replacement for each control character."""
    return "".join(letter if letter.isprintable() else _REPLACEMENT for letter in text[:most])
