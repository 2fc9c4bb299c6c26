"""AVSyncD's UNet: that of Stable Diffusion 1.5, inflated to video, which also listens (arXiv 2403.05659).

Modules are called as in the published weights, so these load by their own names, and those of Stable Diffusion too: what is added to it
has "_temp" or "_audio" in its name, and only that is trained.
"""

from __future__ import annotations

import torch
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from torch import Tensor, nn
from torch.nn import functional

from training.diffusion.avsyncd.config import UNetConfig
from training.diffusion.avsyncd.convolution import CausalConvolution
from training.diffusion.avsyncd.residual import Downsample, ResidualBlock, Upsample
from training.diffusion.avsyncd.transformer import Conditions, VideoTransformer

# B batch, C channels, F frames, H W rows and columns, E numbers of the time embedding

ADDED = ("_temp", "_audio")
"""Parts of the names of what AVSyncD adds to Stable Diffusion."""


class VideoUNet(nn.Module):
    """Latents [B, C, F, H, W] with noise from the second frame on -> the noise of all frames, of which the first means nothing."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.conv_in = CausalConvolution(config.latent_channels, channels[0], 3)
        self.time_proj = Timesteps(channels[0], flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time_embedding = TimestepEmbedding(channels[0], config.time_size)
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        last = len(channels) - 1
        for level, count in enumerate(channels):
            sizes = [channels[max(level - 1, 0)], *[count] * (config.layers - 1)]
            self.down_blocks.append(_DownBlock(sizes, count, level < last, config))
        self.mid_block = _MidBlock(channels[-1], config)
        for level in range(last, -1, -1):
            # Each layer gets what the one before gives, and what the way down left at this place.
            count, coarser, finer = channels[level], channels[min(level + 1, last)], channels[max(level - 1, 0)]
            sizes = [coarser + count, *[2 * count] * (config.layers - 1), count + finer]
            self.up_blocks.append(_UpBlock(sizes, count, (level < last, level > 0), config))
        self.conv_norm_out = nn.GroupNorm(config.groups, channels[0], eps=config.eps)
        self.conv_out = CausalConvolution(channels[0], config.latent_channels, 3)

    def forward(self, latents: Tensor, timestep: Tensor, conditions: Conditions) -> Tensor:
        """Return the noise in `latents` at a timestep, of all videos [] or of each [B]."""
        steps_B = timestep.to(latents.device).expand(len(latents))
        time_BE = self.time_embedding(self.time_proj(steps_B).to(latents.dtype))
        video = self.conv_in(latents)
        left = [video]
        for block in self.down_blocks:
            video = block(video, time_BE, conditions, left)
        video = self.mid_block(video, time_BE, conditions)
        for block in self.up_blocks:
            video = block(video, time_BE, conditions, left)
        return self.conv_out(functional.silu(self.conv_norm_out(video)))

    def layers(self) -> list[nn.Module]:
        """Return the layers in all blocks: what `recompute` takes."""
        return [module for module in self.modules() if isinstance(module, ResidualBlock | VideoTransformer)]


class _DownBlock(nn.Module):
    """One level on the way down. What each layer gives is left for the way up."""

    def __init__(self, sizes: list[int], channels: int, attends: bool, config: UNetConfig) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(ResidualBlock(size, channels, config) for size in sizes)
        self.attentions = _attentions(channels, len(sizes) if attends else 0, config)
        self.downsamplers = nn.ModuleList([Downsample(channels)] if attends else [])

    def forward(self, video: Tensor, time_BE: Tensor, conditions: Conditions, left: list[Tensor]) -> Tensor:
        for number, residual in enumerate(self.resnets):
            video = residual(video, time_BE)
            if self.attentions:
                video = self.attentions[number](video, conditions)
            left.append(video)
        for downsample in self.downsamplers:
            video = downsample(video)
            left.append(video)
        return video


class _MidBlock(nn.Module):
    def __init__(self, channels: int, config: UNetConfig) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(ResidualBlock(channels, channels, config) for _ in range(2))
        self.attentions = _attentions(channels, 1, config)

    def forward(self, video: Tensor, time_BE: Tensor, conditions: Conditions) -> Tensor:
        video = self.attentions[0](self.resnets[0](video, time_BE), conditions)
        return self.resnets[1](video, time_BE)


class _UpBlock(nn.Module):
    """One level on the way up: each layer takes what was left last."""

    def __init__(
        self, sizes: list[int], channels: int, attends_and_enlarges: tuple[bool, bool], config: UNetConfig
    ) -> None:
        super().__init__()
        attends, enlarges = attends_and_enlarges
        self.resnets = nn.ModuleList(ResidualBlock(size, channels, config) for size in sizes)
        self.attentions = _attentions(channels, len(sizes) if attends else 0, config)
        self.upsamplers = nn.ModuleList([Upsample(channels)] if enlarges else [])

    def forward(self, video: Tensor, time_BE: Tensor, conditions: Conditions, left: list[Tensor]) -> Tensor:
        for number, residual in enumerate(self.resnets):
            video = residual(torch.cat([video, left.pop()], dim=1), time_BE)
            if self.attentions:
                video = self.attentions[number](video, conditions)
        for upsample in self.upsamplers:
            height, width = left[-1].shape[3:]
            video = upsample(video, (height, width))
        return video


def _attentions(channels: int, count: int, config: UNetConfig) -> nn.ModuleList:
    return nn.ModuleList(VideoTransformer(channels, config) for _ in range(count))


def added_names(unet: nn.Module) -> list[str]:
    """Return the names of the parameters that AVSyncD adds to Stable Diffusion and trains."""
    return [name for name, _ in unet.named_parameters() if any(part in name for part in ADDED)]
