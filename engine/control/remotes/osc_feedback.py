"""Tells followers what changed in a show: `/fluid/NAME value` for each parameter that another remote, a key or a scene has set.

A follower is never told of what it set itself, so a page of faders follows a MIDI controller and is not pulled back by its own
echo, and two shows that follow each other fall silent. Triggers and events are not told: to tell one would be to give it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from engine.control.parameter import Parameter, Value
from engine.control.remotes.osc_message import build_value
from engine.control.remotes.remote_access import RemoteAccess
from engine.control.subscription import StoreChange, Subscription
from engine.core.clock import Clock

TIMES_A_SECOND = 60.0
"""How often followers are told at most; of values that change faster, the last one counts."""
MOST_A_SECOND = 2000.0
"""Messages to all followers together."""
REFRESHES_AFTER_S = 10.0
"""How long a follower is not reminded of a value that it set itself: its fader may still be moving."""


@dataclass(eq=False, slots=True)
class Follower:
    """Somebody who is told of changes."""

    send: Callable[[bytes], None]
    """Sends a datagram; it never waits and never raises."""
    origins: frozenset[str] = frozenset()
    """Origins of the values that it sets itself."""
    machine: str = ""
    """What the origins of all senders of its machine begin with, where that machine is one remote; else empty."""
    expires_s: float = float("inf")
    set_s: dict[str, float] = field(default_factory=dict[str, float])
    """When it set a parameter last, by name."""


class Feedback:
    """All followers of a show. Any thread may call."""

    def __init__(self, access: RemoteAccess, clock: Clock) -> None:
        self._access = access
        self._clock = clock
        self._lock = threading.Lock()
        self._followers: tuple[Follower, ...] = ()
        self._subscription: Subscription | None = None
        self._known: dict[str, Value] = {}
        """What all followers know, by name: they were told, or have set it."""

    def add(self, follower: Follower) -> None:
        """Tell a follower the whole table, and of changes from now on."""
        with self._lock:
            if self._subscription is None:
                # Nobody pays for feedback that nobody wants.
                self._subscription = self._access.subscribe(self._follow, "osc feedback")
            if follower not in self._followers:
                self._followers = (*self._followers, follower)
            values = self._access.values()
            self._known = {**values, **self._known}
            self._tell((follower,), values)

    def remove(self, follower: Follower) -> None:
        """Tell a follower nothing more."""
        with self._lock:
            self._followers = tuple(other for other in self._followers if other is not follower)

    def remind(self, follower: Follower) -> None:
        """Tell a follower again what it did not set itself lately, in case it came late or a datagram was lost."""
        with self._lock:
            latest_s = self._clock.now_s() - REFRESHES_AFTER_S
            values = self._access.values()
            self._tell(
                (follower,),
                {name: value for name, value in values.items() if follower.set_s.get(name, float("-inf")) < latest_s},
            )

    def close(self) -> None:
        """Tell nobody anything more; safe to call twice."""
        if self._subscription:
            self._subscription.close()

    def _follow(self, change: StoreChange) -> None:
        """Tell a change, and rest: meanwhile later changes are put together."""
        with self._lock:
            now_s = self._clock.now_s()
            self._followers = tuple(follower for follower in self._followers if follower.expires_s > now_s)
            if change.parameters is not None:
                self._known = {name: value for name, value in self._known.items() if name in change.values}
            sent = 0
            for name, value in change.values.items():
                if self._known.get(name) == value:
                    continue
                self._known[name] = value
                setters = self._setters(change.origins[name])
                for follower in setters:
                    follower.set_s[name] = now_s
                sent += self._tell((f for f in self._followers if f not in setters), {name: value})
        self._clock.sleep(max(1.0 / TIMES_A_SECOND, sent / MOST_A_SECOND))

    def _setters(self, origin: str) -> tuple[Follower, ...]:
        """Return the followers that a value came from."""
        exact = tuple(follower for follower in self._followers if origin in follower.origins)
        # A program on another machine may send from another port than it listens on.
        return exact or tuple(f for f in self._followers if f.machine and origin.startswith(f.machine))

    def _tell(self, followers: Iterable[Follower], values: Mapping[str, Value]) -> int:
        parameters: Mapping[str, Parameter] = self._access.parameters
        known = [(p, value) for name, value in values.items() if (p := parameters.get(name)) and not p.happens]
        datagrams = [build_value(parameter, value) for parameter, value in known]
        sent = 0
        for follower in followers:
            for datagram in datagrams:
                follower.send(datagram)
                sent += 1
        return sent
