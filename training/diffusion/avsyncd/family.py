"""AVSyncD as `python -m training.render` takes it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

import torch

from engine.core.structured import shortened
from training.diffusion.avsyncd import published
from training.diffusion.avsyncd.config import FPS, FRAMES, UNetConfig
from training.diffusion.avsyncd.renderer import AVSyncD
from training.diffusion.avsyncd.settings import (
    DEFAULT_MODEL,
    add_arguments,
    frame_count,
    notices,
    settings_of,
    unet_place,
)
from training.diffusion.avsyncd.still import read_still
from training.diffusion.avsyncd.transformer import Conditions
from training.diffusion.avsyncd.unet import VideoUNet
from training.diffusion.cost import Cost, counted, weight_bytes
from training.diffusion.imagebind_audio import ImageBindAudio
from training.diffusion.loaded import Loaded
from training.diffusion.progress import RenderProgress
from training.diffusion.render_family import RenderJob, RenderPlan
from training.diffusion.stable_diffusion import numbers_of, ready, scale_of, tokenizer_of, vae_of
from training.diffusion.weight_files import WeightFile, check_usable, require

SEEN_TOKENS = 25
"""Of the sound, by each frame."""
TEXT_TOKENS = 77


class Family:
    """A still, a sound and the name of a class."""

    about = "avsyncd: a still moves with a sound of two seconds or more (arXiv 2403.05659)"
    width = published.CHECKPOINTS[DEFAULT_MODEL].width
    height = published.CHECKPOINTS[DEFAULT_MODEL].height
    steps = 50
    autoencoder = published.VAE

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)

    def weight_files(self, arguments: Namespace) -> Sequence[WeightFile]:
        return published.weight_files(unet_place(arguments))

    def window_s(self, arguments: Namespace) -> float:
        return FRAMES / FPS

    def plan(self, arguments: Namespace, job: RenderJob) -> RenderPlan:
        settings = settings_of(arguments)
        files = require(job.weights, self.weight_files(arguments))
        # Before anything takes long.
        read_still(settings.image, job.width, job.height)
        frames = frame_count(job.sound_s)
        chunks = settings.chunks(frames)
        meta = torch.device("meta")
        with meta:
            unet = ready(published.unet_of(files[settings.unet]), meta, job.kind)
            audio = ready(ImageBindAudio(published.audio_config_of(files[published.AUDIO])), meta, job.kind)
            vae = ready(vae_of(files[published.VAE].parent), meta, job.kind)
        steps = len(_timesteps(published.scheduler_of(files[published.SCHEDULER], settings.sampler), job.steps))
        scale = scale_of(vae)
        latents = torch.empty(
            1, unet.config.latent_channels, FRAMES, job.height // scale, job.width // scale, device="meta"
        )
        latents = latents.to(job.kind)
        step = step_cost(unet, latents, job.device)
        decoding = counted(lambda: vae.decode(latents[:, :, 0]).sample, job.device)
        branches = settings.guidance.branches
        apart = job.save_memory and job.device.type != "cpu"
        return RenderPlan(
            about=f"{frames} frames of {job.width}x{job.height} at {FPS} a second, in {chunks} {'chunk' if chunks == 1 else 'chunks'} of {FRAMES} with {steps} steps{', as a loop' if settings.loop else ''}",
            weight_bytes=(max if apart else sum)(
                weight_bytes(network, bytes_each=job.bytes_each) for network in (unet, audio, vae)
            ),
            peak_bytes=max(step.peak_bytes, decoding.peak_bytes),
            kept_bytes=numbers_of(files[published.TEXT]) * job.bytes_each,
            operations=chunks * (steps * branches * step.operations + FRAMES * decoding.operations),
            notices=(
                *notices(settings, job.sound_s, (job.width, job.height)),
                *cut_text(tokenizer_of(files[published.VOCABULARY].parent), settings.text),
            ),
        )

    def open(self, arguments: Namespace, job: RenderJob, progress: RenderProgress, loaded: Loaded) -> AVSyncD:
        files = self.weight_files(arguments)
        places = require(job.weights, files)
        if not loaded.holds_some:
            check_usable(places, files)
        return AVSyncD(job=job, files=places, progress=progress, loaded=loaded, settings=settings_of(arguments))


def step_cost(unet: VideoUNet, latents: torch.Tensor, device: torch.device) -> Cost:
    """Return the cost that one call of a UNet on the meta device will have on another one."""
    config: UNetConfig = unet.config
    text = latents.new_empty(1, TEXT_TOKENS, config.text_size)
    sound = latents.new_empty(1, latents.shape[2], SEEN_TOKENS, config.sound_size)
    timestep = torch.zeros((), device="meta")
    return counted(lambda: unet(latents, timestep, Conditions(text, sound)), device)


def cut_text(tokenizer: Any, text: str) -> list[str]:
    """Return a sentence that tells what of a text is too much for the text encoder."""
    words, most = tokenizer(text).input_ids, tokenizer.model_max_length
    if len(words) <= most:
        return []
    lost = shortened(tokenizer.decode(words[most - 1 : -1]).strip())
    return [f"--text has {len(words) - 2} tokens and the text encoder reads {most - 2}; this is cut: {lost}"]


def _timesteps(scheduler: object, steps: int) -> list[int]:
    scheduler.set_timesteps(steps)  # type: ignore[attr-defined]
    return list(scheduler.timesteps)  # type: ignore[attr-defined]


FAMILY = Family()
