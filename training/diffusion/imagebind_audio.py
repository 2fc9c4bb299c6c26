"""The audio encoder of ImageBind (arXiv 2305.05665): a vision transformer over the log-mel levels of two seconds of sound.

Patches of 16 x 16 levels every 10 become tokens with learned positions, behind a class token; blocks with the norms in front follow.
In each attention one learned key with its value stands beside those of the tokens. AVSyncD takes all tokens, behind a norm of its
own. Modules are called as in the published weights, so these load by their own names; `from_imagebind` maps the names of ImageBind's
own file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import TrainingError
from training.diffusion.filter_bank import IMAGEBIND, FilterBank

# B batch, S samples of sound, M mel bands, N columns (windows of the sound), T tokens, D numbers of a token, G segments

SOUND_S = 2.0
COLUMNS = 204
"""Two seconds have 198; zeros stand behind them."""
PARTS = {
    "preprocessor": "modality_preprocessors.audio",
    "trunk": "modality_trunks.audio",
    "head": "modality_heads.audio",
    "postprocessor": "modality_postprocessors.audio",
}
"""What AVSyncD's file and ImageBind's own file call the same parts."""
NORM_EPS = 1e-6
HEAD_SIZE = 64
"""Numbers of a head, which a file of weights does not say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageBindAudioConfig:
    """Sizes; the defaults are those of the published imagebind_huge."""

    size: int = 768
    layers: int = 12
    heads: int = 12
    embedding_size: int = 1024
    """Numbers of the vector that a whole sound becomes."""
    mel_bands: int = IMAGEBIND.mel_bands
    columns: int = COLUMNS
    patch: int = 16
    patch_hop: int = 10

    def __post_init__(self) -> None:
        if self.size % self.heads or min(self.patch_rows, self.patch_columns, self.layers) < 1:
            raise TrainingError(
                f"The audio encoder has {self.heads} heads for {self.size} numbers, {self.layers} layers and patches of {self.patch} "
                f"in {self.mel_bands} x {self.columns} levels; heads that divide the numbers, a layer and a patch were expected."
            )

    @property
    def patch_rows(self) -> int:
        return (self.mel_bands - self.patch) // self.patch_hop + 1

    @property
    def patch_columns(self) -> int:
        return (self.columns - self.patch) // self.patch_hop + 1

    @property
    def tokens(self) -> int:
        return 1 + self.patch_rows * self.patch_columns


class ImageBindAudio(nn.Module):
    """Levels [B, 1, M, N] -> tokens [B, T, D]: the class token, then the patches of the lowest bands in time, then of the next."""

    def __init__(self, config: ImageBindAudioConfig) -> None:
        super().__init__()
        self.config = config
        self.preprocessor = _Patches(config)
        self.trunk = _Trunk(config)
        self.head = nn.Sequential(
            nn.LayerNorm(config.size, eps=NORM_EPS),
            _ClassToken(),
            nn.Linear(config.size, config.embedding_size, bias=False),
        )
        self.postprocessor = nn.Sequential(nn.Identity(), _Scale())
        self.final_layer_norm = nn.LayerNorm(config.size, eps=NORM_EPS)

    def forward(self, levels_B1MN: Tensor) -> Tensor:
        return self.final_layer_norm(self.trunk(self.preprocessor(levels_B1MN)))

    def embedding(self, levels_B1MN: Tensor) -> Tensor:
        """Return the unit vectors [B, embedding_size] in the space that ImageBind shares between sound, frames and text."""
        return functional.normalize(self.head(self.trunk(self.preprocessor(levels_B1MN))), dim=-1)

    def null_tokens(self) -> Tensor:
        """Return the tokens [1, T, D] of levels that are all zero, which stand for no sound in guidance and in training."""
        like = self.preprocessor.cls_token
        return self(torch.zeros(1, 1, self.config.mel_bands, self.config.columns, dtype=like.dtype, device=like.device))


class _Positions(nn.Module):
    def __init__(self, config: ImageBindAudioConfig) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.randn(1, config.tokens, config.size) * config.size**-0.5)


class _Stem(nn.Module):
    def __init__(self, config: ImageBindAudioConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(1, config.size, config.patch, stride=config.patch_hop, bias=False)
        self.norm_layer = nn.LayerNorm(config.size)

    def forward(self, levels_B1MN: Tensor) -> Tensor:
        return self.norm_layer(self.proj(levels_B1MN).flatten(2).transpose(1, 2))


class _Patches(nn.Module):
    """Levels [B, 1, M, N] -> tokens [B, T, D] at their positions."""

    def __init__(self, config: ImageBindAudioConfig) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, 1, config.size) * config.size**-0.5)
        self.rgbt_stem = _Stem(config)
        self.pos_embedding_helper = _Positions(config)

    def forward(self, levels_B1MN: Tensor) -> Tensor:
        first_B1D = self.cls_token.expand(len(levels_B1MN), -1, -1)
        return torch.cat([first_B1D, self.rgbt_stem(levels_B1MN)], dim=1) + self.pos_embedding_helper.pos_embed


class _Perceptron(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)

    def forward(self, tokens_BTD: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(tokens_BTD)))


class _Block(nn.Module):
    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(size, heads, add_bias_kv=True, batch_first=True)
        self.norm_1, self.norm_2 = nn.LayerNorm(size, eps=NORM_EPS), nn.LayerNorm(size, eps=NORM_EPS)
        self.mlp = _Perceptron(size)

    def forward(self, tokens_BTD: Tensor) -> Tensor:
        normed_BTD = self.norm_1(tokens_BTD)
        tokens_BTD = tokens_BTD + self.attn(normed_BTD, normed_BTD, normed_BTD, need_weights=False)[0]
        return tokens_BTD + self.mlp(self.norm_2(tokens_BTD))


class _Trunk(nn.Module):
    def __init__(self, config: ImageBindAudioConfig) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(_Block(config.size, config.heads) for _ in range(config.layers)))

    def forward(self, tokens_BTD: Tensor) -> Tensor:
        return self.blocks(tokens_BTD)


class _ClassToken(nn.Module):
    def forward(self, tokens_BTD: Tensor) -> Tensor:
        return tokens_BTD[:, 0]


class _Scale(nn.Module):
    """The published weights hold the logarithm of a scale for logits. Vectors here have length 1, so it is loaded and not used."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("log_logit_scale", torch.tensor(20.0).log())


def levels_of(sound_BS: Tensor, bank: FilterBank, columns: int = COLUMNS) -> Tensor:
    """Return the levels [B, 1, M, columns] of mono sound in [-1, 1]. What lacks at the end is 0 before mean and deviation are applied.

    Raises TrainingError for sound that is shorter than a window of the filter bank.
    """
    levels_BMN = bank(sound_BS).transpose(1, 2)[:, :, :columns]
    lacking = columns - levels_BMN.shape[-1]
    padding = (0.0 - bank.config.mean) / bank.config.deviation
    return functional.pad(levels_BMN, (0, lacking), value=padding)[:, None]


def segment_mask(config: ImageBindAudioConfig, segments: int) -> Tensor:
    """Return which tokens each of G equal segments of the time sees, as booleans [G, T]: the class token and its columns of patches.

    Segments are ceil(columns / G) columns long and begin evenly spread, so neighbours overlap where G does not divide the columns.
    """
    columns = config.patch_columns
    if not 1 <= segments <= columns:
        raise TrainingError(f"The sound was asked for in {segments} segments; from 1 to {columns} were expected.")
    length = -(-columns // segments)
    # numpy rounds halves to even, as the original does.
    starts_G = torch.from_numpy(np.round(np.linspace(0, columns - length, segments)).astype(np.int64))
    column_N = torch.arange(columns)
    seen_GN = (column_N >= starts_G[:, None]) & (column_N < starts_G[:, None] + length)
    patches_GT = seen_GN[:, None].expand(segments, config.patch_rows, columns).flatten(1)
    return torch.cat([torch.ones(segments, 1, dtype=torch.bool), patches_GT], dim=1)


def config_of(weights: Mapping[str, Tensor]) -> ImageBindAudioConfig:
    """Return the shape of an encoder of its weights, by the names here. Raises TrainingError where they have none."""
    patch, head = weights.get("preprocessor.rgbt_stem.proj.weight"), weights.get("head.2.weight")
    if patch is None or head is None or patch.ndim != 4 or head.ndim != 2:
        raise TrainingError(
            "The weights of the audio encoder lack the convolution of patches or the head; ImageBind's own file imagebind_huge.pth "
            "was expected."
        )
    size = patch.shape[0]
    layers = {name.split(".")[2] for name in weights if name.startswith("trunk.blocks.")}
    return ImageBindAudioConfig(
        size=size,
        layers=len(layers),
        heads=max(1, size // HEAD_SIZE),
        embedding_size=head.shape[0],
        patch=patch.shape[-1],
    )


def from_imagebind(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the audio encoder's weights of ImageBind's own file, by the names here.

    What its file lacks is AVSyncD's norm behind the trunk, which was never trained: ones and zeros. Raises TrainingError for a file
    without an audio encoder.
    """
    found = {
        f"{ours}{name.removeprefix(theirs)}": tensor
        for name, tensor in weights.items()
        for ours, theirs in PARTS.items()
        if name.startswith(f"{theirs}.")
    }
    if not found:
        raise TrainingError(
            f"The weights hold no '{PARTS['trunk']}'; ImageBind's own file imagebind_huge.pth was expected."
        )
    positions = found.get("preprocessor.pos_embedding_helper.pos_embed")
    if positions is not None:
        found["final_layer_norm.weight"] = torch.ones(positions.shape[-1])
        found["final_layer_norm.bias"] = torch.zeros(positions.shape[-1])
    return found
