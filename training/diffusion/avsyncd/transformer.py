"""The attention of AVSyncD's UNet: to the first frame, to the sound, to the text and over time (arXiv 2403.05659)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers.models.attention import FeedForward
from diffusers.models.attention_processor import Attention
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from torch import Tensor, nn

from training.diffusion.avsyncd.config import UNetConfig
from training.diffusion.avsyncd.convolution import frames_of, video_of

# B batch, C channels, F frames, H W rows and columns, P places (H·W), K tokens of the text, V tokens of the sound that a frame sees,
# D numbers of a token

NORM_EPS = 1e-6


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the frames look at beside each other."""

    text_BKD: Tensor
    sound_BFVD: Tensor
    """For each frame the tokens of its own part of the sound."""

    def __post_init__(self) -> None:
        assert self.text_BKD.ndim == 3, self.text_BKD.shape
        assert self.sound_BFVD.ndim == 4, self.sound_BFVD.shape


class VideoTransformer(nn.Module):
    """Video [B, C, F, H, W] -> video. Its norm is over each frame by itself."""

    def __init__(self, channels: int, config: UNetConfig) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(config.groups, channels, eps=NORM_EPS)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(channels, config)])
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, video: Tensor, conditions: Conditions) -> Tensor:
        count, size = video.shape[2], video.shape[3:]
        frames = self.proj_in(self.norm(frames_of(video)))
        places_BFPC = frames.flatten(2).transpose(1, 2).unflatten(0, (-1, count))
        for block in self.transformer_blocks:
            places_BFPC = block(places_BFPC, conditions)
        frames = self.proj_out(places_BFPC.flatten(0, 1).transpose(1, 2).unflatten(2, size))
        return video + video_of(frames, count)


class TransformerBlock(nn.Module):
    """Places of frames [B, F, P, C] -> the same; each part looks at what its norm gives, and is added."""

    def __init__(self, channels: int, config: UNetConfig) -> None:
        super().__init__()

        def attention(looked_at: int | None = None) -> Attention:
            return Attention(channels, looked_at, heads=config.heads, dim_head=channels // config.heads)

        self.norm1, self.attn1 = nn.LayerNorm(channels), attention()
        self.norm_audio, self.attn_audio = nn.LayerNorm(channels), attention(config.sound_size)
        self.norm2, self.attn2 = nn.LayerNorm(channels), attention(config.text_size)
        self.pos_proj_temp = Timesteps(channels, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.pos_embedding_temp = TimestepEmbedding(channels, channels)
        self.norm_temp, self.attn_temp = nn.LayerNorm(channels), attention()
        nn.init.zeros_(self.attn_temp.to_out[0].weight)
        self.norm3, self.ff = nn.LayerNorm(channels), FeedForward(channels)

    def forward(self, places: Tensor, conditions: Conditions) -> Tensor:
        count, size = places.shape[1:3]
        normed = self.norm1(places)
        # All frames look at the first one alone.
        places = places + self.attn1(normed.flatten(1, 2), normed[:, 0]).unflatten(1, (count, size))
        normed = self.norm_audio(places).flatten(0, 1)
        places = places + self.attn_audio(normed, conditions.sound_BFVD.flatten(0, 1)).unflatten(0, (-1, count))
        normed = self.norm2(places).flatten(1, 2)
        places = places + self.attn2(normed, conditions.text_BKD).unflatten(1, (count, size))
        places = places + self._over_time(places)
        return places + self.ff(self.norm3(places))

    def _over_time(self, places: Tensor) -> Tensor:
        """Each place looks at itself in all frames, earlier and later ones."""
        numbers_F = torch.arange(places.shape[1], device=places.device)
        position_FC = self.pos_embedding_temp(self.pos_proj_temp(numbers_F).to(places.dtype))
        normed_BPFC = self.norm_temp(places + position_FC[:, None]).transpose(1, 2)
        looked = self.attn_temp(normed_BPFC.flatten(0, 1))
        return looked.unflatten(0, normed_BPFC.shape[:2]).transpose(1, 2)
