"""Texts of others, such as the messages of libraries that quote a file, made fit for a terminal."""

from __future__ import annotations

LONGEST = 300


def printable(text: str, longest: int = LONGEST) -> str:
    """Return a text, shortened, in which nothing steers a terminal: what is not printable is written as in source code."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:longest])
