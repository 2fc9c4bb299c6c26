"""BEATs, an audio encoder (Chen et al., "BEATs: Audio Pre-Training with Acoustic Tokenizers", arXiv 2212.09058).

A filter bank is cut into patches of 16 windows by 16 bands, and a transformer runs over them, time after time and band group after
band group. What is used here are the outputs of all layers, side by side. Modules are called as in the published weights, so a
state dict loads as it is. The encoder is frozen: it has no dropout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import TrainingError
from training.diffusion.filter_bank import BEATS, FilterBank

# B batch, S samples, W windows of the filter bank, M mel bands, N tokens, C channels, H heads, D channels of a head, L layers


@dataclass(frozen=True, slots=True)
class BeatsConfig:
    """The shape, under the names in the `cfg` of published files; defaults are those of BEATs iter3+ AS2M."""

    embed_dim: int = 512
    input_patch_size: int = 16
    conv_bias: bool = False
    encoder_layers: int = 12
    encoder_embed_dim: int = 768
    encoder_ffn_embed_dim: int = 3072
    encoder_attention_heads: int = 12
    conv_pos: int = 128
    conv_pos_groups: int = 16
    num_buckets: int = 320
    max_distance: int = 800
    deep_norm: bool = True
    relative_position_embedding: bool = True
    gru_rel_pos: bool = True
    layer_norm_first: bool = False
    activation_fn: str = "gelu"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is not type(field.default) or (type(value) is int and value < 1):
                kind = "a positive whole number" if type(field.default) is int else f"such as {field.default}"
                raise TrainingError(f"BEATs has {field.name} {value!r}; {kind} was expected: fetch its file again.")
        for name, only in (
            ("relative_position_embedding", True),
            ("gru_rel_pos", True),
            ("layer_norm_first", False),
            ("activation_fn", "gelu"),
        ):
            if getattr(self, name) != only:
                raise TrainingError(
                    f"BEATs has {name} {getattr(self, name)}; {only} was expected: use BEATs_iter3_plus_AS2M or a model fine-tuned from it."
                )
        if self.encoder_embed_dim % self.encoder_attention_heads:
            raise TrainingError(
                f"BEATs has {self.encoder_embed_dim} channels in {self.encoder_attention_heads} heads; a multiple was expected."
            )

    @property
    def feature_size(self) -> int:
        """Channels of all layers together."""
        return self.encoder_layers * self.encoder_embed_dim

    @staticmethod
    def of_file(values: Mapping[str, object]) -> BeatsConfig:
        """Return the shape in the `cfg` of a published file. What only training needs is left out. Raises TrainingError."""
        known = {field.name for field in fields(BeatsConfig)}
        return BeatsConfig(**{name: value for name, value in values.items() if name in known})  # type: ignore[arg-type]


class PositionConvolution(nn.Module):
    """Positions, from a convolution over many tokens whose weights have a length for each place and a direction."""

    def __init__(self, channels: int, width: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.weight_g = nn.Parameter(torch.ones(1, 1, width))
        self.weight_v = nn.Parameter(torch.randn(channels, channels // groups, width) / (width * channels) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, tokens_BNC: Tensor) -> Tensor:
        width = self.weight_v.shape[-1]
        weight = self.weight_g * self.weight_v / self.weight_v.norm(dim=(0, 1), keepdim=True)
        moved_BCN = functional.conv1d(
            tokens_BNC.transpose(1, 2), weight, self.bias, padding=width // 2, groups=self.groups
        )
        # An even width gives one too many.
        return functional.gelu(moved_BCN[..., : tokens_BNC.shape[1]]).transpose(1, 2)


def distance_buckets(tokens: int, buckets: int, farthest: int) -> Tensor:
    """Return the bucket of each pair of query and key [N, N].

    Half of the buckets are for keys that follow. Of each half the first half are distances 0, 1, 2, ..., the others grow
    logarithmically up to `farthest` (Raffel et al., arXiv 1910.10683).
    """
    places = torch.arange(tokens)
    apart = places[None, :] - places[:, None]
    half = buckets // 2
    exact = half // 2
    distance = apart.abs()
    logarithm = torch.log(distance.float() / exact) / math.log(farthest / exact) * (half - exact)
    far = (exact + logarithm.clamp_min(0.0).long()).clamp_max(half - 1)
    return half * (apart > 0) + torch.where(distance < exact, distance, far)


class Attention(nn.Module):
    """Self-attention with a bias for the distance, which each query opens or closes by a gate (WavLM, arXiv 2110.13900, section 3.1)."""

    def __init__(self, config: BeatsConfig) -> None:
        super().__init__()
        channels = config.encoder_embed_dim
        self.heads = config.encoder_attention_heads
        self.k_proj = nn.Linear(channels, channels)
        self.v_proj = nn.Linear(channels, channels)
        self.q_proj = nn.Linear(channels, channels)
        self.out_proj = nn.Linear(channels, channels)
        self.relative_attention_bias = nn.Embedding(config.num_buckets, self.heads)
        self.grep_linear = nn.Linear(channels // self.heads, 8)
        self.grep_a = nn.Parameter(torch.ones(1, self.heads, 1, 1))

    def forward(self, tokens_BNC: Tensor, buckets_NN: Tensor) -> Tensor:
        batch, count, channels = tokens_BNC.shape

        def in_heads(projection: nn.Linear) -> Tensor:
            return projection(tokens_BNC).view(batch, count, self.heads, -1).transpose(1, 2)

        query_BHND = in_heads(self.q_proj)
        bias_HNN = self.relative_attention_bias(buckets_NN).permute(2, 0, 1)
        # Two gates a query: four numbers each, summed.
        opened, reset = torch.sigmoid(self.grep_linear(query_BHND).unflatten(-1, (2, 4)).sum(-1)).split(1, dim=-1)
        gate_BHN1 = opened * (reset * self.grep_a - 1.0) + 2.0
        mixed_BHND = functional.scaled_dot_product_attention(
            query_BHND, in_heads(self.k_proj), in_heads(self.v_proj), attn_mask=gate_BHN1 * bias_HNN
        )
        return self.out_proj(mixed_BHND.transpose(1, 2).reshape(batch, count, channels))


class Layer(nn.Module):
    """Attention and two linear layers, each normalised after it is added (deep norm, arXiv 2203.00555)."""

    def __init__(self, config: BeatsConfig) -> None:
        super().__init__()
        channels = config.encoder_embed_dim
        self.kept = (2 * config.encoder_layers) ** 0.25 if config.deep_norm else 1.0
        self.self_attn = Attention(config)
        self.self_attn_layer_norm = nn.LayerNorm(channels)
        self.fc1 = nn.Linear(channels, config.encoder_ffn_embed_dim)
        self.fc2 = nn.Linear(config.encoder_ffn_embed_dim, channels)
        self.final_layer_norm = nn.LayerNorm(channels)

    def forward(self, tokens_BNC: Tensor, buckets_NN: Tensor) -> Tensor:
        tokens_BNC = self.self_attn_layer_norm(self.kept * tokens_BNC + self.self_attn(tokens_BNC, buckets_NN))
        return self.final_layer_norm(self.kept * tokens_BNC + self.fc2(functional.gelu(self.fc1(tokens_BNC))))


class Encoder(nn.Module):
    """The transformer: tokens [B, N, C] -> the outputs of its layers, L of [B, N, C]."""

    def __init__(self, config: BeatsConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.encoder_embed_dim
        self.pos_conv = nn.Sequential(PositionConvolution(channels, config.conv_pos, config.conv_pos_groups))
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.encoder_layers))
        for layer in self.layers[1:]:
            # One table for all layers; files hold it once for each.
            layer.self_attn.relative_attention_bias = self.layers[0].self_attn.relative_attention_bias
        self.layer_norm = nn.LayerNorm(channels)

    def forward(self, tokens_BNC: Tensor) -> list[Tensor]:
        buckets_NN = distance_buckets(tokens_BNC.shape[1], self.config.num_buckets, self.config.max_distance)
        buckets_NN = buckets_NN.to(tokens_BNC.device)
        tokens_BNC = self.layer_norm(tokens_BNC + self.pos_conv(tokens_BNC))
        outputs = list[Tensor]()
        for layer in self.layers:
            tokens_BNC = layer(tokens_BNC, buckets_NN)
            outputs.append(tokens_BNC)
        return outputs


class Beats(nn.Module):
    """Sound [B, S] at 16 kHz in [-1, 1] -> the outputs of all layers side by side [B, N, L · C]."""

    def __init__(self, config: BeatsConfig) -> None:
        super().__init__()
        self.config = config
        # Computed, not loaded: also where the weights have no numbers yet.
        with torch.device("cpu"):
            self.filter_bank = FilterBank(BEATS)
        patch = config.input_patch_size
        self.patch_embedding = nn.Conv2d(1, config.embed_dim, patch, stride=patch, bias=config.conv_bias)
        self.layer_norm = nn.LayerNorm(config.embed_dim)
        wider = config.embed_dim != config.encoder_embed_dim
        self.post_extract_proj = nn.Linear(config.embed_dim, config.encoder_embed_dim) if wider else nn.Identity()
        self.encoder = Encoder(config)

    def forward(self, sound_BS: Tensor) -> Tensor:
        """Return the tokens: patch after patch of time, and in each the bands upwards. Raises TrainingError for too short a sound."""
        return self.encode(self.filter_bank(sound_BS))

    def encode(self, bands_BWM: Tensor) -> Tensor:
        """Return the tokens of a filter bank."""
        if bands_BWM.shape[1] < self.config.input_patch_size:
            raise TrainingError(
                f"The sound has {bands_BWM.shape[1]} windows of the filter bank; at least {self.config.input_patch_size} "
                f"({self.config.input_patch_size * BEATS.hop_s:g} s) were expected."
            )
        patches_BCWM = self.patch_embedding(bands_BWM[:, None].to(self.patch_embedding.weight.dtype))
        tokens_BNC = self.post_extract_proj(self.layer_norm(patches_BCWM.flatten(2).transpose(1, 2)))
        return torch.cat(self.encoder(tokens_BNC), dim=-1)

    def token_count(self, samples: int) -> int:
        """Return how many tokens that many samples give."""
        patch = self.config.input_patch_size
        return BEATS.window_count(samples) // patch * (BEATS.mel_bands // patch)
