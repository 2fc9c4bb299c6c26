"""What a rendering with TempoTokens will need, from configurations alone: the networks run once on the meta device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from engine.core.structured import shortened
from training.diffusion import stable_diffusion
from training.diffusion.cost import Cost, counted, weight_bytes
from training.diffusion.render_family import RenderJob, RenderPlan
from training.diffusion.tempotokens import published
from training.diffusion.tempotokens.denoising import guided
from training.diffusion.tempotokens.frame_contexts import read_prompt
from training.diffusion.tempotokens.frame_unet import FrameUNet
from training.diffusion.tempotokens.settings import Settings, cut_sound

DECODED_TOGETHER = 8
META = torch.device("meta")


def decoded_together(job: RenderJob) -> int:
    """Return how many frames go through the decoder at once."""
    return 1 if job.save_memory else DECODED_TOGETHER


def unet_cost(
    unet: FrameUNet, settings: Settings, frames: int, size: tuple[int, int], words: int, device: torch.device
) -> Cost:
    """Return the cost of one window in one step on a device; `size` is rows and columns of the latents, `words` the length of a context."""
    kind = next(unet.parameters()).dtype
    config = unet.unet.config
    window = min(frames, settings.sampling.window_frames)
    latents = torch.empty(1, config.in_channels, window, *size, device=META)
    given = torch.empty(window, words, config.cross_attention_dim, device=META, dtype=kind)
    timestep = torch.zeros((), dtype=torch.long, device=META)
    return counted(lambda: guided(unet, latents, timestep, (given, given[:1]), settings.sampling), device)


def decoder_cost(vae: Any, frames: int, size: tuple[int, int], device: torch.device) -> Cost:
    """Return the cost of decoding that many frames at once on a device."""
    kind = next(vae.parameters()).dtype
    latents = torch.empty(frames, vae.config.latent_channels, *size, device=META, dtype=kind)
    return counted(lambda: vae.decode(latents).sample, device)


def plan(settings: Settings, job: RenderJob, files: Mapping[str, Path]) -> RenderPlan:
    """Return the plan of a rendering. Raises TrainingError for a sound that is too short, and for configurations that do not fit."""
    cut = cut_sound(job.sound_s, settings)
    tokenizer = stable_diffusion.tokenizer_of(files[published.VOCABULARY].parent)
    with META:
        unet = FrameUNet(published.unet_of(files[published.UNET].parent)).to(job.kind)
        vae = stable_diffusion.vae_of(files[published.VAE].parent).to(job.kind)
    published.check_together(unet.unet, files[published.TEXT])
    side = stable_diffusion.scale_of(vae)
    size = (job.height // side, job.width // side)
    together = min(decoded_together(job), cut.frames)
    one_step = unet_cost(unet, settings, cut.made, size, tokenizer.model_max_length, job.device)
    decoding = decoder_cost(vae, together, size, job.device)
    windows = settings.sampling.windows_per_step(cut.made)
    cut_text = [
        f"The text is too long for the text encoder, which reads {tokenizer.model_max_length} words and pieces of words; left out: '{shortened(left)}'."
        for text, with_sound in ((settings.text, settings.with_sound), (settings.negative, False))
        if (left := read_prompt(tokenizer, text, with_sound).cut)
    ]
    about = (
        f"{cut.frames} frames of {job.width}x{job.height} at {settings.fps} a second from {_told(settings, cut.segments)}; "
        f"{settings.sampling.steps} steps of {windows} window{'s' if windows > 1 else ''}"
    )
    # The decoder stays beside the UNet, for the strip of frames.
    return RenderPlan(
        about=about,
        weight_bytes=weight_bytes(unet, vae, bytes_each=job.bytes_each),
        peak_bytes=max(one_step.peak_bytes, decoding.peak_bytes),
        kept_bytes=_kept_bytes(settings, files, job.bytes_each),
        operations=settings.sampling.steps * windows * one_step.operations
        + -(-cut.frames // together) * decoding.operations,
        notices=(*cut.notices, *cut_text),
        lower="--width, --height or --window-frames",
    )


def _kept_bytes(settings: Settings, files: Mapping[str, Path], bytes_each: int) -> int:
    """Return what the networks of text and sound take; those of the sound compute in float32."""
    sound = [published.BEATS_FILE, f"{settings.mapper}/{published.MAPPER_FILE}"] if settings.with_sound else []
    text = stable_diffusion.numbers_of(files[published.TEXT]) * bytes_each
    return text + sum(files[path].stat().st_size for path in sound)


def _told(settings: Settings, segments: int) -> str:
    sound = f"{segments} segment{'s' if segments > 1 else ''} of {settings.segment_s:g} s of sound"
    return {"sound": sound, "text": f"the text '{settings.text}'", "both": f"{sound} and the text '{settings.text}'"}[
        settings.condition
    ]
