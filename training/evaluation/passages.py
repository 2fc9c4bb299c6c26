"""Which passages of the clip are played, how often and how long.

The held-out part is played as far as it reaches. Longer sequences play the part that taught, sound and pictures looped: they tell
whether the picture stays itself over a long time, not what the model makes of new sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import TrainingError
from training.data.video import Clip
from training.data.windows import FrameRange

# N frames, H W rows and columns, C colours, S samples of sound

HELD_OUT, TAUGHT = "held-out", "taught, looped"
FRAMES_A_LENGTH = {HELD_OUT: 512, TAUGHT: 256}
LEAST_SHIFT_S = 2.0


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the clip with positions 0, 1, … of its own."""

    name: str
    clip: Clip
    frame_range: FrameRange
    hop_samples: int

    @property
    def looped(self) -> bool:
        return self.name == TAUGHT

    def indices(self, first: int, frames: int) -> NDArray[np.int64]:
        """Return the clip's frame numbers [N] of positions first … first + frames - 1."""
        positions = np.arange(first, first + frames)
        return self.frame_range.first + (positions % self.frame_range.count if self.looped else positions)

    def frames(self, first: int, frames: int) -> NDArray[np.uint8]:
        """Return the clip's pictures [N, H, W, 3]."""
        return np.asarray(self.clip.frames_NHWC[self.indices(first, frames)])

    def source(self) -> NDArray[np.float32]:
        """Return the sound [S] that this part is driven by, before it is looped."""
        whole = np.asarray(self.clip.sound_S)
        return whole[: self.frame_range.end * self.hop_samples] if self.looped else whole

    def sound(self, frames: int, shift_samples: int = 0) -> NDArray[np.float32]:
        """Return sound [S] for positions up to `frames`, shifted round by `shift_samples`; position 0 is at `offset`."""
        turned = np.roll(self.source(), shift_samples)
        return np.resize(turned, max(frames * self.hop_samples, len(turned))) if self.looped else turned

    @property
    def offset(self) -> int:
        """Number of the step at which position 0 is heard in `sound`."""
        return 0 if self.looped else self.frame_range.first

    def shifts(self, count: int, sample_rate_hz: int) -> list[int]:
        """Return evenly spread shifts in samples, at least 2 s either way (a quarter of a sound shorter than 8 s)."""
        length = len(self.source())
        margin = min(round(LEAST_SHIFT_S * sample_rate_hz), length // 4)
        return [round(value) for value in np.linspace(margin, length - margin, count + 2)[1:-1]]


@dataclass(frozen=True, order=True, slots=True)
class Play:
    """One run from the initial state. Shorter sequences are its beginnings."""

    start: int
    shift_samples: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Sequences by length; a play appears under each length that it serves."""

    part: Part
    plays: dict[int, tuple[Play, ...]]

    def up_to(self, frames: int) -> Plan:
        """Return the plan without longer sequences."""
        return Plan(self.part, {length: plays for length, plays in self.plays.items() if length <= frames})

    def longest(self) -> dict[Play, int]:
        """Return how many frames each play has to run."""
        frames: dict[Play, int] = {}
        for length, plays in sorted(self.plays.items()):
            frames.update(dict.fromkeys(plays, length))
        return frames


def parts(clip: Clip, taught: FrameRange, held_out: FrameRange, hop_samples: int, lengths: Sequence[int]) -> list[Part]:
    """Return the held-out part and, when a length is beyond it, the looped one. Raises TrainingError when neither can be played."""
    if min(lengths) > held_out.count:
        raise TrainingError(
            f"The held-out part of {clip.file} has {held_out.count} frames, less than the shortest sequence of {min(lengths)}; give a "
            f"longer clip or shorter --lengths."
        )
    found = [Part(HELD_OUT, clip, held_out, hop_samples)]
    if max(lengths) > held_out.count:
        found.append(Part(TAUGHT, clip, taught, hop_samples))
    return found


def plan(part: Part, lengths: Sequence[int], sequences: int) -> Plan:
    """Spread up to `sequences` sequences of each length over the part, fewer of the long ones; held-out ones do not overlap."""
    plays: dict[int, tuple[Play, ...]] = {}
    for length in sorted(set(lengths)):
        count = min(sequences, max(1, FRAMES_A_LENGTH[part.name] // length))
        if part.looped:
            # From different moments of the clip: what begins well at its start alone would be learned by heart.
            stride = part.frame_range.count // count
        else:
            slots = part.frame_range.count // length
            count = min(count, slots)
            stride = length * (slots // count) if count else 0
        if count:
            plays[length] = tuple(Play(stride * index) for index in range(count))
    return Plan(part, plays)


def shuffled(original: Plan, shifts: Sequence[int]) -> Plan:
    """Return the same passages under shifted sound: every start with a shift, every shift at least once where that is cheap."""
    plays: dict[int, tuple[Play, ...]] = {}
    for length, starts in original.plays.items():
        count = len(starts) if original.part.looped else max(len(starts), len(shifts))
        plays[length] = tuple(Play(starts[j % len(starts)].start, shifts[j % len(shifts)]) for j in range(count))
    return Plan(original.part, plays)
