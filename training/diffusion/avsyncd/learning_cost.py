"""The memory that training AVSyncD takes, counted on the meta device before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from training.diffusion.avsyncd import published
from training.diffusion.avsyncd.config import FRAMES, inflated_config
from training.diffusion.avsyncd.family import SEEN_TOKENS, TEXT_TOKENS
from training.diffusion.avsyncd.learner import LearningConfig
from training.diffusion.avsyncd.objective import draw, noise_loss, train_what_is_added
from training.diffusion.avsyncd.sampling import Given
from training.diffusion.avsyncd.unet import VideoUNet
from training.diffusion.cost import FusedAttention, LearningCost, learning_cost, weight_bytes
from training.diffusion.imagebind_audio import ImageBindAudio
from training.diffusion.recomputation import recompute
from training.diffusion.stable_diffusion import scale_of, vae_of
from training.diffusion.state_dicts import read_config

FLOAT_BYTES = 4
META = torch.device("meta")


def cost_of_files(
    files: Mapping[str, Path],
    size: tuple[int, int],
    clips: int,
    learning: LearningConfig,
    recomputes: bool,
    device: torch.device,
) -> LearningCost:
    """Return the cost of batches of that many clips of a width and height. Raises TrainingError for files that do not fit."""
    width, height = size
    values = read_config(files[published.STILL_UNET].with_name("config.json"))
    shape = published.audio_config_of(files[published.AUDIO])
    with META:
        unet, audio = VideoUNet(inflated_config(values, shape.size)), ImageBindAudio(shape)
        vae = vae_of(files[published.VAE].parent)
    if recomputes:
        recompute(unet.layers(), FusedAttention)
    scale = scale_of(vae)
    cost = batch_cost(unet, (clips, height // scale, width // scale), learning, device)
    return cost.beside(weight_bytes(audio, vae, bytes_each=FLOAT_BYTES))


def batch_cost(
    unet: VideoUNet, shape: tuple[int, int, int], learning: LearningConfig, device: torch.device
) -> LearningCost:
    """Return the cost of one batch on a device, of a UNet on the meta device; batches come one after the other.

    `shape` is clips, and rows and columns of the latents. Counted in float32: in bfloat16 it is less.
    """
    clips, rows, columns = shape
    if learning.everything:
        unet.requires_grad_()
    else:
        list(train_what_is_added(unet))
    latents = torch.empty(clips, unet.config.latent_channels, FRAMES, rows, columns, device=META)
    text = torch.empty(clips, TEXT_TOKENS, unet.config.text_size, device=META)
    sound = torch.empty(clips, FRAMES, SEEN_TOKENS, unet.config.sound_size, device=META)
    draws = draw(latents, torch.Generator())
    given = Given(text, text, sound, sound)
    return learning_cost(lambda: noise_loss(unet, latents, given, draws), [unet], FLOAT_BYTES, device)
