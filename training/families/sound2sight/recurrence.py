"""Layers of LSTM cells with their state as a value, and what is read from them: a prediction, or a normal distribution."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

# B batch, T steps, I inputs, D hidden numbers, Z latent numbers


class Normal(NamedTuple):
    """Independent normal distributions."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Return mean + deviation · noise."""
        return self.mean + torch.exp(0.5 * self.log_variance) * noise

    def divergence_from(self, other: Normal) -> Tensor:
        """Return KL(self, other) of each number: log(σ2 / σ1) + (σ1² + (μ1 - μ2)²) / 2 σ2² - 1/2."""
        squares = torch.exp(self.log_variance) + (self.mean - other.mean).square()
        return 0.5 * (other.log_variance - self.log_variance + squares * torch.exp(-other.log_variance) - 1.0)


class LstmLayers(nn.Module):
    """Inputs [B, I] -> hidden numbers [B, D]. The state [B, 2 layers, D] holds hidden numbers and cells of each layer."""

    def __init__(self, inputs: int, hidden_size: int, layers: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.embed = nn.Linear(inputs, hidden_size)
        self.cells = nn.ModuleList(nn.LSTMCell(hidden_size, hidden_size) for _ in range(layers))

    def state_shape(self) -> tuple[int, ...]:
        """Shape of the state without the batch."""
        return (2 * len(self.cells), self.hidden_size)

    def forward(self, input_BI: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        now, following = self.embed(input_BI), list[Tensor]()
        for layer, cell in enumerate(self.cells):
            now, kept = cell(now, (state[:, 2 * layer], state[:, 2 * layer + 1]))
            following += [now, kept]
        return now, torch.stack(following, dim=1)

    def sequence(self, inputs_BTI: Tensor) -> Tensor:
        """Return the hidden numbers [B, T, D] of a sequence, from zeros on."""
        state = inputs_BTI.new_zeros(len(inputs_BTI), *self.state_shape())
        found = list[Tensor]()
        for now in inputs_BTI.unbind(dim=1):
            hidden, state = self(now, state)
            found.append(hidden)
        return torch.stack(found, dim=1)


class NormalLstm(nn.Module):
    """Inputs [..., I] -> the distribution of the latent numbers: the prior, or the posterior."""

    def __init__(self, inputs: int, latent_size: int, hidden_size: int, layers: int) -> None:
        super().__init__()
        self.layers = LstmLayers(inputs, hidden_size, layers)
        self.mean = nn.Linear(hidden_size, latent_size)
        self.log_variance = nn.Linear(hidden_size, latent_size)

    def forward(self, input_BI: Tensor, state: Tensor) -> tuple[Normal, Tensor]:
        hidden, following = self.layers(input_BI, state)
        return self.of(hidden), following

    def of(self, hidden: Tensor) -> Normal:
        """Return the distribution that hidden numbers say."""
        return Normal(self.mean(hidden), self.log_variance(hidden))


class Predictor(nn.Module):
    """Code and latent numbers -> the code of the next frame, in [-1, 1]."""

    def __init__(self, inputs: int, outputs: int, hidden_size: int, layers: int) -> None:
        super().__init__()
        self.layers = LstmLayers(inputs, hidden_size, layers)
        self.output = nn.Linear(hidden_size, outputs)

    def forward(self, input_BI: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        hidden, following = self.layers(input_BI, state)
        return self.of(hidden), following

    def of(self, hidden: Tensor) -> Tensor:
        """Return the code that hidden numbers say."""
        return torch.tanh(self.output(hidden))
