"""Batches of consecutive sequences: pictures, the sound windows that belong to them, and which lanes start anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.chance import Chance
from training.data.config import AugmentationConfig
from training.data.video import Clip
from training.data.windows import Fold, Lanes, WindowTiming, pictures, sound_windows

# B lanes of this process, T frames, C colours, H W rows and columns, W window samples


@dataclass(frozen=True, slots=True)
class Batch:
    """One sequence a lane."""

    real_BTCHW: Tensor
    """In [-1, 1]."""
    audio_BTW: Tensor
    fresh_B: Tensor
    """True where a lane starts anew and the state it carried means nothing."""


class Reader:
    """Reads the training fold in lanes. All processes walk all lanes; each loads only its own."""

    def __init__(
        self,
        clip: Clip,
        fold: Fold,
        timing: WindowTiming,
        sequence_frames: int,
        augmentation: AugmentationConfig,
        chance: Chance,
    ) -> None:
        self.clip, self.fold, self.timing, self.steps = clip, fold, timing, sequence_frames
        self.augmentation, self.chance = augmentation, chance
        self.lanes = Lanes(fold, sequence_frames, chance.lanes, chance.generator)

    def next(self) -> Batch:
        """Return the next sequence of every own lane."""
        starts, fresh = self.lanes.advance()
        own = starts[self.chance.own]
        real = torch.stack([pictures(self.clip, start, self.steps) for start in own])
        audio = torch.stack([self._windows(start) for start in own]) * self._gains()
        return Batch(real, audio, torch.tensor(fresh[self.chance.own]))

    def elsewhere(self) -> Tensor:
        """Return sound windows [B, T, W] of another, random moment for each own lane."""
        places = self.chance.per_lane() * (self.fold.count - self.steps + 1)
        starts = [self.fold.first + int(place) for place in places]
        return torch.stack([self._windows(start) for start in starts]) * self._gains()

    def tensors(self) -> dict[str, Tensor]:
        """Return where every lane is."""
        return {"next": torch.tensor(self.lanes.next_B), "fresh": torch.tensor(self.lanes.fresh_B)}

    def restore(self, tensors: Mapping[str, Tensor]) -> bool:
        """Go on from there; False, and nothing changed, when lanes or clip are not what they were."""
        places, fresh = tensors["next"], tensors["fresh"]
        if len(places) != self.chance.lanes or int(places.max()) + self.steps > self.fold.end:
            return False
        self.lanes.next_B, self.lanes.fresh_B = places.tolist(), fresh.tolist()
        return True

    def _windows(self, start: int) -> Tensor:
        windows_TW: NDArray[np.float32] = sound_windows(self.clip.sound_S, start, self.steps, self.timing)
        return torch.from_numpy(windows_TW)

    def _gains(self) -> Tensor:
        lowest_db, highest_db = self.augmentation.gain_range_db or (0.0, 0.0)
        gain_db = lowest_db + (highest_db - lowest_db) * self.chance.per_lane(1, 1)
        return 10.0 ** (gain_db / 20.0)
