"""Limits for answers: a flood of mistakes or questions must not become a flood of answers."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from engine.core.token_bucket import Bucket

Sender = tuple[Any, ...]
"""Host and port; with IPv6 also flow label and scope."""

SENDER_ANSWERS_A_SECOND, SENDER_ANSWERS_AT_ONCE = 50.0, 100.0
"""A controller may ask for every parameter at once."""
ANSWERS_A_SECOND, ANSWERS_AT_ONCE = 100.0, 200.0
MOST_SENDERS = 256


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
