"""Limits for answers: a flood of mistakes or questions must not become a flood of answers."""

from __future__ import annotations

from collections import OrderedDict

Sender = tuple[str, int]
"""Host and port."""

SENDER_ANSWERS_A_SECOND, SENDER_ANSWERS_AT_ONCE = 50.0, 100.0
"""A controller may ask for every parameter at once."""
ANSWERS_A_SECOND, ANSWERS_AT_ONCE = 100.0, 200.0
MOST_SENDERS = 256


class Bucket:
    """A token bucket: each action takes a token, and tokens come back at a fixed rate."""

    def __init__(self, tokens_a_second: float, most_tokens: float) -> None:
        """Begin full."""
        self._tokens_a_second = tokens_a_second
        self._most_tokens = most_tokens
        self._tokens = most_tokens
        self._taken_s: float | None = None

    def take(self, now_s: float) -> bool:
        """Take a token, and return whether there was one."""
        passed_s = 0.0 if self._taken_s is None else now_s - self._taken_s
        self._taken_s = now_s
        self._tokens = min(self._most_tokens, self._tokens + passed_s * self._tokens_a_second)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class AnswerLimits:
    """One bucket for each of the newest senders and one for all."""

    def __init__(self) -> None:
        self._all = Bucket(ANSWERS_A_SECOND, ANSWERS_AT_ONCE)
        self._senders: OrderedDict[Sender, Bucket] = OrderedDict()

    def allow(self, sender: Sender, now_s: float) -> bool:
        """Return whether `sender` may be answered now."""
        bucket = self._senders.pop(sender, None) or Bucket(SENDER_ANSWERS_A_SECOND, SENDER_ANSWERS_AT_ONCE)
        self._senders[sender] = bucket
        if len(self._senders) > MOST_SENDERS:
            self._senders.popitem(last=False)
        return bucket.take(now_s) and self._all.take(now_s)
