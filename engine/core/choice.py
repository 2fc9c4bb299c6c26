"""Something that can be chosen while a show plays: a model, an input."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    """A model or an input that can be chosen."""

    id: str
    name: str
    detail: str
    plays: bool
    problem: str = ""
    """Why it cannot be chosen now; empty where it can."""


def id_of(text: str) -> str:
    """Return the id that a remote gets for a path or a source, the same each time. It cannot be made into a path again."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
