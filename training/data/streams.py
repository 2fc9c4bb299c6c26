"""Where each of B training streams reads: consecutive sequences to the end of a clip, then the next clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from training.data.windows import FrameRange

# B streams of all processes together


class Streams:
    """B parallel readers of the training parts of all clips, sequence by sequence, each from another place.

    A stream reads a clip to its end, then the next one (or the same one again), so every clip is read in proportion to its
    length. It starts each clip at a random offset in [0, sequence), as in arXiv 2406.16155, and with the initial state.
    """

    def __init__(
        self, ranges: Sequence[FrameRange], sequence_frames: int, streams: int, random: torch.Generator
    ) -> None:
        """Each range holds at least one sequence."""
        self.ranges, self.sequence_frames, self.random = tuple(ranges), sequence_frames, random
        starts = [self._start(stream, streams) for stream in range(streams)]
        self.clip_B = [clip for clip, _ in starts]
        self.next_B = [first for _, first in starts]
        self.restarted_B = [True] * streams

    def advance(self) -> tuple[list[tuple[int, int]], list[bool]]:
        """Return each stream's clip number and first frame, and whether it restarts there; then move on."""
        places, restarted = list(zip(self.clip_B, self.next_B, strict=True)), list(self.restarted_B)
        for stream, (clip, first) in enumerate(places):
            following = first + self.sequence_frames
            ended = following + self.sequence_frames > self.ranges[clip].end
            if ended:
                self.clip_B[stream] = (clip + 1) % len(self.ranges)
                following = self._random_start(self.ranges[self.clip_B[stream]])
            self.next_B[stream], self.restarted_B[stream] = following, ended
        return places, restarted

    def tensors(self) -> dict[str, Tensor]:
        """Return the position of every stream, for a checkpoint."""
        return {
            "clip": torch.tensor(self.clip_B),
            "next": torch.tensor(self.next_B),
            "fresh": torch.tensor(self.restarted_B),
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> bool:
        """Continue from there; return False and change nothing when the streams or clips are others."""
        places, restarted = tensors["next"].tolist(), tensors["fresh"].tolist()
        clips = tensors["clip"].tolist() if "clip" in tensors else [0] * len(places)
        if len(places) != len(self.next_B) or not all(map(self._holds, clips, places)):
            return False
        self.clip_B, self.next_B, self.restarted_B = clips, places, restarted
        return True

    def _holds(self, clip: int, first: int) -> bool:
        if type(clip) is not int or type(first) is not int or not 0 <= clip < len(self.ranges):
            return False
        return self.ranges[clip].first <= first and first + self.sequence_frames <= self.ranges[clip].end

    def _start(self, stream: int, streams: int) -> tuple[int, int]:
        """Return the clip and first frame of a stream; together the streams are spread evenly over the frames of all clips."""
        total, before = sum(each.count for each in self.ranges), 0
        for clip, each in enumerate(self.ranges):
            if total * stream < (before + each.count) * streams:
                share = total * stream - before * streams
                latest = each.count - self.sequence_frames
                return clip, each.first + (latest * share) // (each.count * streams)
            before += each.count
        raise AssertionError((stream, streams))

    def _random_start(self, frame_range: FrameRange) -> int:
        places = min(self.sequence_frames, frame_range.count - self.sequence_frames + 1)
        return frame_range.first + int(torch.randint(places, (1,), generator=self.random))
