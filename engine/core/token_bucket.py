"""A token bucket: the limit for what others may cause, over the network or by a remote."""

from __future__ import annotations


class Bucket:
    """Each action takes a token, and tokens come back at a fixed rate."""

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
