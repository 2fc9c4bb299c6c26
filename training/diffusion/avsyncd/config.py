"""The shape of AVSyncD's UNet, and how it stands in the configuration that its authors' checkpoints bring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.core.errors import TrainingError

FRAMES = 12
FPS = 6
"""Frames of one clip and frames a second, as published: two seconds."""
WITH_SOUND = {
    "down": "FFSpatioAudioTempCrossAttnDownBlock3D",
    "up": "FFSpatioAudioTempCrossAttnUpBlock3D",
    "mid": "FFSpatioAudioTempCrossAttnUNetMidBlock3D",
}
PLAIN = {"down": "FFSpatioTempResDownBlock3D", "up": "FFSpatioTempResUpBlock3D"}
FIXED: Mapping[str, Any] = {
    "act_fn": "silu",
    "center_input_sample": False,
    "class_embed_type": None,
    "conv_in_kernel": 3,
    "conv_out_kernel": 3,
    "downsample_padding": 1,
    "dual_cross_attention": False,
    "encoder_hid_dim": None,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "mid_block_scale_factor": 1,
    "only_cross_attention": False,
    "resnet_time_scale_shift": "default",
    "time_embedding_type": "positional",
    "upcast_attention": False,
    "use_linear_projection": False,
}
"""What the published configuration says and this code takes for granted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UNetConfig:
    """Sizes; the defaults are the published ones, those of Stable Diffusion 1.5 with sound."""

    latent_channels: int = 4
    channels: tuple[int, ...] = (320, 640, 1280, 1280)
    """Of each level, from the finest. The coarsest has no attention."""
    layers: int = 2
    heads: int = 8
    groups: int = 32
    """Of the group norms."""
    eps: float = 1e-5
    text_size: int = 768
    sound_size: int = 768

    def __post_init__(self) -> None:
        if len(self.channels) < 2 or any(count % self.groups or count % self.heads for count in self.channels):
            raise TrainingError(
                f"The UNet has {list(self.channels)} channels, {self.groups} groups and {self.heads} heads; two levels or more "
                "whose channels both divide were expected."
            )

    @property
    def time_size(self) -> int:
        return 4 * self.channels[0]

    @property
    def least_side(self) -> int:
        """Latents whose sides are multiples of this keep their size through all levels."""
        return 2 ** (len(self.channels) - 1)


def read_config(values: Mapping[str, Any]) -> UNetConfig:
    """Return the shape that a checkpoint's unet/config.json gives.

    Raises TrainingError where it describes another network than AVSyncD's.
    """
    for name, expected in FIXED.items():
        if values.get(name, expected) != expected:
            raise TrainingError(f"The UNet's configuration says {name}: {values[name]}; AVSyncD has {expected}.")
    channels = values.get("block_out_channels", UNetConfig().channels)
    levels = len(channels) if isinstance(channels, list | tuple) else 0
    for name, expected in _blocks(levels).items():
        given = values.get(name)
        if (list(given) if isinstance(given, list | tuple) else given) != expected:
            raise TrainingError(
                f"The UNet's configuration says {name}: {given}; AVSyncD has {expected}. Take unet/config.json of one of its checkpoints."
            )
    sizes = {
        "latent_channels": values.get("in_channels", 4),
        "layers": values.get("layers_per_block", 2),
        "heads": values.get("attention_head_dim", 8),  # diffusers' name for the number of heads
        "groups": values.get("norm_num_groups", 32),
        "text_size": values.get("cross_attention_dim", 1280),
        "sound_size": values.get("audio_cross_attention_dim", 768),
    }
    for name, size in sizes.items():
        if type(size) is not int or size < 1:
            raise TrainingError(
                f"The UNet's configuration gives {size} as {name}; a positive whole number was expected."
            )
    return UNetConfig(channels=tuple(channels), eps=float(values.get("norm_eps", 1e-5)), **sizes)


def inflated_config(values: Mapping[str, Any], sound_size: int) -> UNetConfig:
    """Return the shape of a video UNet that begins with a Stable Diffusion of this configuration, for sound tokens of a size.

    Raises TrainingError where that is another network than Stable Diffusion 1.5's kind.
    """
    levels = len(values["block_out_channels"]) if isinstance(values.get("block_out_channels"), list | tuple) else 0
    kinds = {
        "down_block_types": ["CrossAttnDownBlock2D"] * (levels - 1) + ["DownBlock2D"],
        "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * (levels - 1),
    }
    for name, expected in kinds.items():
        if list(values.get(name) or ()) != expected:
            raise TrainingError(
                f"The UNet for stills says {name}: {values.get(name)}; {expected} was expected, as in Stable Diffusion 1.5."
            )
    return read_config({**values, **_blocks(levels), "audio_cross_attention_dim": sound_size})


def written_config(config: UNetConfig) -> dict[str, Any]:
    """Return the configuration as its authors' code writes it."""
    return {
        "_class_name": "AudioUNet3DConditionModel",
        **FIXED,
        "in_channels": config.latent_channels,
        "out_channels": config.latent_channels,
        "block_out_channels": list(config.channels),
        "layers_per_block": config.layers,
        "attention_head_dim": config.heads,
        "norm_num_groups": config.groups,
        "norm_eps": config.eps,
        "cross_attention_dim": config.text_size,
        "audio_cross_attention_dim": config.sound_size,
        **_blocks(len(config.channels)),
    }


def _blocks(levels: int) -> dict[str, Any]:
    """Return what blocks each level has: all but the coarsest look at sound and text."""
    return {
        "down_block_types": [WITH_SOUND["down"]] * (levels - 1) + [PLAIN["down"]],
        "up_block_types": [PLAIN["up"]] + [WITH_SOUND["up"]] * (levels - 1),
        "mid_block_type": WITH_SOUND["mid"],
    }
