"""The protocol of remotes: what sets a show's parameters from outside, and may mirror them."""

from __future__ import annotations

from typing import Protocol


class Remote(Protocol):
    """A remote for one show, whose RemoteAccess it gets when it is made: never the store itself, so that locks and limits hold.

    It sets values with its `name` as their origin; one with many senders has an origin for each. One that mirrors values subscribes,
    ignores changes whose origin is its own, and ends its subscription in `close`. What arrives from outside must never raise.
    """

    @property
    def name(self) -> str:
        """Where it can be reached, in a few words: for reports and as the origin of its values."""
        ...

    def start(self) -> None:
        """Begin to set parameters, in a thread of its own. Raises ConfigError where that is impossible."""
        ...

    def close(self) -> None:
        """Stop and release what it holds; safe to call twice."""
        ...
