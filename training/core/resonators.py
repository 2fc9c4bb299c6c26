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

    def __init__(self, features: int, count: int) -> None:
        super().__init__()
        self.count = count
        self.rate_ratio = 1.0
        """Steps in the time of a training step."""
        self.drive = nn.Linear(features, count, bias=False)
        nn.init.normal_(self.drive.weight, 0.0, 1.0 / math.sqrt(features))
        # A quarter does not turn at all: plain envelopes of different lengths.
        turns = torch.logspace(math.log10(LOWEST_TURNS), math.log10(HIGHEST_TURNS), count)
        turns[::4] = 0.0
        steps = torch.logspace(math.log10(SHORTEST_STEPS), math.log10(LONGEST_STEPS), count)
        mixed = torch.randperm(count, generator=torch.Generator().manual_seed(0))
        self.turn = nn.Parameter(turns)
        self.log_steps = nn.Parameter(torch.log(steps[mixed]))

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes without the batch: real and imaginary parts."""
        return {"resonance": (2, self.count)}

    def forward(self, features_BTF: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Run the oscillators for T steps; return their output and the next state."""
        keep_real, keep_imaginary, gain_real, gain_imaginary = self._constants()
        drive_BTR = self.drive(features_BTF)
        driven_BTR = drive_BTR * gain_real
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

    def _constants(self) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Return real and imaginary part of a, and of what u is multiplied by; None for an imaginary part of 0.

        At r times the rate a becomes b = a^(1/r), and 1 - |a| becomes (1 - |a|) (1 - b) / (1 - a): r steps with the same u are one
        step of training, exactly.
        """
        damping = torch.exp(-torch.exp(-self.log_steps))
        angle = 2 * math.pi * self.turn
        real, imaginary = damping * torch.cos(angle), damping * torch.sin(angle)
        if self.rate_ratio == 1.0:
            return real, imaginary, 1.0 - damping, None
        shorter, part = damping ** (1.0 / self.rate_ratio), angle / self.rate_ratio
        new_real, new_imaginary = shorter * torch.cos(part), shorter * torch.sin(part)
        scale = (1.0 - damping) / ((1.0 - real).square() + imaginary.square())
        gain_real = scale * ((1.0 - new_real) * (1.0 - real) + new_imaginary * imaginary)
        gain_imaginary = scale * ((1.0 - new_real) * imaginary - new_imaginary * (1.0 - real))
        return new_real, new_imaginary, gain_real, gain_imaginary
