"""How a model at another rate (training/core/rate.py) differs from itself as trained, measured in torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from export.verification.graph import frame_bytes
from export.verification.parity import probe_sound
from training.core.streaming import Noise, StreamingModel

# S frame size

_MEASURED_S = 2.0
_FEWEST_FRAMES = 3
"""One with its two neighbours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RateDifference:
    """How a model at another rate differs from itself as trained, over some seconds of made sound, in levels of 255."""

    same_moment: float | None
    """Mean difference of the frames at the moments that both have; None where there are none."""
    trained_change: float
    """Mean change from one frame to the next, as trained."""
    change: float
    """The same at the new rate: less, because less time passes."""
    jitter: float
    """Mean distance of a frame from the middle between its neighbours at the new rate."""
    trained_jitter: float
    """The same as trained."""


@torch.no_grad()
def measure_rate_difference(model: StreamingModel, changed: StreamingModel) -> RateDifference:
    """Play the same sound and noise through both, in torch."""
    ratio = Fraction(changed.fps, model.fps)
    count = max(_FEWEST_FRAMES, math.ceil(_MEASURED_S * model.fps))
    noise = model.draw_noise(1, count, torch.Generator().manual_seed(0))
    trained = _played(model, Fraction(model.hop_samples), noise, count)
    # Not the hop of the file, which is a whole number: after seconds its moments would be others.
    frames = _played(changed, model.hop_samples / ratio, noise, int(count * ratio))
    # Step k ends at (k + 1) training steps.
    pairs = [(k, (k + 1) * ratio - 1) for k in range(count)]
    apart = [
        _difference(trained[k], frames[int(i)]) for k, i in pairs if i.denominator == 1 and i.numerator < len(frames)
    ]
    return RateDifference(
        same_moment=sum(apart) / len(apart) if apart else None,
        trained_change=_change(trained),
        change=_change(frames),
        jitter=_jitter(frames),
        trained_jitter=_jitter(trained),
    )


def _played(model: StreamingModel, hop_samples: Fraction, noise: Noise, count: int) -> list[Tensor]:
    """Return `count` frames [S, S, 3], each with the noise of the training step that it lies in."""
    state, frames = model.initial_state(1), list[Tensor]()
    samples = max(round(_MEASURED_S * model.sample_rate_hz), round(count * hop_samples))
    sound_T = probe_sound(samples, model.sample_rate_hz)
    sound_T = np.concatenate([np.zeros(model.window_samples, np.float32), sound_T])
    steps = len(next(iter(noise.values()))[0]) if noise else 1
    for k in range(count):
        end = round((k + 1) * hop_samples)
        window_T = sound_T[end : end + model.window_samples]
        now = {name: values[:, k * steps // count] for name, values in noise.items()}
        frame, _, state = model.step(torch.tensor(window_T)[None], now, state)
        frames.append(frame_bytes(frame[0]).float())
    return frames


def _difference(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().mean())


def _change(frames: list[Tensor]) -> float:
    return sum(map(_difference, frames, frames[1:])) / (len(frames) - 1)


def _jitter(frames: list[Tensor]) -> float:
    triples = zip(frames, frames[1:], frames[2:], strict=False)
    return sum(_difference(now, (before + after) / 2) for before, now, after in triples) / (len(frames) - 2)
