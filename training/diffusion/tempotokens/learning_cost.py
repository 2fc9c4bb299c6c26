"""The memory that training a mapper takes, counted on the meta device before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.diffusion import stable_diffusion
from training.diffusion.cost import FusedAttention, LearningCost, learning_cost, weight_bytes
from training.diffusion.filter_bank import BEATS
from training.diffusion.recomputation import recompute
from training.diffusion.tempotokens import published
from training.diffusion.tempotokens.audio_mapper import AudioMapper, MapperConfig
from training.diffusion.tempotokens.frame_contexts import Prompt, read_prompt
from training.diffusion.tempotokens.frame_unet import FrameUNet
from training.diffusion.tempotokens.mapper_training import Frozen, Piece, mapper_loss
from training.diffusion.tempotokens.planning import META
from training.diffusion.tempotokens.settings import SEGMENT_FRAMES

FLOAT_BYTES = 4
NOISE_STEPS = 1000


def cost_of_files(
    files: Mapping[str, Path], hidden_size: int, form: tuple[int, int, int], recomputes: bool, device: torch.device
) -> LearningCost:
    """Return the cost of training at a width, a height and a number of frames a second. Raises TrainingError for files that do not fit."""
    width, height, fps = form
    with META:
        unet = FrameUNet(published.unet_of(files[published.UNET].parent))
        vae = stable_diffusion.vae_of(files[published.VAE].parent)
    published.check_together(unet.unet, files[published.TEXT])
    if recomputes:
        recompute(unet.layers(), FusedAttention)
    beats = published.beats_of(files[published.BEATS_FILE])
    text_encoder = stable_diffusion.text_encoder_of(files[published.TEXT].parent).to(META)
    with META:
        mapper = AudioMapper(MapperConfig(beats.config.feature_size, hidden_size, text_encoder.config.hidden_size))
    prompt = read_prompt(stable_diffusion.tokenizer_of(files[published.VOCABULARY].parent), "", True)
    scale = stable_diffusion.scale_of(vae)
    size = (height // scale, width // scale)
    tokens = beats.token_count(SEGMENT_FRAMES * BEATS.sample_rate_hz // fps)
    cost = piece_cost(unet, text_encoder, mapper, prompt, (*size, tokens), device)
    return cost.beside(weight_bytes(vae, beats, bytes_each=FLOAT_BYTES))


def piece_cost(
    unet: FrameUNet,
    text_encoder: nn.Module,
    mapper: AudioMapper,
    prompt: Prompt,
    shape: tuple[int, int, int],
    device: torch.device,
) -> LearningCost:
    """Return the cost of one piece on a device, of networks on the meta device; pieces come one after the other.

    `shape` is rows and columns of the latents, and tokens of the sound.
    """
    rows, columns, tokens = shape
    config: Any = unet.unet.config
    latents = torch.empty(1, config.in_channels, SEGMENT_FRAMES, rows, columns, device=META)
    piece = Piece(latents, torch.empty(1, tokens, mapper.config.input_size, device=META))
    frozen = Frozen(
        unet.requires_grad_(False), text_encoder.requires_grad_(False), prompt, torch.empty(NOISE_STEPS, device=META)
    )
    draws = (torch.zeros(1, dtype=torch.long, device=META), torch.empty_like(latents))
    networks = (unet, text_encoder, mapper)
    return learning_cost(lambda: mapper_loss(frozen, mapper, piece, draws, 0.01), networks, FLOAT_BYTES, device)
