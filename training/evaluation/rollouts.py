"""Generate frames, several rollouts at a time. Each rollout has its own noise, independent of the others.

A rollout begins in the initial state; that of a model which is trained to go on from real frames, after those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from training.core.streaming import State, StreamingModel
from training.data.windows import WindowTiming, sound_windows
from training.evaluation.sequences import Rollout, SequencePlan

# T frames, H W rows and columns, S samples of sound

CHUNK_FRAMES = 16
FRAMES_AT_ONCE = 4  # of all rollouts together, on the processor: what the model holds in memory
TOGETHER = 4

Frames = NDArray[np.uint8]
Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class RolloutInput:
    """Sound [S], the first step, the number of frames and the seed of the noise.

    `context_PHWC` are the real frames before the first step, which a model goes on from that is trained so.
    """

    sound_S: NDArray[np.float32]
    first: int
    frames: int
    seed: int
    context_PHWC: Frames | None = None


def rollout_inputs(plan: SequencePlan, seed: int, context_frames: int = 0) -> dict[Rollout, RolloutInput]:
    """Return the input of each rollout of a plan, with so many real frames before it, or none where there are fewer."""
    longest = plan.longest()
    inputs: dict[Rollout, RolloutInput] = {}
    for rollout, frames in longest.items():
        sound = plan.part.sound(rollout.start + frames, rollout.shift_samples)
        # The noise depends on the start, not on the shift: floor and model differ only in their sound.
        first = plan.part.offset + rollout.start
        context = (
            plan.part.frames(rollout.start - context_frames, context_frames) if 0 < context_frames <= first else None
        )
        inputs[rollout] = RolloutInput(sound, first, frames, seed + rollout.start, context)
    return inputs


def generate_all(
    model: StreamingModel, inputs: Mapping[Rollout, RolloutInput], progress: Progress
) -> dict[Rollout, Frames]:
    """Return the frames [T, H, W, 3] of each rollout; rollouts of equal length run together."""
    by_length: dict[int, list[Rollout]] = {}
    for rollout in sorted(inputs):
        by_length.setdefault(inputs[rollout].frames, []).append(rollout)
    generated: dict[Rollout, Frames] = {}
    for rollouts in by_length.values():
        for begin in range(0, len(rollouts), TOGETHER):
            some = rollouts[begin : begin + TOGETHER]
            generated.update(
                zip(some, generate_together(model, [inputs[rollout] for rollout in some], progress), strict=True)
            )
    return generated


@torch.inference_mode()
def generate_together(model: StreamingModel, inputs: Sequence[RolloutInput], progress: Progress) -> list[Frames]:
    """Return the frames [T, H, W, 3] of rollouts of equal length, each from the initial state or after its real frames."""
    frames = inputs[0].frames
    assert all(each.frames == frames for each in inputs)
    timing, device = WindowTiming.of(model), next(model.parameters()).device
    sources = [torch.Generator().manual_seed(each.seed) for each in inputs]
    began = [_state_before(model, each, source, timing) for each, source in zip(inputs, sources, strict=True)]
    state, parts = {name: torch.cat([one[name] for one in began]) for name in began[0]}, []
    # A model that looks at later frames gets whole chunks; a GPU has memory and wants work.
    small = model.streams and device.type == "cpu"
    at_once = max(1, FRAMES_AT_ONCE // len(inputs)) if small else CHUNK_FRAMES
    for begin in range(0, frames, CHUNK_FRAMES):
        count = min(CHUNK_FRAMES, frames - begin)
        windows = [sound_windows(each.sound_S, each.first + begin, count, timing) for each in inputs]
        # Always draw a whole chunk of noise, so that a short rollout equals the start of a long one.
        drawn = [model.draw_noise(1, CHUNK_FRAMES, source) for source in sources]
        noise = {name: torch.cat([one[name] for one in drawn])[:, :count] for name in drawn[0]}
        windows_BTW = torch.from_numpy(np.stack(windows)).to(device)
        for first in range(0, count, at_once):
            some = slice(first, first + at_once)
            some_noise = {name: values[:, some] for name, values in noise.items()}
            fake_BTCHW, _, state = model.clip(windows_BTW[:, some], some_noise, state)
            bytes_BTCHW = ((fake_BTCHW.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)
            parts.append(bytes_BTCHW.permute(0, 1, 3, 4, 2).cpu().numpy())
            progress(len(inputs) * fake_BTCHW.shape[1])
    return list(np.concatenate(parts, axis=1))


def _state_before(model: StreamingModel, given: RolloutInput, source: torch.Generator, timing: WindowTiming) -> State:
    """Return the state [1, ...] in which a rollout begins."""
    if given.context_PHWC is None:
        return model.initial_state(1)
    count, device = len(given.context_PHWC), next(model.parameters()).device
    windows_PW = torch.from_numpy(sound_windows(given.sound_S, given.first - count, count, timing))
    frames_PHWC = torch.from_numpy(given.context_PHWC).to(device).float() / 127.5 - 1.0
    noise = model.draw_noise(1, count, source)
    return model.state_after(frames_PHWC.permute(0, 3, 1, 2)[None], windows_PW[None].to(device), noise)
