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

    def take(self, now_s: float, tokens: float = 1.0) -> bool:
        """Take a token, or so many, and return whether they were there."""
        if not self.has_token(now_s, tokens):
            return False
        self._tokens -= tokens
        return True

    def has_token(self, now_s: float, tokens: float = 1.0) -> bool:
        """Return whether there is a token, or so many."""
        passed_s = 0.0 if self._taken_s is None else now_s - self._taken_s
        self._taken_s = now_s
        self._tokens = min(self._most_tokens, self._tokens + passed_s * self._tokens_a_second)
        return self._tokens >= tokens
