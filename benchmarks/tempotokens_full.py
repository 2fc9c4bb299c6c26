"""TempoTokens at the published size: the configurations of its networks, and names and shapes of their weights.

Facts of BEATs iter3+ AS2M, of the original's mapper, and of zeroscope_v2_576w (a 3D UNet as ModelScope's, the text encoder and the
autoencoder of Stable Diffusion 2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from training.diffusion import stable_diffusion
from training.diffusion.beats import Beats, BeatsConfig
from training.diffusion.tempotokens import published
from training.diffusion.tempotokens.audio_mapper import AudioMapper, MapperConfig

BEATS: dict[str, Any] = asdict(BeatsConfig())
UNET: dict[str, Any] = {
    "sample_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ["CrossAttnDownBlock3D", "CrossAttnDownBlock3D", "CrossAttnDownBlock3D", "DownBlock3D"],
    "up_block_types": ["UpBlock3D", "CrossAttnUpBlock3D", "CrossAttnUpBlock3D", "CrossAttnUpBlock3D"],
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "cross_attention_dim": 1024,
    "attention_head_dim": 64,
    "norm_num_groups": 32,
    "norm_eps": 1e-5,
    "act_fn": "silu",
    "downsample_padding": 1,
    "mid_block_scale_factor": 1,
}
TEXT: dict[str, Any] = {
    "vocab_size": 49408,
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 23,
    "num_attention_heads": 16,
    "max_position_embeddings": 77,
    "hidden_act": "gelu",
    "projection_dim": 512,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "pad_token_id": 1,
}
VAE: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "latent_channels": 4,
    "norm_num_groups": 32,
    "sample_size": 512,
    "scaling_factor": 0.18215,
}
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "audio encoder": lambda: Beats(BeatsConfig()),
    "mapper": lambda: AudioMapper(MapperConfig()),
    "text encoder": lambda: stable_diffusion.text_encoder_from(TEXT),
    "UNet": lambda: published.unet_from(UNET),
    "autoencoder": lambda: stable_diffusion.vae_from(VAE),
}


def shapes() -> dict[str, dict[str, tuple[int, ...]]]:
    """Return names and shapes of all weights, by network, as the published files have them."""
    found = {}
    for part, make in NETWORKS.items():
        with torch.device("meta"):
            state = make().state_dict()
        prefix = stable_diffusion.TEXT_PREFIX if part == "text encoder" else ""
        found[part] = {prefix + name: tuple(value.shape) for name, value in state.items()}
    return found
