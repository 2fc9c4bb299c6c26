"""Who may ask to be told of changes with `/fluid/subscribe`, and for how long.

The sender of a datagram can be forged, so that a small question must not become a stream to somebody who did not ask: feedback goes
to the machine that asked, one that is this machine or that osc_allow names, for EXPIRES_S, to so many, with so many whole tables.
A connection by TCP cannot be forged, and may always subscribe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.control.remotes.osc_addresses import PING, SUBSCRIBE, UNSUBSCRIBE
from engine.control.remotes.osc_feedback import Feedback, Follower
from engine.control.remotes.osc_limits import Sender
from engine.control.remotes.osc_senders import TCP, AllowedSenders, is_loopback, origin_of
from engine.core.errors import ConfigError
from engine.core.token_bucket import Bucket

MOST_SUBSCRIBERS = 16
EXPIRES_S = 60.0
TABLES_A_SECOND, TABLES_AT_ONCE = 0.5, 4.0
"""How often all subscribers together may ask for the whole table."""
LOWEST_PORT = 1024
"""Below it stand services that answer, such as DNS."""


class Subscribers:
    """For one thread. `send` sends a datagram to a sender; it never waits and never raises."""

    def __init__(self, feedback: Feedback, allowed: AllowedSenders, send: Callable[[Sender, bytes], None]) -> None:
        self._feedback = feedback
        self._allowed = allowed
        self._send = send
        self._tables = Bucket(TABLES_A_SECOND, TABLES_AT_ONCE)
        self._followers: dict[Sender, Follower] = {}
        """By who is told: the sender, or its machine with another port."""

    def subscribe(self, sender: Sender, values: list[Any], now_s: float) -> None:
        """Tell `sender`, or the port of its machine that `values` may name, the whole table and changes. Raises ConfigError."""
        receiver = _receiver(sender, values, SUBSCRIBE)
        self._drop_expired(now_s)
        if TCP not in sender[2:] and not (is_loopback(sender[0]) or self._allowed.are_named):
            raise ConfigError(
                f"Another machine may subscribe where osc_allow names it: start the show with --osc-allow {sender[0]}, "
                f"or with --osc-out {sender[0]}:{receiver[1]}."
            )
        if receiver not in self._followers and len(self._followers) >= MOST_SUBSCRIBERS:
            raise ConfigError(
                f"{MOST_SUBSCRIBERS} remotes have subscribed, and more may not; one that is silent makes room after {EXPIRES_S:g} s."
            )
        if not self._tables.take(now_s):
            raise ConfigError(
                f"Remotes may subscribe {TABLES_AT_ONCE:g} times at once and then once every {1 / TABLES_A_SECOND:g} s; "
                f"subscribe again in a moment, and renew with {PING}."
            )
        follower = self._followers.get(receiver)
        if follower is None:
            follower = Follower(lambda datagram: self._send(receiver, datagram))
            self._followers[receiver] = follower
        # A program that was started again sends from another port than before.
        follower.origins = frozenset((origin_of(sender), origin_of(receiver)))
        follower.expires_s = now_s + EXPIRES_S
        self._feedback.add(follower)

    def unsubscribe(self, sender: Sender, values: list[Any]) -> None:
        """Tell a receiver that has subscribed nothing more. Raises ConfigError."""
        follower = self._followers.pop(_receiver(sender, values, UNSUBSCRIBE), None)
        if follower:
            self._feedback.remove(follower)

    def renew(self, sender: Sender, now_s: float) -> None:
        """Take a sign of life: what a sender has subscribed goes on."""
        if not self._followers:
            return
        self._drop_expired(now_s)
        origin = origin_of(sender)
        for follower in self._followers.values():
            if origin in follower.origins:
                follower.expires_s = now_s + EXPIRES_S

    def end(self, sender: Sender) -> None:
        """Forget a sender whose connection has ended."""
        if follower := self._followers.pop(sender, None):
            self._feedback.remove(follower)

    def _drop_expired(self, now_s: float) -> None:
        for receiver, follower in list(self._followers.items()):
            if follower.expires_s <= now_s:
                self.end(receiver)


def _receiver(sender: Sender, values: list[Any], to: str) -> Sender:
    """Return who is to be told. Raises ConfigError for what is no port."""
    if not values or TCP in sender[2:]:
        return sender
    port = values[0]
    if (
        len(values) > 1
        or isinstance(port, bool)
        or not isinstance(port, (int, float))
        or not 0 <= port < 1 << 16
        or port != int(port)
    ):
        raise ConfigError(f"{to} takes nothing or one UDP port, e.g. 9001.")
    if port < LOWEST_PORT:
        raise ConfigError(
            f"{to} takes a port from {LOWEST_PORT} up, not {port:g}; let the remote listen on another one."
        )
    return (sender[0], int(port), *sender[2:])
