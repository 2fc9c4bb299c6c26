"""Validation: the averaged generator plays the held-out part of the clip, and its frames are compared."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.core.streaming import StreamingModel
from training.data import footage
from training.data.video import Clip, ClipSamples
from training.data.windows import FrameRange, Segment, WindowTiming, frame_tensor, sound_windows

# N frames, T steps, C colours, H W rows and columns

NOISE_SEED = 20
USUAL_LIMIT_S = 20.0
"""Seconds played by the validations during a run; the one at the end plays the whole held-out part."""
KEPT_FRAMES = 1200
STILL_MOTION = 0.01 / 127.5
"""A hundredth of a level from frame to frame is what compression changes in a still frame."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Distances in the frame range [-1, 1]; generated frames [N, H, W, 3] for samples."""

    l1: float
    mean_frame_l1: float
    """L1 of the constant mean frame of the training part; a model has to be better."""
    motion_l1: float
    """L1 between the differences of consecutive frames."""
    motion_share: float
    """Generated motion divided by the motion of the clip: 1 is right, 0 is a still frame. Not a number where the clip stands still."""
    generated_NHWC: NDArray[np.uint8]
    """The first KEPT_FRAMES at most."""
    played: tuple[Segment, ...] = ()
    """The segments that were played, in order."""

    def numbers(self) -> dict[str, float]:
        """Return all numbers by name."""
        names = [f.name for f in dataclasses.fields(self) if f.name not in ("generated_NHWC", "played")]
        return {name: getattr(self, name) for name in names}

    def kept(self) -> tuple[Segment, ...]:
        """Return the played segments whose frames were kept; the last one may be shortened."""
        left, kept = len(self.generated_NHWC), []
        for segment in self.played:
            frame_range = FrameRange(
                segment.frame_range.first, segment.frame_range.first + min(segment.frame_range.count, left)
            )
            kept += [Segment(segment.clip, frame_range)] if frame_range.count else []
            left -= frame_range.count
        return tuple(kept)

    def real_NHWC(self) -> NDArray[np.uint8]:
        """Return the clips' own frames [N, H, W, 3] beside the generated ones."""
        return np.concatenate([s.clip.frames_NHWC[s.frame_range.first : s.frame_range.end] for s in self.kept()])

    def sound_S(self) -> NDArray[np.float32]:
        """Return the sound [S] of `real_NHWC`."""
        form = self.played[0].clip.format
        hop = form.sample_rate_hz // form.fps
        return np.concatenate(
            [s.clip.sound_S[s.frame_range.first * hop : s.frame_range.end * hop] for s in self.kept()]
        )


class PlayedPart(NamedTuple):
    """Consecutive frames [T, 3, H, W] of a segment, real and generated."""

    real: Tensor
    fake: Tensor
    given: int = 0
    """So many generated ones, the first, are the real ones that the model was given: they are shown, and count in no figure."""


def mean_frame(clip: Clip, frame_range: FrameRange) -> Tensor:
    """Return the mean frame [3, H, W] in [-1, 1] of a range of frames."""
    return footage.mean_frame([Segment(clip, frame_range)])


def leading(segments: Sequence[Segment], limit_s: float | None) -> tuple[Segment, ...]:
    """Shorten segments to `limit_s` seconds together: the leading part of each, in proportion to its length, two frames at least."""
    total = sum(segment.frame_range.count for segment in segments)
    allowed = total if limit_s is None else min(total, round(limit_s * segments[0].clip.format.fps))
    shortened = []
    for segment in segments:
        first, count = segment.frame_range.first, segment.frame_range.count
        shortened.append(Segment(segment.clip, FrameRange(first, first + min(count, max(2, count * allowed // total)))))
    return tuple(shortened)


def validate(model: StreamingModel, clip: Clip, frame_range: FrameRange, mean_CHW: Tensor, steps: int) -> Validation:
    """Play one range of frames of a clip, as `validate_segments`."""
    return validate_segments(model, [Segment(clip, frame_range)], mean_CHW, steps)


@torch.no_grad()
def validate_segments(
    model: StreamingModel,
    segments: Sequence[Segment],
    mean_CHW: Tensor,
    steps: int,
    limit_s: float | None = None,
) -> Validation:
    """Play the sound of held-out segments as `played_sequences` does, and compare with their frames.

    `limit_s` plays only the leading seconds (see `leading`); numbers found with different limits do not compare.
    `model` is left in evaluation mode. The noise is the same at every call.
    """
    model.eval()
    played, noise_source = leading(segments, limit_s), torch.Generator().manual_seed(NOISE_SEED)
    sums, first_frames = torch.zeros(5, dtype=torch.float64), _FirstFrames()
    frames, differences = 0, 0
    for segment in played:
        last_real, last_fake = None, None
        for real, fake, given in played_sequences(model, segment, steps, noise_source):
            first_frames.add(fake)
            # The last frame of the part before goes in front, so that no difference is left out.
            joined_real = real if last_real is None else torch.cat([last_real, real])
            joined_fake = fake if last_fake is None else torch.cat([last_fake, fake])
            # Of the differences those into frames that were not given.
            first = len(joined_real) - len(real) + given - 1
            real_motion, fake_motion = (joined.diff(dim=0)[max(first, 0) :] for joined in (joined_real, joined_fake))
            sums += _sums(real[given:], fake[given:], real_motion, fake_motion, mean_CHW)
            frames, differences = frames + len(real) - given, differences + len(real_motion)
            last_real, last_fake = real[-1:], fake[-1:]
    per_frame, differences = sums / max(frames, 1), max(differences, 1)
    return Validation(
        l1=float(per_frame[0]),
        mean_frame_l1=float(per_frame[1]),
        motion_l1=float(sums[2]) / differences,
        motion_share=float(sums[4] / sums[3]) if sums[3] > STILL_MOTION * differences else math.nan,
        generated_NHWC=np.concatenate(first_frames.frames),
        played=played,
    )


class _FirstFrames:
    """The first generated frames, for samples: a long clip's would not fit into memory."""

    def __init__(self) -> None:
        self.frames: list[NDArray[np.uint8]] = []
        self.left = KEPT_FRAMES

    def add(self, fake_TCHW: Tensor) -> None:
        kept = fake_TCHW[: self.left]
        if len(kept):
            self.frames.append(frame_bytes(kept))
            self.left -= len(kept)


def played_sequences(
    model: StreamingModel, segment: Segment, steps: int, noise_source: torch.Generator
) -> Iterator[PlayedPart]:
    """Yield real and generated frames of a segment, `steps` at a time: one play, from the initial state on.

    A model that goes on from real frames begins each part with them, as in training; where the segment ends sooner, with fewer.
    """
    clip = segment.clip
    if model.context_frames:
        yield from _continued_sequences(model, segment, steps, noise_source)
        return
    for first, fake in generated_sequences(model, clip.sound_S, segment.frame_range, steps, noise_source):
        yield PlayedPart(frame_tensor(clip, first, len(fake)), fake)


def _continued_sequences(
    model: StreamingModel, segment: Segment, steps: int, noise_source: torch.Generator
) -> Iterator[PlayedPart]:
    timing, device = WindowTiming.of(model), next(model.parameters()).device
    for first in range(segment.frame_range.first, segment.frame_range.end, steps):
        count = min(steps, segment.frame_range.end - first)
        real = frame_tensor(segment.clip, first, count)
        given = min(model.context_frames, count - 1)
        if not given:
            yield PlayedPart(real, real, count)
            continue
        audio = torch.from_numpy(sound_windows(segment.clip.sound_S, first, count, timing))[None].to(device)
        fake = continued(model, real[None].to(device), audio, given, noise_source)[0]
        yield PlayedPart(real, torch.cat([real[:given], fake.float().cpu()]), given)


@torch.no_grad()
def continued(
    model: StreamingModel, frames_BTCHW: Tensor, audio_BTW: Tensor, given: int, noise_source: torch.Generator
) -> Tensor:
    """Return the frames [B, T - given, 3, H, W] in [-1, 1] that a model draws after the first `given` of T real ones."""
    noise = model.draw_noise(len(frames_BTCHW), audio_BTW.shape[1], noise_source)
    before, after = ({name: v[:, part] for name, v in noise.items()} for part in (slice(given), slice(given, None)))
    state = model.state_after(frames_BTCHW[:, :given], audio_BTW[:, :given], before)
    return model.clip(audio_BTW[:, given:], after, state)[0]


def generated_sequences(
    model: StreamingModel,
    sound_S: ClipSamples,
    frame_range: FrameRange,
    steps: int,
    noise_source: torch.Generator,
) -> Iterator[tuple[int, Tensor]]:
    """Yield the generated frames [T, 3, H, W] of a sound, with the number of the first, from the initial state on."""
    device = next(model.parameters()).device
    state, timing = model.initial_state(1), WindowTiming.of(model)
    for first in range(frame_range.first, frame_range.end, steps):
        count = min(steps, frame_range.end - first)
        audio = torch.from_numpy(sound_windows(sound_S, first, count, timing))[None].to(device)
        fake_BTCHW, _, state = model.clip(audio, model.draw_noise(1, count, noise_source), state)
        yield first, fake_BTCHW[0].float().cpu()


def frame_bytes(frames_TCHW: Tensor) -> NDArray[np.uint8]:
    """Return frames [T, H, W, 3] as bytes from frames [T, 3, H, W] in [-1, 1]."""
    return ((frames_TCHW + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()


def _sums(real: Tensor, fake: Tensor, real_motion: Tensor, fake_motion: Tensor, mean_CHW: Tensor) -> Tensor:
    """Return sums over frames of the mean absolute: error, mean frame's error, motion error, real and generated motion."""
    one = mean_CHW.numel()
    return torch.stack(
        [
            functional.l1_loss(fake, real, reduction="sum") / one,
            (real - mean_CHW).abs().sum() / one,
            (fake_motion - real_motion).abs().sum() / one,
            real_motion.abs().sum() / one,
            fake_motion.abs().sum() / one,
        ]
    ).double()
