"""Residual blocks of the UNet, and the steps between its levels. Their norms are over all frames of a video together."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from training.diffusion.avsyncd.config import UNetConfig
from training.diffusion.avsyncd.convolution import CausalConvolution, frames_of, video_of

# B batch, C channels, F frames, H W rows and columns, E numbers of the time embedding


class ResidualBlock(nn.Module):
    """Video [B, C, F, H, W] and time embedding [B, E] -> video with other channels."""

    def __init__(self, channels: int, new_channels: int, config: UNetConfig) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(config.groups, channels, eps=config.eps)
        self.conv1 = CausalConvolution(channels, new_channels, 3)
        self.time_emb_proj = nn.Linear(config.time_size, new_channels)
        self.norm2 = nn.GroupNorm(config.groups, new_channels, eps=config.eps)
        self.conv2 = CausalConvolution(new_channels, new_channels, 3)
        self.conv_shortcut = CausalConvolution(channels, new_channels, 1) if channels != new_channels else None

    def forward(self, video: Tensor, time_BE: Tensor) -> Tensor:
        time_BC = self.time_emb_proj(functional.silu(time_BE))
        changed = self.conv1(functional.silu(self.norm1(video))) + time_BC[:, :, None, None, None]
        changed = self.conv2(functional.silu(self.norm2(changed)))
        return changed + (video if self.conv_shortcut is None else self.conv_shortcut(video))


class Downsample(nn.Module):
    """Half the rows and columns."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = CausalConvolution(channels, channels, 3, stride=2)

    def forward(self, video: Tensor) -> Tensor:
        return self.conv(video)


class Upsample(nn.Module):
    """Twice the rows and columns, or the size of what is added next, where a side was odd."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = CausalConvolution(channels, channels, 3)

    def forward(self, video: Tensor, size: tuple[int, int]) -> Tensor:
        larger = functional.interpolate(frames_of(video), size=size, mode="nearest")
        return self.conv(video_of(larger, video.shape[2]))
