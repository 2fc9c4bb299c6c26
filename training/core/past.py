"""What a causal network hears of the past beside the newest features: means over windows that grow, and attention.

`ExponentialWindows` is the past half of TempoTokens' windows (arXiv 2309.16429): means over the last 2, 4, 8 … steps. `PastAttention`
is AVSyncD's audio attention with its segment mask, of the past alone (arXiv 2403.05659): a step looks back at the last N feature vectors,
and at no other. Before a stream begins it was silent: both start from zeros, which is what silence gives.

Both have the form of `training/core/resonators.py`: `forward` carries a state from step to step, `from_rest` plays a whole clip at once.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

# B batch, T steps, F features, N windows, S steps that are kept, K steps that are attended to, H heads, E numbers of a head

SIZE, HEADS = 32, 4
"""Numbers that an attention gives, and its heads."""


class ExponentialWindows(nn.Module):
    """Features [B, T, F] -> their means over the last 2, 4, … 2^N steps, exponentially weighted, [B, T, N F].

    The weights fall as those of the exponential mean with the same mean age as a plain window of that length, (length - 1) / 2 steps. It is
    one vector a window to carry, and at r times the rate it is exact for any r: a decay of a^(1/r) a step. A plain window is a buffer of all
    its steps, and has no length of a fraction of a step.
    """

    decays: Tensor

    def __init__(self, features: int, count: int, *, length: float = 1.0) -> None:
        """`length` multiplies the windows, in steps, where there are more steps a second."""
        super().__init__()
        self.size = count * features
        self._shape = (count, features)
        spans = 2.0 ** torch.arange(1, count + 1)
        decays = ((spans - 1.0) / (spans + 1.0)) ** (1.0 / length)
        self.register_buffer("decays", decays, persistent=False)
        self.rate_ratio = 1.0
        """Steps in the time of a training step."""

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes without the batch: the means."""
        return {"window_means": self._shape}

    def scale_rate(self, ratio: float) -> frozenset[str]:
        """Play at `ratio` times the rate of training from now on; return the states that this scales exactly."""
        self.rate_ratio = ratio
        return frozenset(self.state_shapes())

    def forward(self, features_BTF: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the means of T steps, each with its own step, and the next state."""
        keep_N1 = (self.decays ** (1.0 / self.rate_ratio))[:, None]
        means_BNF, output = state["window_means"], list[Tensor]()
        for features_BF in features_BTF.unbind(dim=1):
            means_BNF = keep_N1 * means_BNF + (1.0 - keep_N1) * features_BF[:, None]
            output.append(means_BNF.flatten(1))
        return torch.stack(output, dim=1), {"window_means": means_BNF}

    def from_rest(self, features_TF: Tensor) -> Tensor:
        """Return the means [T, N F] of a whole clip from rest, at the rate of training: all steps at once, by convolution."""
        steps = len(features_TF)
        since_T1 = torch.arange(steps, device=features_TF.device)[:, None]
        response_TN = (1.0 - self.decays) * self.decays**since_T1
        # Twice as long, so that the end does not reach the beginning.
        spectrum = torch.fft.rfft(features_TF, n=2 * steps, dim=0)[:, None]
        product = spectrum * torch.fft.rfft(response_TN, n=2 * steps, dim=0)[:, :, None]
        return torch.fft.irfft(product, n=2 * steps, dim=0)[:steps].flatten(1)


class PastAttention(nn.Module):
    """Features [B, T, F] -> attention of each step over the last K feature vectors, its own among them, [B, T, 32].

    Keys and values are linear in the features, so the cache holds these and is exact; how long ago a vector was counts by a learned number
    for each head. At r times the rate it keeps r times as many and attends to every r-th, for a whole r: what it hears is then what
    training heard. A fraction of a step back there is nothing, so for other rates the state does not scale.
    """

    def __init__(self, features: int, attended_steps: int) -> None:
        super().__init__()
        self.size, self.features, self.attended_steps = SIZE, features, attended_steps
        self.query = nn.Linear(features, SIZE)
        self.key, self.value = (nn.Linear(features, SIZE, bias=False) for _ in range(2))
        self.age = nn.Parameter(torch.zeros(HEADS, attended_steps))
        """Added to the scores, the oldest first."""
        self.stride = 1
        """Steps in the time of a training step."""

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes without the batch: the features of the steps before, the oldest first."""
        return {"heard": ((self.attended_steps - 1) * self.stride, self.features)}

    def scale_rate(self, ratio: float) -> frozenset[str]:
        """Play at `ratio` times the rate of training from now on; return the states that this scales exactly: none for a fraction."""
        if not ratio.is_integer():
            return frozenset()
        self.stride = int(ratio)
        return frozenset(self.state_shapes())

    def forward(self, features_BTF: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what T steps attend to, and the next state."""
        steps = features_BTF.shape[1]
        heard_BSF = torch.cat([state["heard"], features_BTF], dim=1)
        ages = self.stride * torch.arange(self.attended_steps, device=features_BTF.device)
        place_TK = torch.arange(steps, device=features_BTF.device)[:, None] + ages
        keys_BTKHE, values_BTKHE = (
            linear(heard_BSF)[:, place_TK].unflatten(-1, (HEADS, -1)) for linear in (self.key, self.value)
        )
        query_BTHE = self.query(features_BTF).unflatten(-1, (HEADS, -1)) / math.sqrt(SIZE // HEADS)
        scores_BTKH = (keys_BTKHE * query_BTHE[:, :, None]).sum(dim=-1) + self.age.T
        shares_BTKH = torch.softmax(scores_BTKH, dim=2)
        attended_BTHE = (shares_BTKH[..., None] * values_BTKHE).sum(dim=2)
        return attended_BTHE.flatten(2), {"heard": heard_BSF[:, steps:]}

    def from_rest(self, features_TF: Tensor) -> Tensor:
        """Return what all steps of a whole clip attend to, from rest, at the rate of training [T, 32]."""
        (shape,) = self.state_shapes().values()
        output, _ = self(features_TF[None], {"heard": features_TF.new_zeros(1, *shape)})
        return output[0]


class Past(nn.Module):
    """Features [B, T, F] -> what is heard [B, T, `size`]: they, and behind them the windows, the attention, both or neither."""

    def __init__(self, features: int, windows: int, attended_steps: int, *, length: float = 1.0) -> None:
        """`windows` and `attended_steps` may be 0: then there is none. `length` as for the windows."""
        super().__init__()
        self.windows = ExponentialWindows(features, windows, length=length) if windows else None
        self.attention = PastAttention(features, attended_steps) if attended_steps else None
        self.size = features + sum(part.size for part in self._parts)

    @property
    def _parts(self) -> list[ExponentialWindows | PastAttention]:
        return [part for part in (self.windows, self.attention) if part is not None]

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes without the batch."""
        return {name: shape for part in self._parts for name, shape in part.state_shapes().items()}

    def scale_rate(self, ratio: float) -> frozenset[str]:
        """Play at `ratio` times the rate of training from now on; return the states that this scales exactly."""
        return frozenset[str]().union(*(part.scale_rate(ratio) for part in self._parts))

    def forward(self, features_BTF: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what T steps hear, and the next state."""
        heard, following = [features_BTF], dict[str, Tensor]()
        for part in self._parts:
            output, next_state = part(features_BTF, state)
            heard.append(output)
            following |= next_state
        # Without the options the graph is the one it was.
        return torch.cat(heard, dim=-1) if self._parts else features_BTF, following

    def from_rest(self, features_TF: Tensor) -> Tensor:
        """Return what all steps of a whole clip hear, from rest, at the rate of training [T, `size`]."""
        return torch.cat([features_TF, *(part.from_rest(features_TF) for part in self._parts)], dim=-1)
