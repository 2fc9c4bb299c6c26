"""The random numbers of a run, drawn alike in every process; each process keeps the rows of its own lanes.

So two processes with one lane each train on exactly what one process with two lanes trains on.
"""

from __future__ import annotations

import torch
from torch import Tensor

# B lanes of this process


class RandomState:
    """One generator for everything random in training; its state goes into the checkpoint."""

    def __init__(self, seed: int, lanes: int = 1, first: int = 0, own: int | None = None) -> None:
        """`lanes` in all processes together, of which this one has `own` (default: all the rest) from number `first`."""
        self.generator = torch.Generator().manual_seed(seed)
        self.lanes = lanes
        self.own = slice(first, lanes if own is None else first + own)

    def per_lane(self, *shape: int) -> Tensor:
        """Return uniform numbers in [0, 1) [B, *shape] for this process's lanes."""
        return torch.rand(self.lanes, *shape, generator=self.generator)[self.own]

    def normal_per_lane(self, *shape: int) -> Tensor:
        """Return standard normal numbers [B, *shape] for this process's lanes."""
        return torch.randn(self.lanes, *shape, generator=self.generator)[self.own]

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
