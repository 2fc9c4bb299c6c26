"""The addresses that the engine itself answers or sends, below its prefix. No parameter and no control input is named so."""

from __future__ import annotations

ERROR, PING, PONG, STATS = "error", "ping", "pong", "stats"
SUBSCRIBE, UNSUBSCRIBE = "subscribe", "unsubscribe"
OUT = "out"
"""Below it stands what a show tells of itself, such as out/level."""
ENGINE_ADDRESSES = frozenset({ERROR, PING, PONG, STATS, SUBSCRIBE, UNSUBSCRIBE, OUT})
