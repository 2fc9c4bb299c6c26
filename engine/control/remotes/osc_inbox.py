"""Applies OSC messages to a show: a batch of datagrams is sorted, applied, and answered as far as the limits allow.

Of a parameter's values the last valid one counts, all triggers are counted, all events are sent, and questions come last, so that their
answers are up to date. Of an address pattern the last press and the last release of a batch count. Messages of a bundle whose time has not come wait in a schedule.
No answer can cause another one: `/fluid/error`, `/fluid/pong`, `/fluid/stats` with values and `/fluid/out/...` are never answered, and `/fluid/NAME value` only with an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from engine.control.parameter import Parameter
from engine.control.remotes.osc_addresses import (
    ERROR,
    OUT_PREFIX,
    PING,
    PONG,
    PREFIX,
    STATS,
    SUBSCRIBE,
    UNSUBSCRIBE,
    Suggestions,
    address,
)
from engine.control.remotes.osc_limits import AnswerLimits, Sender
from engine.control.remotes.osc_message import OscValue
from engine.control.remotes.osc_packet import IMMEDIATELY, NOT_OSC, parse, raw_address, split
from engine.control.remotes.osc_patterns import Patterns
from engine.control.remotes.osc_schedule import FarAheadError, Schedule, ahead_s
from engine.control.remotes.osc_senders import origin_of
from engine.control.remotes.osc_subscribers import Subscribers
from engine.control.remotes.osc_values import described, remote_value
from engine.control.remotes.remote_access import RemoteAccess
from engine.core.clock import Clock, WallClock
from engine.core.errors import ConfigError
from engine.core.notices import ToldOnce
from engine.core.printable import printable_name
from engine.core.token_bucket import Bucket

FOREIGN_ANSWERS_A_SECOND, FOREIGN_ANSWERS_AT_ONCE = 0.2, 3.0
UNKNOWN_TOLD, FOREIGN_TOLD = 10, 3
"""Addresses that the terminal is told of."""
_LONGEST_ANSWER = 500
_PREFIX_BYTES, _OUT_BYTES = PREFIX.encode(), OUT_PREFIX.encode()
_SPECIAL_BYTES = re.compile(rb"[*?\[\]{}]")
_NO_PARAMETERS = frozenset((ERROR, PING, PONG, STATS, SUBSCRIBE, UNSUBSCRIBE))

Answer = tuple[str, tuple[OscValue, ...]]
Key = str | int | tuple[str, bool]
"""A parameter's name, a number for each event, a pattern and whether its value is a press."""


@dataclass(slots=True)
class Counts:
    """Messages and answers so far."""

    received: int = 0
    """Messages, including those that were refused."""
    refused: int = 0
    foreign: int = 0
    """Refused messages whose address does not begin with /fluid/."""
    clipped: int = 0
    unanswered: int = 0
    """Answers that were left out to keep within the limits."""
    strangers: int = 0
    """Datagrams and connections of senders that may not send, which were not read."""
    far_ahead: int = field(default=0, init=False)
    """Refused messages whose time was too far ahead."""

    def figures(self) -> dict[str, int]:
        """Return the counts that /fluid/stats reports."""
        return {
            "osc_received": self.received,
            "osc_refused": self.refused,
            "osc_foreign": self.foreign,
            "osc_unanswered": self.unanswered,
            "osc_strangers": self.strangers,
            "osc_far_ahead": self.far_ahead,
        }


class Inbox:
    """For one thread: `put` any number of datagrams, then `apply` them."""

    def __init__(
        self,
        access: RemoteAccess,
        describe_stats: Callable[[], Mapping[str, float]],
        clock: Clock,
        subscribers: Subscribers | None = None,
        unix_s: Callable[[], float] = WallClock.unix_s,
    ) -> None:
        """`unix_s` gives the wall time, by which bundles say when they are due. The origin of a value is its sender's."""
        self.counts = Counts()
        self._access = access
        self._describe_stats = describe_stats
        self._clock = clock
        self._subscribers = subscribers
        self._unix_s = unix_s
        self._schedule = Schedule()
        self._limits = AnswerLimits()
        self._foreign_answers = Bucket(FOREIGN_ANSWERS_A_SECOND, FOREIGN_ANSWERS_AT_ONCE)
        self._suggestions = Suggestions()
        self._patterns = Patterns()
        self._parameters: Mapping[str, Parameter] = {}
        self._addresses: frozenset[bytes] = frozenset()
        self._unknown_told = ToldOnce(access.notify, UNKNOWN_TOLD)
        self._foreign_told = ToldOnce(access.notify, FOREIGN_TOLD)
        self._requests: dict[Key, tuple[str, Any, Sender | None, int]] = {}
        """Name or pattern, value, sender, and for a trigger how often it was given, in the order in which the last of each came."""
        self._questions: list[tuple[str, Sender]] = []
        self._answers: list[tuple[Sender, Answer]] = []

    def put(self, datagram: bytes, sender: Sender | None) -> None:
        """Sort the messages of a datagram, or keep those that are due later; None is a sender that gets no answer."""
        is_far_told = False
        for message, tag in split(datagram):
            self.counts.received += 1
            if isinstance(message, ConfigError):
                # Raised here, it would be a cycle for the garbage collector, which the step thread has to run.
                self._refuse(sender, message.__str__)
                continue
            try:
                if tag > IMMEDIATELY and (wait_s := ahead_s(tag, self._unix_s())):
                    self._schedule.put(self._clock.now_s() + wait_s, message, sender)
                else:
                    self._sort(message, sender)
            except FarAheadError as error:
                self.counts.far_ahead += 1
                # One answer for a whole bundle.
                self._refuse(None if is_far_told else sender, error.__str__)
                is_far_told = True
            except ConfigError as error:
                self._refuse(sender, error.__str__)

    def refuse(self, sentence: str, sender: Sender) -> None:
        """Count what is no datagram at all, and answer it when it is time to apply."""
        self.counts.received += 1
        self._refuse(sender, lambda: sentence)

    def due_in_s(self) -> float | None:
        """Return in how many seconds `apply` has to be called for a message that waits for its time; None when none does."""
        return None if self._schedule.next_s is None else self._schedule.next_s - self._clock.now_s()

    def apply(self) -> list[tuple[Sender, Answer]]:
        """Apply the messages that were put and those that are due by now, and return the answers with their receivers."""
        for message, sender in self._schedule.take(self._clock.now_s()):
            try:
                self._sort(message, sender)
            except ConfigError as error:
                self._refuse(sender, error.__str__)
        requests, self._requests = self._requests, {}
        for key, (name, value, sender, times) in requests.items():
            try:
                if isinstance(key, tuple):
                    self._set_matched(name, value, sender)
                else:
                    self._set(name, value, sender, times)
            except ConfigError as error:
                self._refuse(sender, error.__str__)
        questions, self._questions = self._questions, []
        for to, sender in questions:
            if reply := self._reply(to):
                self._answers.append((sender, reply))
        answers, self._answers = self._answers, []
        return answers

    def _sort(self, message: bytes, sender: Sender | None) -> None:
        """Keep a message until `apply`. Raises ConfigError."""
        if not message.startswith(b"/"):
            raise ConfigError(NOT_OSC)
        raw = raw_address(message)
        if raw not in self._known_addresses():
            self._sort_unknown(message, raw, sender)
            return
        to, values = parse(message)
        if to in _NO_PARAMETERS:
            # Anything else is the answer of another show.
            if to == PING or (to == STATS and not values):
                self._ask(to, sender)
            if sender and self._subscribers:
                self._attend(self._subscribers, to, values, sender)
            return
        _check_count(to, values)
        # Looked up once: another model's parameters may take the place of these at any moment.
        parameter = self._access.find(to.removeprefix(PREFIX))
        if parameter is None:
            self._refuse_unknown(raw, sender)
        elif values or parameter.kind == "trigger":
            if self._access.is_locked(parameter.name):
                self._access.check(parameter.name, _who(sender))
            value = remote_value(parameter, values[0] if values else None)
            # An invalid value must not replace a valid one.
            parsed = parameter.parse(value)
            if parameter.kind == "trigger":
                # A release does nothing.
                if parsed:
                    self._count_trigger(parameter.name, sender)
            else:
                self._keep(self.counts.received if parameter.happens else parameter.name, parameter.name, value, sender)
        elif parameter.happens:
            raise ConfigError(f"{to} takes {parameter.expected()}, and came without one.")
        else:
            self._ask(to, sender)

    def _attend(self, subscribers: Subscribers, to: str, values: list[Any], sender: Sender) -> None:
        """Take what a subscriber says. Raises ConfigError."""
        if to == SUBSCRIBE:
            subscribers.subscribe(sender, values, self._clock.now_s())
        elif to == UNSUBSCRIBE:
            subscribers.unsubscribe(sender, values)
        elif to == PING:
            subscribers.renew(sender, self._clock.now_s())

    def _known_addresses(self) -> frozenset[bytes]:
        """Return the addresses that are answered or have a parameter, by their former names too."""
        parameters = self._access.parameters
        if parameters is not self._parameters:
            # Another model plays.
            names = [name for p in parameters.values() for name in (p.name, *p.former_names)]
            self._parameters = parameters
            self._addresses = frozenset(to.encode() for to in (*_NO_PARAMETERS, *map(address, names)))
        return self._addresses

    def _sort_unknown(self, message: bytes, raw: bytes, sender: Sender | None) -> None:
        """Sort a message to a pattern or to an address that nobody knows, before the rest of it is read. Raises ConfigError."""
        if raw.startswith(_OUT_BYTES):
            # Another show tells of itself.
            return
        has_prefix = raw.startswith(_PREFIX_BYTES)
        if not has_prefix and not _may_match(raw):
            self._refuse_foreign(raw, sender)
        elif len(message) % 4:
            raise ConfigError(NOT_OSC)
        elif has_prefix and not _SPECIAL_BYTES.search(raw):
            self._refuse_unknown(raw, sender)
        else:
            self._sort_pattern(message, raw.decode(errors="replace"), sender)

    def _sort_pattern(self, message: bytes, pattern: str, sender: Sender | None) -> None:
        matched = self._patterns.match(pattern, self._access.parameters, self._clock.now_s())
        values = parse(message).values
        _check_count(pattern, values)
        if not matched.names and not pattern.startswith(PREFIX):
            self._refuse_foreign(pattern.encode(), sender)
        elif not matched.names:
            sentence = f"No parameter matches {printable_name(pattern)}."
            self._unknown_told.tell(pattern, lambda: f"OSC: {sentence} This is told once.")
            raise ConfigError(sentence)
        elif values:
            value = values[0]
            if isinstance(value, bool) or (isinstance(value, (int, float)) and math.isfinite(value)):
                self._keep((pattern, value > 0), pattern, value, sender)
            else:
                raise ConfigError(f"{printable_name(pattern)} takes a number, not {described(value)}.")
        elif matched.triggers_alone:
            self._keep((pattern, True), pattern, None, sender)
        else:
            for number, to in enumerate(matched.asked):
                if not self._ask(to, sender):
                    # Those that come after it would not be answered either.
                    self.counts.unanswered += len(matched.asked) - number - 1
                    return

    def _count_trigger(self, name: str, sender: Sender | None) -> None:
        before = self._requests.get(name)
        self._keep(name, name, True, sender, 1 + (before[3] if before else 0))

    def _keep(self, key: Key, name: str, value: Any, sender: Sender | None, times: int = 1) -> None:
        # What came last is applied last.
        self._requests.pop(key, None)
        self._requests[key] = name, value, sender, times

    def _set_matched(self, pattern: str, value: Any, sender: Sender | None) -> None:
        """Set what a pattern matches. Events are left out: a scene is recalled or saved by its whole address. Raises ConfigError."""
        matched = self._patterns.match(pattern, self._access.parameters, self._clock.now_s())
        parameters = [p for name in matched.names if (p := self._access.find(name)) and p.kind != "event"]
        refusals = list[str]()
        for parameter in parameters:
            try:
                if self._access.is_locked(parameter.name):
                    self._access.check(parameter.name, _who(sender))
                self._set(parameter.name, remote_value(parameter, value), sender)
            except ConfigError as error:
                refusals.append(str(error))
        if not parameters:
            raise ConfigError(f"{printable_name(pattern)} matches events alone, which need their whole addresses.")
        if refusals:
            raise ConfigError(
                f"{len(refusals)} of {len(parameters)} parameters that {printable_name(pattern)} matches are not set: {refusals[0]}"
            )

    def _set(self, name: str, value: Any, sender: Sender | None, times: int = 1) -> None:
        applied = self._access.set(name, value, origin=origin_of(sender), times=times)
        if applied.clipped:
            self.counts.clipped += 1
            parameter = self._access.parameters.get(name)
            # None: another model's parameters have come in between.
            if parameter:
                self._tell(sender, lambda: f"{name} takes {parameter.expected()}; it is now {applied.value:g}.")

    def _ask(self, to: str, sender: Sender | None) -> bool:
        """Keep a question, and return whether it will be answered."""
        if not self._may_answer(sender):
            return False
        self._questions.append((to, sender))
        return True

    def _reply(self, to: str) -> Answer | None:
        if to == PING:
            return PONG, ()
        if to == STATS:
            return STATS, tuple(item for pair in self._describe_stats().items() for item in pair)
        parameter = self._access.find(to.removeprefix(PREFIX))
        value = self._access.values().get(parameter.name) if parameter else None
        # Another model's parameters may have come in between.
        return None if value is None else (to, (value,))

    def _refuse_foreign(self, raw: bytes, sender: Sender | None) -> None:
        self.counts.foreign += 1
        if self._foreign_answers.take(self._clock.now_s()):
            to = raw.decode(errors="replace")
            self._foreign_told.tell(to, lambda: f"OSC: {self._unknown(to)} This is told once.")
            self._refuse(sender, lambda: self._unknown(to))
        else:
            self.counts.refused += 1
            self.counts.unanswered += 1

    def _refuse_unknown(self, raw: bytes, sender: Sender | None) -> None:
        def sentence() -> str:
            return self._unknown(raw.decode(errors="replace"))

        if not self._unknown_told.is_full:
            to = raw.decode(errors="replace")
            self._unknown_told.tell(to, lambda: f"OSC: {sentence()} This is told once.")
        self._refuse(sender, sentence)

    def _unknown(self, to: str) -> str:
        return self._suggestions.unknown(to, self._access.parameters, self._clock.now_s())

    def _refuse(self, sender: Sender | None, sentence: Callable[[], str]) -> None:
        self.counts.refused += 1
        self._tell(sender, sentence)

    def _tell(self, sender: Sender | None, sentence: Callable[[], str]) -> None:
        """Answer with a sentence, which is built only if it may be sent."""
        if self._may_answer(sender):
            self._answers.append((sender, (ERROR, (sentence()[:_LONGEST_ANSWER],))))

    def _may_answer(self, sender: Sender | None) -> TypeGuard[Sender]:
        if sender is None:
            return False
        allowed = self._limits.allow(sender, self._clock.now_s())
        self.counts.unanswered += not allowed
        return allowed


def _who(sender: Sender | None) -> str:
    return f"OSC of {sender[0]}" if sender else "OSC"


def _check_count(to: str, values: list[Any]) -> None:
    """Raise ConfigError for more than one value."""
    if len(values) > 1:
        raise ConfigError(f"{printable_name(to)} takes one value, not {len(values)}.")


def _may_match(raw: bytes) -> bool:
    """Return whether the first part of an address is a pattern, such as /*/zoom."""
    return bool(_SPECIAL_BYTES.search(raw.partition(b"/")[2].partition(b"/")[0]))
