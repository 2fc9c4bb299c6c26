"""Batches of consecutive sequences: pictures, the sound windows that belong to them, and which lanes start anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.core.random_state import RandomState
from training.data.augmentation import StreamAugmentation
from training.data.config import AugmentationConfig
from training.data.streams import Streams
from training.data.windows import Stretch, WindowTiming, pictures, sound_windows

# B lanes of this process, T frames, C colours, H W rows and columns, W window samples


@dataclass(frozen=True, slots=True)
class Batch:
    """One sequence a lane: what it sees, what it hears, and whether it remembers.

    Picture [b, t] is the one on screen when window [b, t] ends. Where `fresh_B` is false, the sequence goes on where the lane's
    sequence in the batch before ended, with the same mirror and colours.
    """

    real_BTCHW: Tensor
    """In [-1, 1]."""
    audio_BTW: Tensor
    """At the random gain of the sequence; all zeros where the sound was dropped."""
    fresh_B: Tensor
    """True where a lane starts anew and the state it carried means nothing."""


class SequenceReader:
    """Reads the training folds in lanes. All processes walk all lanes; each loads only its own."""

    def __init__(
        self,
        stretches: Sequence[Stretch],
        timing: WindowTiming,
        sequence_frames: int,
        augmentation: AugmentationConfig,
        chance: RandomState,
    ) -> None:
        """Every stretch holds a sequence at least."""
        self.stretches, self.timing, self.steps = tuple(stretches), timing, sequence_frames
        self.augmentation, self.chance = augmentation, chance
        self.lanes = Streams([stretch.fold for stretch in stretches], sequence_frames, chance.lanes, chance.generator)
        self.look = StreamAugmentation(augmentation, chance)

    def next(self) -> Batch:
        """Return the next sequence of every own lane."""
        places, fresh = self.lanes.advance()
        self.look.renew(fresh)
        own, fresh_B = places[self.chance.own], torch.tensor(fresh[self.chance.own])
        real = torch.stack([pictures(self.stretches[clip].clip, first, self.steps) for clip, first in own])
        audio = torch.stack([self._windows(clip, first) for clip, first in own]) * self._gains()
        return Batch(self.look.applied(real), self._dropped(audio, fresh_B), fresh_B)

    def elsewhere(self) -> Tensor:
        """Return sound windows [B, T, W] of another, random moment for each own lane."""
        rooms = [stretch.fold.count - self.steps + 1 for stretch in self.stretches]
        ends = np.cumsum(rooms)
        windows = []
        for place in (self.chance.per_lane() * int(ends[-1])).tolist():
            clip = int(np.searchsorted(ends, int(place), side="right"))
            first = self.stretches[clip].fold.first + int(place) - int(ends[clip] - rooms[clip])
            windows.append(self._windows(clip, first))
        return torch.stack(windows) * self._gains()

    def tensors(self) -> dict[str, Tensor]:
        """Return where every lane is and how it sees."""
        return {**self.lanes.tensors(), **self.look.tensors()}

    def restore(self, tensors: Mapping[str, Tensor]) -> bool:
        """Go on from there; False, and nothing changed, when lanes, clips or looks are not what they were."""
        if not self.look.fits(tensors) or not self.lanes.restore(tensors):
            return False
        self.look.restore(tensors)
        return True

    def _windows(self, clip: int, first: int) -> Tensor:
        sound_S = self.stretches[clip].clip.sound_S
        windows_TW: NDArray[np.float32] = sound_windows(sound_S, first, self.steps, self.timing)
        return torch.from_numpy(windows_TW)

    def _gains(self) -> Tensor:
        lowest_db, highest_db = self.augmentation.gain_range_db or (0.0, 0.0)
        gain_db = lowest_db + (highest_db - lowest_db) * self.chance.per_lane(1, 1)
        return 10.0 ** (gain_db / 20.0)

    def _dropped(self, audio_BTW: Tensor, fresh_B: Tensor) -> Tensor:
        """Silence some sequences of lanes that have something to remember."""
        if self.augmentation.audio_dropout == 0:
            return audio_BTW
        silent_B = (self.chance.per_lane() < self.augmentation.audio_dropout) & ~fresh_B
        return torch.where(silent_B.view(-1, 1, 1), 0.0, audio_BTW)
