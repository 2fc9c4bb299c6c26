"""Which sequences of the clip are generated: their starts, their lengths and their number.

The held-out part serves sequences up to its own length. Longer sequences use the trained part with sound and frames looped.
They show whether the frames stay stable over a long time, not how the model responds to new sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.video import Clip
from training.data.windows import FrameRange

# N frames, H W rows and columns, C colours, S samples of sound

HELD_OUT, TRAINED = "held-out", "trained, looped"
FRAMES_A_LENGTH = {HELD_OUT: 512, TRAINED: 256}
LEAST_SHIFT_S = 2.0


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the clip; its positions count from 0."""

    name: str
    clip: Clip
    frame_range: FrameRange
    hop_samples: int

    @property
    def looped(self) -> bool:
        return self.name == TRAINED

    def indices(self, first: int, frames: int) -> NDArray[np.int64]:
        """Return the clip's frame numbers [N] of positions first … first + frames - 1."""
        positions = np.arange(first, first + frames)
        return self.frame_range.first + (positions % self.frame_range.count if self.looped else positions)

    def frames(self, first: int, frames: int) -> NDArray[np.uint8]:
        """Return the clip's frames [N, H, W, 3]."""
        return np.asarray(self.clip.frames_NHWC[self.indices(first, frames)])

    def source(self) -> NDArray[np.float32]:
        """Return the sound [S] of this part before it is looped."""
        return self.clip.sound_S[: self._source_samples()]

    def sound(self, frames: int, shift_samples: int = 0) -> NDArray[np.float32]:
        """Return sound [S] for positions up to `frames`, shifted in a circle by `shift_samples`; position 0 is at `offset`."""
        shifted = np.roll(self.source(), shift_samples)
        return np.resize(shifted, max(frames * self.hop_samples, len(shifted))) if self.looped else shifted

    def _source_samples(self) -> int:
        samples = len(self.clip.sound_S)
        return min(self.frame_range.end * self.hop_samples, samples) if self.looped else samples

    @property
    def offset(self) -> int:
        """The step of `sound` that belongs to position 0."""
        return 0 if self.looped else self.frame_range.first

    def shifts(self, count: int, sample_rate_hz: int) -> list[int]:
        """Return evenly spread shifts in samples, at least 2 s in either direction (a quarter of a sound shorter than 8 s)."""
        length = self._source_samples()
        margin = min(round(LEAST_SHIFT_S * sample_rate_hz), length // 4)
        return [round(value) for value in np.linspace(margin, length - margin, count + 2)[1:-1]]


@dataclass(frozen=True, order=True, slots=True)
class Rollout:
    """One generated run from the initial state. Shorter sequences are its first frames."""

    start: int
    shift_samples: int = 0


@dataclass(frozen=True, slots=True)
class SequencePlan:
    """Rollouts by sequence length; a rollout appears under each length that it serves."""

    part: Part
    rollouts: dict[int, tuple[Rollout, ...]]

    def up_to(self, frames: int) -> SequencePlan:
        """Return the plan without sequences longer than `frames`."""
        return SequencePlan(
            self.part, {length: rollouts for length, rollouts in self.rollouts.items() if length <= frames}
        )

    def longest(self) -> dict[Rollout, int]:
        """Return the number of frames of each rollout: its longest sequence."""
        frames: dict[Rollout, int] = {}
        for length, rollouts in sorted(self.rollouts.items()):
            frames.update(dict.fromkeys(rollouts, length))
        return frames


def clip_parts(
    clip: Clip, trained: FrameRange, held_out: FrameRange, hop_samples: int, lengths: Sequence[int]
) -> list[Part]:
    """Return the held-out part, which holds a sequence of the shortest length, and for longer lengths the looped part."""
    parts = [Part(HELD_OUT, clip, held_out, hop_samples)]
    if max(lengths) > held_out.count:
        parts.append(Part(TRAINED, clip, trained, hop_samples))
    return parts


def plan_sequences(part: Part, lengths: Sequence[int], sequences: int) -> SequencePlan:
    """Spread up to `sequences` sequences of each length over the part, fewer of the long ones; held-out ones do not overlap."""
    rollouts: dict[int, tuple[Rollout, ...]] = {}
    for length in sorted(set(lengths)):
        count = min(sequences, max(1, FRAMES_A_LENGTH[part.name] // length))
        if part.looped:
            # Start at different moments of the clip: a model may have memorised its beginning alone.
            stride = part.frame_range.count // count
        else:
            fitting = part.frame_range.count // length
            count = min(count, fitting)
            stride = length * (fitting // count) if count else 0
        if count:
            rollouts[length] = tuple(Rollout(stride * index) for index in range(count))
    return SequencePlan(part, rollouts)


def with_shuffled_sound(original: SequencePlan, shifts: Sequence[int]) -> SequencePlan:
    """Return the same starts with shifted sound: each start gets a shift, and each shift is used at least once where that is cheap."""
    rollouts: dict[int, tuple[Rollout, ...]] = {}
    for length, starts in original.rollouts.items():
        count = len(starts) if original.part.looped else max(len(starts), len(shifts))
        rollouts[length] = tuple(Rollout(starts[j % len(starts)].start, shifts[j % len(shifts)]) for j in range(count))
    return SequencePlan(original.part, rollouts)
