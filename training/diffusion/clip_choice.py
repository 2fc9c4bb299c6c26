"""Which clips a run learns from: drawn with the run's own random numbers; one that cannot be read is left out and told, and does not end the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import torch

from engine.core.errors import MediaError
from engine.core.printable import print_line

Clip = TypeVar("Clip")
Read = TypeVar("Read")
MOST_SEED = 2**62


class ClipChoice(Generic[Clip, Read]):
    """Clips, and how a part of one is read with a source of random numbers; that raises MediaError for a clip that cannot be used."""

    def __init__(self, clips: Sequence[Clip], read: Callable[[Clip, torch.Generator], Read]) -> None:
        self._clips, self._read = clips, read
        self._left_out = set[int]()

    def draw(self, random: torch.Generator) -> tuple[Clip, Read]:
        """Return a clip and what was read of it. Raises MediaError, the last one met, where no clip is left.

        A clip that is passed over takes as many numbers of `random` as one that is read, whether it failed now or before: a run that
        goes on draws what it would have drawn.
        """
        while True:
            number, seed = (int(torch.randint(most, (), generator=random)) for most in (len(self._clips), MOST_SEED))
            if number in self._left_out:
                continue
            try:
                return self._clips[number], self._read(self._clips[number], torch.Generator().manual_seed(seed))
            except MediaError as error:
                self._left_out.add(number)
                if len(self._left_out) == len(self._clips):
                    raise
                print_line(f"notice    left out: {error}")
