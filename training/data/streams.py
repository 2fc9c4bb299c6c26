"""Where each of B lanes reads: consecutive sequences to the end of a clip, then the next clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from training.data.windows import Fold

# B lanes of all processes together


class Streams:
    """B readers that walk the training folds of all clips, sequence by sequence, from different places.

    A lane reads a clip to its end, then the next one (the same one, if there is only one), so every clip is seen in proportion
    to its length. It begins each at a random offset in [0, sequence), as in arXiv 2406.16155, and with a fresh state.
    """

    def __init__(self, folds: Sequence[Fold], sequence_frames: int, lanes: int, random: torch.Generator) -> None:
        """Every fold holds a sequence at least."""
        self.folds, self.sequence_frames, self.random = tuple(folds), sequence_frames, random
        begun = [self._spread(lane, lanes) for lane in range(lanes)]
        self.clip_B = [clip for clip, _ in begun]
        self.next_B = [first for _, first in begun]
        self.fresh_B = [True] * lanes

    def advance(self) -> tuple[list[tuple[int, int]], list[bool]]:
        """Return each lane's clip number and first picture, and whether it starts with a fresh state; then move on."""
        places, fresh = list(zip(self.clip_B, self.next_B, strict=True)), list(self.fresh_B)
        for lane, (clip, first) in enumerate(places):
            following = first + self.sequence_frames
            ended = following + self.sequence_frames > self.folds[clip].end
            if ended:
                self.clip_B[lane] = (clip + 1) % len(self.folds)
                following = self._restart(self.folds[self.clip_B[lane]])
            self.next_B[lane], self.fresh_B[lane] = following, ended
        return places, fresh

    def tensors(self) -> dict[str, Tensor]:
        """Return where every lane is."""
        return {
            "clip": torch.tensor(self.clip_B),
            "next": torch.tensor(self.next_B),
            "fresh": torch.tensor(self.fresh_B),
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> bool:
        """Go on from there; False, and nothing changed, when lanes or clips are not what they were."""
        places, fresh = tensors["next"].tolist(), tensors["fresh"].tolist()
        clips = tensors["clip"].tolist() if "clip" in tensors else [0] * len(places)
        if len(places) != len(self.next_B) or not all(map(self._holds, clips, places)):
            return False
        self.clip_B, self.next_B, self.fresh_B = clips, places, fresh
        return True

    def _holds(self, clip: int, first: int) -> bool:
        if clip >= len(self.folds):
            return False
        return self.folds[clip].first <= first and first + self.sequence_frames <= self.folds[clip].end

    def _spread(self, lane: int, lanes: int) -> tuple[int, int]:
        """Place lane number `lane` so that all together are spread evenly over the pictures of all clips."""
        total, before = sum(fold.count for fold in self.folds), 0
        for clip, fold in enumerate(self.folds):
            if total * lane < (before + fold.count) * lanes:
                share = total * lane - before * lanes
                room = fold.count - self.sequence_frames
                return clip, fold.first + (room * share) // (fold.count * lanes)
            before += fold.count
        raise AssertionError((lane, lanes))

    def _restart(self, fold: Fold) -> int:
        room = min(self.sequence_frames, fold.count - self.sequence_frames + 1)
        return fold.first + int(torch.randint(room, (1,), generator=self.random))
