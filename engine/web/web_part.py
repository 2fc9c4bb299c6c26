"""What the one port serves is put together from parts."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web


class WebPart(Protocol):
    """A part of the server: it has routes, and is called in the server's event loop alone.

    Access is checked before: Host, Origin and token, see engine/web/access.py. A handler waits for nothing but the network; what
    takes as long as a disk is given to a thread.
    """

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses that it answers."""
        ...
