"""A service of this machine as others are told of it, and where they reach it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_ALL, _ALL_WITH_IPV6 = "0.0.0.0", "::"


@dataclass(frozen=True, slots=True)
class Bound:
    """An address in numbers, and a port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Service:
    """One service, where it is bound to, and the key and value that its kind tells (RFC 6763, section 6)."""

    kind: str
    at: Bound
    told: tuple[str, str] = ("txtvers", "1")

    def addresses(self, here: Sequence[str]) -> list[str]:
        """Return those of this machine's addresses at which it can be reached."""
        if self.at.host not in (_ALL, _ALL_WITH_IPV6):
            return [one for one in here if one == self.at.host]
        return [one for one in here if self.at.host == _ALL_WITH_IPV6 or "." in one]
