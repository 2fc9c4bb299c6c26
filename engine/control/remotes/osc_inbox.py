"""Applies OSC messages to a show: a batch of datagrams is sorted, applied, and answered as far as the limits allow.

Of a parameter's values the last valid one counts, all triggers and events are sent, and questions come last, so that their
answers are up to date. No answer can cause another one: `/fluid/error`, `/fluid/pong` and `/fluid/stats` with
values are never answered, and `/fluid/NAME value` only with an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from engine.control.parameter_store import ParameterStore
from engine.control.remotes.osc_addresses import ERROR, PING, PONG, PREFIX, STATS, Suggestions
from engine.control.remotes.osc_limits import AnswerLimits, Bucket, Sender
from engine.control.remotes.osc_packet import parse, raw_address, split
from engine.core.clock import Clock
from engine.core.errors import ConfigError

FOREIGN_ANSWERS_A_SECOND, FOREIGN_ANSWERS_AT_ONCE = 0.2, 3.0
_LONGEST_ANSWER = 500

Answer = tuple[str, tuple[float | int | bool | str, ...]]


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

    def figures(self) -> dict[str, int]:
        """Return the counts that /fluid/stats reports."""
        return {
            "osc_received": self.received,
            "osc_refused": self.refused,
            "osc_foreign": self.foreign,
            "osc_unanswered": self.unanswered,
        }


class Inbox:
    """For one thread: `put` any number of datagrams, then `apply` them."""

    def __init__(
        self,
        store: ParameterStore,
        describe_stats: Callable[[], Mapping[str, float]],
        clock: Clock,
        origin: str = "osc",
    ) -> None:
        """`origin` is the origin of the values that it sets."""
        self.counts = Counts()
        self._store = store
        self._describe_stats = describe_stats
        self._clock = clock
        self._origin = origin
        self._limits = AnswerLimits()
        self._foreign_answers = Bucket(FOREIGN_ANSWERS_A_SECOND, FOREIGN_ANSWERS_AT_ONCE)
        self._suggestions = Suggestions()
        self._requests: dict[str | int, tuple[str, Any, Sender | None]] = {}
        """Name, value and sender; by name, or by a number for each trigger and event. In the order in which they came."""
        self._questions: list[tuple[str, Sender]] = []
        self._answers: list[tuple[Sender, Answer]] = []

    def put(self, datagram: bytes, sender: Sender | None) -> None:
        """Sort the messages of a datagram; None is a sender that gets no answer."""
        for message in split(datagram):
            self.counts.received += 1
            try:
                if isinstance(message, ConfigError):
                    raise message
                self._sort(message, sender)
            except ConfigError as error:
                self._refuse(sender, error.__str__)

    def apply(self) -> list[tuple[Sender, Answer]]:
        """Apply the messages that were put, and return the answers with their receivers."""
        requests, self._requests = self._requests, {}
        for name, value, sender in requests.values():
            try:
                self._set(name, value, sender)
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
        if message.startswith(b"/") and not message.startswith(PREFIX.encode()):
            self._refuse_foreign(raw_address(message), sender)
            return
        to, values = parse(message)
        if to in (ERROR, PONG) or (to == STATS and values):
            # The answer of another show.
            return
        if to in (PING, STATS):
            self._ask(to, sender)
            return
        name = to.removeprefix(PREFIX)
        # Looked up once: another model's parameters may take the place of these at any moment.
        parameter = self._store.find(name)
        if parameter is None:
            self._refuse(sender, lambda: self._unknown(to))
        elif len(values) > 1:
            raise ConfigError(f"{to} takes one value, not {len(values)}.")
        elif parameter.happens:
            self._requests[self.counts.received] = parameter.name, values[0] if values else None, sender
        elif values:
            # An invalid value must not replace a valid one.
            parameter.parse(values[0])
            self._requests.pop(parameter.name, None)
            self._requests[parameter.name] = parameter.name, values[0], sender
        else:
            self._ask(to, sender)

    def _set(self, name: str, value: Any, sender: Sender | None) -> None:
        applied = self._store.set(name, value, origin=self._origin)
        if applied.clipped:
            self.counts.clipped += 1
            parameter = self._store.parameters.get(name)
            # None: another model's parameters have come in between.
            if parameter:
                self._tell(sender, lambda: f"{name} takes {parameter.expected()}; it is now {applied.value:g}.")

    def _ask(self, to: str, sender: Sender | None) -> None:
        if self._may_answer(sender):
            self._questions.append((to, sender))

    def _reply(self, to: str) -> Answer | None:
        if to == PING:
            return PONG, ()
        if to == STATS:
            return STATS, tuple(item for pair in self._describe_stats().items() for item in pair)
        parameter = self._store.find(to.removeprefix(PREFIX))
        value = self._store.values().get(parameter.name) if parameter else None
        # Another model's parameters may have come in between.
        return None if value is None else (to, (value,))

    def _refuse_foreign(self, raw: bytes, sender: Sender | None) -> None:
        self.counts.foreign += 1
        if self._foreign_answers.take(self._clock.now_s()):
            self._refuse(sender, lambda: self._unknown(raw.decode(errors="replace")))
        else:
            self.counts.refused += 1
            self.counts.unanswered += 1

    def _unknown(self, to: str) -> str:
        return self._suggestions.unknown(to, self._store.parameters, self._clock.now_s())

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
