"""Damped oscillators driven by the sound: a memory with the physics of things that ring.

Each is one complex number h' = a h + (1 - |a|) u with |a| < 1, u a learned mixture of the features. Frequencies and decay
times are learned too. Being linear, the bank is exact in steps, cannot diverge, and holds seconds of past however short
the training sequences are. Source: the linear recurrent unit of Orvieto et al., arXiv 2303.06349.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

# B batch, T steps, F features, R resonators

LOWEST_TURNS, HIGHEST_TURNS = 0.01, 0.35  # of a full turn a step; half a turn is the fastest a step can show
SHORTEST_STEPS, LONGEST_STEPS = 2.0, 24.0
GAIN = 4.0  # brings what rings to the size of the features


class Resonators(nn.Module):
    """Features [B, T, F] -> real and imaginary parts of all resonators [B, T, 2 R]."""

    def __init__(self, features: int, count: int, *, length: float = 1.0) -> None:
        """`length` multiplies the periods and decay times, in steps, that they start with: at more steps a second."""
        super().__init__()
        self.count = count
        self.rate_ratio = 1.0
        """Steps in the time of a training step."""
        self.drive = nn.Linear(features, count, bias=False)
        nn.init.normal_(self.drive.weight, 0.0, 1.0 / math.sqrt(features))
        # A quarter does not turn at all: plain envelopes of different lengths.
        turns = torch.logspace(math.log10(LOWEST_TURNS), math.log10(HIGHEST_TURNS), count)
        turns[::4] = 0.0
        turns /= length
        steps = length * torch.logspace(math.log10(SHORTEST_STEPS), math.log10(LONGEST_STEPS), count)
        mixed = torch.randperm(count, generator=torch.Generator().manual_seed(0))
        self.turn = nn.Parameter(turns)
        self.log_steps = nn.Parameter(torch.log(steps[mixed]))

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes without the batch: real and imaginary parts."""
        return {"resonance": (2, self.count)}

    def forward(
        self,
        features_BTF: Tensor,
        state: dict[str, Tensor],
        elasticity: Tensor | float = 1.0,
        damping: Tensor | float = 1.0,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the oscillators for T steps; return their output and the next state.

        `elasticity` multiplies the squares of all frequencies, `damping` the rates of decay: scalars or [B, 1].
        """
        keep_real, keep_imaginary, gain_real, gain_imaginary = self._constants(elasticity, damping)
        drive_BTR = self.drive(features_BTF)
        driven_BTR = drive_BTR * (gain_real[:, None] if gain_real.dim() > 1 else gain_real)
        real, imaginary = state["resonance"].unbind(dim=1)
        output: list[Tensor] = []
        for t, driven in enumerate(driven_BTR.unbind(dim=1)):
            real, imaginary = (
                keep_real * real - keep_imaginary * imaginary + driven,
                keep_real * imaginary + keep_imaginary * real,
            )
            if gain_imaginary is not None:
                imaginary = imaginary + drive_BTR[:, t] * gain_imaginary
            output.append(torch.cat([real, imaginary], dim=1))
        return GAIN * torch.stack(output, dim=1), {"resonance": torch.stack([real, imaginary], dim=1)}

    def from_rest(self, features_TF: Tensor) -> Tensor:
        """Return the output [T, 2 R] of a whole clip from rest, at the rate of training: all steps at once, by convolution."""
        steps = len(features_TF)
        since_T1 = torch.arange(steps, device=features_TF.device)[:, None]
        rate_R = torch.exp(-self.log_steps)
        fading_TR = torch.exp(-rate_R * since_T1) * (1.0 - torch.exp(-rate_R))
        angle_TR = 2 * math.pi * self.turn * since_T1
        response = torch.cat([fading_TR * torch.cos(angle_TR), fading_TR * torch.sin(angle_TR)], dim=1)
        drive_TR = self.drive(features_TF)
        # Twice as long, so that the end does not reach the beginning.
        spectrum = torch.fft.rfft(drive_TR, n=2 * steps, dim=0)
        product = torch.cat([spectrum, spectrum], dim=1) * torch.fft.rfft(response, n=2 * steps, dim=0)
        return GAIN * torch.fft.irfft(product, n=2 * steps, dim=0)[:steps]

    def _constants(
        self, elasticity: Tensor | float, damping: Tensor | float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Return real and imaginary part of a, and of what u is multiplied by; None for an imaginary part of 0.

        At r times the rate a becomes b = a^(1/r), and 1 - |a| becomes (1 - |a|) (1 - b) / (1 - a): r steps with the same u are one
        step of training, exactly.
        """
        size = torch.exp(-torch.exp(-self.log_steps) * damping)
        angle = 2 * math.pi * self.turn
        if isinstance(elasticity, Tensor):
            # Half a turn is the fastest that a step can show.
            fastest = angle.abs().clamp_min(math.pi)
            angle = torch.minimum(torch.maximum(angle * elasticity.sqrt(), -fastest), fastest)
        real, imaginary = size * torch.cos(angle), size * torch.sin(angle)
        if self.rate_ratio == 1.0:
            return real, imaginary, 1.0 - size, None
        shorter, part = size ** (1.0 / self.rate_ratio), angle / self.rate_ratio
        new_real, new_imaginary = shorter * torch.cos(part), shorter * torch.sin(part)
        scale = (1.0 - size) / ((1.0 - real).square() + imaginary.square())
        gain_real = scale * ((1.0 - new_real) * (1.0 - real) + new_imaginary * imaginary)
        gain_imaginary = scale * ((1.0 - new_real) * imaginary - new_imaginary * (1.0 - real))
        return new_real, new_imaginary, gain_real, gain_imaginary
