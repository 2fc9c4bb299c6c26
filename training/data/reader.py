"""Batches of consecutive sequences: frames, their sound windows, and which streams restart."""

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
from training.data.training_sound import segments_sound
from training.data.windows import Segment, WindowTiming, frame_tensor, sound_windows

# B streams of this process, T frames, C colours, H W rows and columns, W window samples

HALF_LOUDNESS_DB = 10.0
"""Ten decibels less sound half as loud."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One sequence for each stream.

    Frame [b, t] is on screen when window [b, t] ends. Where `restarted_B` is false, the sequence continues the stream's
    sequence in the batch before, with the same mirror and colours.
    """

    real_BTCHW: Tensor
    """In [-1, 1]."""
    audio_BTW: Tensor
    """At the random gain of the sequence; all zeros where the sound was dropped."""
    restarted_B: Tensor
    """True where a stream restarts: its carried state does not belong to this sequence."""


class SequenceReader:
    """Reads the training segments in parallel streams. Every process advances all streams and loads only its own."""

    def __init__(
        self,
        segments: Sequence[Segment],
        timing: WindowTiming,
        sequence_frames: int,
        augmentation: AugmentationConfig,
        random_state: RandomState,
    ) -> None:
        """Each segment holds at least one sequence."""
        self.segments, self.timing, self.steps = tuple(segments), timing, sequence_frames
        self.augmentation, self.random_state = augmentation, random_state
        ranges = [segment.frame_range for segment in segments]
        self.streams = Streams(ranges, sequence_frames, random_state.streams, random_state.generator)
        self.stream_augmentation = StreamAugmentation(augmentation, random_state)
        self.quietest = [self._quietest(segment) for segment in segments] if augmentation.rest else []
        self.loudness_db = segments_sound(segments, "").loudness_db if augmentation.louder_db else 0.0

    def next(self) -> Batch:
        """Return the next sequence of every stream of this process."""
        places, restarted = self.streams.advance()
        rests = self._rests(places, restarted)
        self.stream_augmentation.redraw(restarted)
        own, restarted_B = places[self.random_state.own], torch.tensor(restarted[self.random_state.own])
        real = torch.stack([self.frames(clip, first) for clip, first in own])
        raised = self._louder(torch.stack([self._windows(clip, first) for clip, first in own]) * self._gains())
        # A show clips what is louder than full scale.
        audio = raised.clamp(-1.0, 1.0)
        audio = self._drop_audio(audio, restarted_B)
        if any(rests):
            audio[torch.tensor(rests[self.random_state.own])] = 0.0
        return Batch(self.stream_augmentation.apply(real), audio, restarted_B)

    def frames(self, clip: int, first: int) -> Tensor:
        """Return the frames [T, 3, H, W] in [-1, 1] of a sequence that begins with that frame of a clip."""
        return frame_tensor(self.segments[clip].clip, first, self.steps)

    def other_moment(self) -> Tensor:
        """Return sound windows [B, T, W] of another, random moment for each stream of this process."""
        places = [segment.frame_range.count - self.steps + 1 for segment in self.segments]
        ends = np.cumsum(places)
        windows = []
        for place in (self.random_state.per_stream() * int(ends[-1])).tolist():
            clip = int(np.searchsorted(ends, int(place), side="right"))
            first = self.segments[clip].frame_range.first + int(place) - int(ends[clip] - places[clip])
            windows.append(self._windows(clip, first))
        return torch.stack(windows) * self._gains()

    def tensors(self) -> dict[str, Tensor]:
        """Return the position and augmentation of every stream, for a checkpoint."""
        return {**self.streams.tensors(), **self.stream_augmentation.tensors()}

    def restore(self, tensors: Mapping[str, Tensor]) -> bool:
        """Continue from there; return False and change nothing when streams, clips or augmentation are others."""
        if not self.stream_augmentation.can_restore(tensors) or not self.streams.restore(tensors):
            return False
        self.stream_augmentation.restore(tensors)
        return True

    def _windows(self, clip: int, first: int) -> Tensor:
        sound_S = self.segments[clip].clip.sound_S
        windows_TW: NDArray[np.float32] = sound_windows(sound_S, first, self.steps, self.timing)
        return torch.from_numpy(windows_TW)

    def _gains(self) -> Tensor:
        lowest_db, highest_db = self.augmentation.gain_range_db or (0.0, 0.0)
        gain_db = lowest_db + (highest_db - lowest_db) * self.random_state.per_stream(1, 1)
        return 10.0 ** (gain_db / 20.0)

    def _rests(self, places: list[tuple[int, int]], restarted: list[bool]) -> list[bool]:
        """Put the quietest moment of its clip in the place of some streams' sequences, and return which: they get silence."""
        if not self.augmentation.rest:
            return [False] * len(places)
        drawn_L = torch.rand(self.random_state.streams, generator=self.random_state.generator)
        rests: list[bool] = (drawn_L < self.augmentation.rest).tolist()
        for stream, is_resting in enumerate(rests):
            if is_resting:
                clip = places[stream][0]
                places[stream], restarted[stream] = (clip, self.quietest[clip]), True
                # What comes next does not continue it.
                self.streams.restarted_B[stream] = True
        return rests

    def _quietest(self, segment: Segment) -> int:
        """Return the first frame of the quietest sequence of a segment."""
        frame_range, hop = segment.frame_range, self.timing.hop_samples
        places = range(frame_range.first, frame_range.end - self.steps + 1, max(1, self.steps // 2))

        def power(first: int) -> float:
            sound_S = np.asarray(segment.clip.sound_S[first * hop : (first + self.steps) * hop])
            return float(np.square(sound_S, dtype=np.float64).mean())

        return min(places, key=power)

    def _louder(self, audio_BTW: Tensor) -> Tensor:
        """Raise the level of the loudest sequences at random, so that louder than the clip looks like its loudest moments."""
        louder_db = self.augmentation.louder_db
        if not louder_db:
            return audio_BTW
        level_B11 = 10.0 * torch.log10(audio_BTW.square().mean(dim=(1, 2), keepdim=True).clamp_min(1e-12))
        share_B11 = ((level_B11 - self.loudness_db) / HALF_LOUDNESS_DB + 1.0).clamp(0.0, 1.0)
        return audio_BTW * 10.0 ** (share_B11 * louder_db * self.random_state.per_stream(1, 1) / 20.0)

    def _drop_audio(self, audio_BTW: Tensor, restarted_B: Tensor) -> Tensor:
        """Silence some sequences of the streams that carry a state."""
        if self.augmentation.audio_dropout == 0:
            return audio_BTW
        silent_B = (self.random_state.per_stream() < self.augmentation.audio_dropout) & ~restarted_B
        return torch.where(silent_B.view(-1, 1, 1), 0.0, audio_BTW)
