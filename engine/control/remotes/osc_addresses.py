"""The OSC addresses of a show, and suggestions for wrong ones."""

from __future__ import annotations

from collections.abc import Iterable

from engine.core import osc_names
from engine.core.errors import nearest_name
from engine.core.printable import printable_name
from engine.core.token_bucket import Bucket

PREFIX = "/fluid/"
ERROR, PING, PONG, STATS = (
    PREFIX + name for name in (osc_names.ERROR, osc_names.PING, osc_names.PONG, osc_names.STATS)
)
SUBSCRIBE, UNSUBSCRIBE = (PREFIX + name for name in (osc_names.SUBSCRIBE, osc_names.UNSUBSCRIBE))
OUT_PREFIX = f"{PREFIX}{osc_names.OUT}/"
SUGGESTIONS_A_SECOND, SUGGESTIONS_AT_ONCE = 5.0, 10.0
MOST_REMEMBERED = 256


def address(name: str) -> str:
    """Return the OSC address of a parameter."""
    return PREFIX + name


class Suggestions:
    """Finds the nearest address. Comparing names is slow, so it happens a few times a second, and results are remembered."""

    def __init__(self) -> None:
        self._bucket = Bucket(SUGGESTIONS_A_SECOND, SUGGESTIONS_AT_ONCE)
        self._known: tuple[str, ...] = ()
        self._remembered: dict[str, str] = {}

    def unknown(self, to: str, names: Iterable[str], now_s: float) -> str:
        """Return the sentence for an unknown address, with the nearest one of parameters `names` if there is time."""
        shown = printable_name(to)
        return f"There is no address {shown}.{self._nearest(shown, tuple(names), now_s)}"

    def _nearest(self, to: str, names: tuple[str, ...], now_s: float) -> str:
        if names != self._known:
            # Another model plays.
            self._known = names
            self._remembered.clear()
        if to in self._remembered:
            return self._remembered[to]
        if not self._bucket.take(now_s):
            return ""
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        known = (osc_names.PING, osc_names.STATS, osc_names.SUBSCRIBE, osc_names.UNSUBSCRIBE, *names)
        # What all have in common would make all alike.
        nearest = nearest_name(to.removeprefix(PREFIX).strip("/"), known, PREFIX)
        self._remembered[to] = nearest
        return nearest
