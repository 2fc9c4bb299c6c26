"""The mapper of TempoTokens: tokens of the sound -> what stands in the place of words (arXiv 2309.16429, section 3).

It is the only part that is trained. Modules are called as in the published weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import TrainingError

# B batch, N tokens of the sound, F frames, I channels of a token of the sound, C channels of a word, P pseudo-tokens of a frame

REACHES = (1, 2, 4, 8)
"""Of the local windows: frame i sees the frames from i - reach up to i + reach, without the last one."""
PSEUDO_TOKENS = 2 + len(REACHES)
"""A frame's own token, a mean of each local window, and one token of all frames."""


@dataclass(frozen=True, slots=True)
class MapperConfig:
    """Defaults are the published ones."""

    input_size: int = 9216
    hidden_size: int = 2304
    output_size: int = 1024
    frames: int = 24
    pooling_dropout: float = 0.5
    """Of the numbers that weigh the frames for the token of all of them. The original drops while it renders too, so one sound gives
    many clips; 0 drops nothing."""


class Unary(nn.Module):
    """How much each token counts by itself."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.embed = nn.Conv1d(channels, channels, 1)
        self.feature_reduce = nn.Conv1d(channels, 1, 1)

    def forward(self, tokens_BCF: Tensor) -> Tensor:
        # Always, as the original: not only in training.
        kept_BCF = functional.dropout(functional.relu(self.embed(tokens_BCF)), self.dropout, training=True)
        return self.feature_reduce(kept_BCF)


class Pairwise(nn.Module):
    """How much each token counts beside the others: its mean cosine with them, in two projections."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.embed_X = nn.Conv1d(channels, channels, 1)
        self.embed_Y = nn.Conv1d(channels, channels, 1)

    def forward(self, tokens_BCF: Tensor) -> Tensor:
        these_BCF = functional.normalize(self.embed_X(tokens_BCF), dim=1)
        others_BCF = functional.normalize(self.embed_Y(tokens_BCF), dim=1)
        return (these_BCF.transpose(1, 2) @ others_BCF).mean(dim=2)[:, None]


class AttentivePooling(nn.Module):
    """Tokens [B, F, C] -> one token [B, C], by a factor graph's attention (Schwartz et al., arXiv 1904.05880)."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.un_models = nn.ModuleList([Unary(channels, dropout)])
        self.pp_models = nn.ModuleDict({"0": Pairwise(channels)})
        self.reduce_potentials = nn.ModuleList([nn.Conv1d(2, 1, 1, bias=False)])

    def forward(self, tokens_BFC: Tensor) -> Tensor:
        tokens_BCF = tokens_BFC.transpose(1, 2)
        potentials_B2F = torch.cat([self.un_models[0](tokens_BCF), self.pp_models["0"](tokens_BCF)], dim=1)
        shares_B1F = self.reduce_potentials[0](potentials_B2F).softmax(dim=-1)
        return (tokens_BCF @ shares_B1F.transpose(1, 2))[:, :, 0]


class AudioMapper(nn.Module):
    """Tokens of the sound [B, N, I] -> pseudo-tokens of each frame [B, F, P, C]."""

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        self.config = config
        self.fc1 = nn.Linear(config.input_size, config.hidden_size)
        self.fc2 = nn.Linear(config.hidden_size, config.hidden_size)
        self.fc3 = nn.Linear(config.hidden_size, config.output_size)
        self.fc4 = nn.Linear(config.output_size, config.output_size)
        self.fga = AttentivePooling(config.output_size, config.pooling_dropout)

    def frame_tokens(self, tokens_BNI: Tensor) -> Tensor:
        """Return one token a frame [B, F, C]; each frame gets N / F consecutive tokens. Raises TrainingError where F does not divide N."""
        frames = self.config.frames
        if tokens_BNI.shape[1] % frames or not tokens_BNI.shape[1]:
            raise TrainingError(
                f"The sound gives {tokens_BNI.shape[1]} tokens for {frames} frames; a multiple of {frames} was expected: use 1, 2, 3 or 4 s."
            )
        mapped_BNC = functional.gelu(self.fc2(functional.gelu(self.fc1(tokens_BNI))))
        grouped_BFNC = self.fc3(mapped_BNC).unflatten(1, (frames, -1))
        return self.fc4(functional.gelu(grouped_BFNC.mean(dim=2)))

    def forward(self, tokens_BNI: Tensor) -> Tensor:
        """Return, for each frame, its token, the means of its local windows and the token of all frames. Raises as `frame_tokens`."""
        tokens_BFC = self.frame_tokens(tokens_BNI)
        return pseudo_tokens(tokens_BFC, self.fga(tokens_BFC))


def pseudo_tokens(tokens_BFC: Tensor, pooled_BC: Tensor) -> Tensor:
    """Return the pseudo-tokens [B, F, P, C] of frames' own tokens, and of one token of all frames."""
    windows = [window_means(tokens_BFC, reach) for reach in REACHES]
    return torch.stack([tokens_BFC, *windows, pooled_BC[:, None].expand_as(tokens_BFC)], dim=2)


def window_means(tokens_BFC: Tensor, reach: int) -> Tensor:
    """Return the mean of the tokens from i - reach to i + reach - 1 around each i [B, F, C]."""
    return torch.stack(
        [tokens_BFC[:, max(i - reach, 0) : i + reach].mean(dim=1) for i in range(tokens_BFC.shape[1])], dim=1
    )
