"""Plays a model from its initial state, several passages at a time. The noise of a passage is its own, whatever plays beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from training.core.streaming import StreamingModel
from training.data.windows import WindowTiming, sound_windows
from training.evaluation.passages import Plan, Play

# T frames, H W rows and columns, S samples of sound

CHUNK_FRAMES = 16
TOGETHER = 4

Frames = NDArray[np.uint8]
Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Drive:
    """Sound [S], the step it is heard from, and how many frames are wanted."""

    sound_S: NDArray[np.float32]
    first: int
    frames: int
    seed: int


def drives(plan: Plan, seed: int) -> dict[Play, Drive]:
    """Return what each play of a plan needs."""
    longest = plan.longest()
    found: dict[Play, Drive] = {}
    for play, frames in longest.items():
        sound = plan.part.sound(play.start + frames, play.shift_samples)
        # The noise depends on the passage, not on the shift: floor and model differ in their sound alone.
        found[play] = Drive(sound, plan.part.offset + play.start, frames, seed + play.start)
    return found


def play_all(model: StreamingModel, wanted: Mapping[Play, Drive], progress: Progress) -> dict[Play, Frames]:
    """Play what is wanted and return pictures [T, H, W, 3] of each; equally long ones run together."""
    by_length: dict[int, list[Play]] = {}
    for play in sorted(wanted):
        by_length.setdefault(wanted[play].frames, []).append(play)
    played: dict[Play, Frames] = {}
    for plays in by_length.values():
        for begin in range(0, len(plays), TOGETHER):
            some = plays[begin : begin + TOGETHER]
            played.update(zip(some, play_together(model, [wanted[play] for play in some], progress), strict=True))
    return played


@torch.inference_mode()
def play_together(model: StreamingModel, wanted: Sequence[Drive], progress: Progress) -> list[Frames]:
    """Play equally many frames of each drive from the initial state; returns pictures [T, H, W, 3] of each."""
    frames = wanted[0].frames
    assert all(drive.frames == frames for drive in wanted)
    timing, device = WindowTiming.of(model), next(model.parameters()).device
    sources = [torch.Generator().manual_seed(drive.seed) for drive in wanted]
    state, parts = model.initial_state(len(wanted)), []
    for begin in range(0, frames, CHUNK_FRAMES):
        count = min(CHUNK_FRAMES, frames - begin)
        heard = [sound_windows(drive.sound_S, drive.first + begin, count, timing) for drive in wanted]
        # Always a whole chunk of noise, so that a short passage is the beginning of a long one.
        drawn = [model.draw_noise(1, CHUNK_FRAMES, source) for source in sources]
        noise = {name: torch.cat([one[name] for one in drawn])[:, :count] for name in drawn[0]}
        fake_BTCHW, _, state = model.clip(torch.from_numpy(np.stack(heard)).to(device), noise, state)
        bytes_BTCHW = ((fake_BTCHW.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
        parts.append(bytes_BTCHW.permute(0, 1, 3, 4, 2).cpu().numpy())
        progress(count * len(wanted))
    return list(np.concatenate(parts, axis=1))
