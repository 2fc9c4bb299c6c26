"""The random numbers of a run: every process draws the same ones and keeps the rows of its own training streams.

So two processes with one stream each train on exactly what one process with two streams trains on.
"""

from __future__ import annotations

import torch
from torch import Tensor

# B streams of this process


class RandomState:
    """One generator for everything random in training; its state goes into the checkpoint."""

    def __init__(self, seed: int, streams: int = 1, first: int = 0, own: int | None = None) -> None:
        """`streams` in all processes together, of which this one has `own` (default: all the rest) from number `first`."""
        self.generator = torch.Generator().manual_seed(seed)
        self.streams = streams
        self.own = slice(first, streams if own is None else first + own)

    def per_stream(self, *shape: int) -> Tensor:
        """Return uniform numbers in [0, 1) [B, *shape] for this process's streams."""
        return torch.rand(self.streams, *shape, generator=self.generator)[self.own]

    def integer(self, high: int) -> int:
        """Return one of 0 … high - 1, the same in every process."""
        return int(torch.randint(high, (1,), generator=self.generator))

    def order(self, count: int) -> Tensor:
        """Return a random order of `count` things, the same in every process."""
        return torch.randperm(count, generator=self.generator)

    def state(self) -> Tensor:
        """Return the generator's state as bytes."""
        return self.generator.get_state()

    def restore(self, state: Tensor) -> None:
        """Go on where `state` was taken."""
        self.generator.set_state(state)
