"""A causal transformer over the last W tokens, with an exact cache: a step costs the same whatever came before.

Of one layer only the newest token's output is used, so the earlier tokens count by their keys and values alone. Keys and values are
linear in token and position: the cache holds the parts of the tokens, and those of the positions are added at each use. So while the
window slides, every step is what the layer gives for the last W tokens at the positions 0 … W - 1, to rounding. The layer is that of
arXiv 1706.03762 with the norms behind, as in Sound2Sight.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

# B batch, T tokens, W tokens of the window, I numbers of a token, D hidden numbers, E of a head

SLOPE = 0.01
HIDDEN = -1e9
"""Added to the score of a place without a token: its share is then exactly 0."""
LAYER_DROPOUT = 0.1


class WindowedAttention(nn.Module):
    """Tokens [B, T, I] -> outputs [B, T, I] in [-1, 1]."""

    positions: Tensor

    def __init__(
        self, token_size: int, hidden_size: int, heads: int, feedforward: int, window: int, dropout: float
    ) -> None:
        super().__init__()
        self.hidden_size, self.heads, self.window = hidden_size, heads, window
        self.embed = nn.Linear(token_size, hidden_size)
        self.project = nn.Linear(hidden_size, 3 * hidden_size)
        """To queries, keys and values."""
        self.mix = nn.Linear(hidden_size, hidden_size)
        self.first_norm, self.second_norm = nn.LayerNorm(hidden_size), nn.LayerNorm(hidden_size)
        self.widen, self.narrow = nn.Linear(hidden_size, feedforward), nn.Linear(feedforward, hidden_size)
        self.output = nn.Linear(hidden_size, token_size)
        self.dropout = nn.Dropout(dropout)
        self.layer_dropout = nn.Dropout(LAYER_DROPOUT if dropout else 0.0)
        self.register_buffer("positions", sinusoids(window, hidden_size), persistent=False)

    def state_shape(self) -> tuple[int, ...]:
        """Shape of the cache without the batch: keys and values of the newest W tokens, the newest last."""
        return (2, self.window, self.hidden_size)

    def forward(self, tokens_BTI: Tensor) -> Tensor:
        """Return the outputs of a whole sequence of W tokens at most."""
        count = tokens_BTI.shape[1]
        assert count <= self.window, (count, self.window)
        placed = self.dropout(self._embedded(tokens_BTI) + self.positions[:count])
        queries, keys, values = (self._by_head(part) for part in self.project(placed).chunk(3, dim=-1))
        share = self.layer_dropout.p if self.training else 0.0
        attended = functional.scaled_dot_product_attention(queries, keys, values, dropout_p=share, is_causal=True)
        return self._finished(placed, attended.transpose(1, 2).flatten(2))

    def step(self, token_BI: Tensor, cache: Tensor, count_B1: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output of the next token [B, I] and the next cache; `count_B1` tokens of the window are there with this one."""
        embedded_BD = self._embedded(token_BI)
        to_query, to_key, to_value = self.project.weight.chunk(3)
        query_bias, key_bias, value_bias = self.project.bias.chunk(3)
        newest = torch.stack(
            [functional.linear(embedded_BD, to_key, key_bias), functional.linear(embedded_BD, to_value, value_bias)],
            dim=1,
        )
        cache = torch.cat([cache[:, :, 1:], newest[:, :, None]], dim=2)
        # Place s of W holds the token at position s - (W - count); before that there is none.
        absent_B1 = self.window - count_B1
        place_W = torch.arange(self.window, device=token_BI.device, dtype=token_BI.dtype)
        position_BW = (place_W - absent_B1).clamp_min(0.0).to(torch.int64)
        keys = cache[:, 0] + functional.linear(self.positions, to_key)[position_BW]
        values = cache[:, 1] + functional.linear(self.positions, to_value)[position_BW]
        placed_BD = embedded_BD + self.positions[position_BW[:, -1]]
        query_BHE = functional.linear(placed_BD, to_query, query_bias).unflatten(1, (self.heads, -1))
        keys, values = self._by_head(keys), self._by_head(values)
        scores_BHW = (keys @ query_BHE[..., None])[..., 0] / math.sqrt(keys.shape[-1])
        scores_BHW = torch.where((place_W < absent_B1)[:, None], HIDDEN, scores_BHW)
        attended_BHE = (torch.softmax(scores_BHW, dim=-1)[:, :, None] @ values)[:, :, 0]
        return self._finished(placed_BD, attended_BHE.flatten(1)), cache

    def _embedded(self, tokens: Tensor) -> Tensor:
        return functional.leaky_relu(self.embed(tokens), SLOPE) * math.sqrt(self.hidden_size)

    def _by_head(self, values_BTD: Tensor) -> Tensor:
        """[B, T, D] -> [B, heads, T, E]."""
        return values_BTD.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def _finished(self, placed: Tensor, attended: Tensor) -> Tensor:
        now = self.first_norm(placed + self.layer_dropout(self.mix(attended)))
        wide = self.layer_dropout(torch.relu(self.widen(now)))
        return torch.tanh(self.output(self.second_norm(now + self.layer_dropout(self.narrow(wide)))))


def sinusoids(count: int, size: int) -> Tensor:
    """Return the positions 0 … count - 1 as sines and cosines [count, size], as arXiv 1706.03762 has them."""
    place = torch.arange(count, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, size, 2).float() * (-math.log(10000.0) / size))
    return torch.stack([torch.sin(place * rate), torch.cos(place * rate)], dim=2).flatten(1)
