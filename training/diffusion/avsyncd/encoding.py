"""Clips as the frozen networks see them: latents of frames, tokens of sound and text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.diffusion.avsyncd import published
from training.diffusion.avsyncd.config import FRAMES
from training.diffusion.avsyncd.examples import Stretch
from training.diffusion.avsyncd.learner import Batch
from training.diffusion.avsyncd.sampling import Given, seen_tokens
from training.diffusion.filter_bank import IMAGEBIND, FilterBank
from training.diffusion.imagebind_audio import levels_of, segment_mask
from training.diffusion.stable_diffusion import open_text_encoder, open_vae, text_tokens, tokenizer_of

# B clips, C channels, F frames, H W rows and columns


class Encoders:
    """The autoencoder, the audio encoder, and the texts, which are encoded once. Nothing in them is trained."""

    def __init__(self, files: Mapping[str, Path], texts: Sequence[str], device: torch.device) -> None:
        self._device = device
        tokenizer = tokenizer_of(files[published.VOCABULARY].parent)
        text_encoder = open_text_encoder(files[published.TEXT], device, torch.float32)
        with torch.no_grad():
            self._texts = {text: text_tokens(text_encoder, tokenizer, text) for text in (*texts, "")}
        self._vae: Any = open_vae(files[published.VAE], device, torch.float32)
        self._audio = published.open_audio(files[published.AUDIO], device, torch.float32)
        self._bank = FilterBank(IMAGEBIND)
        self._mask = segment_mask(self._audio.config, FRAMES)
        with torch.no_grad():
            self._no_sound = seen_tokens(self._audio.null_tokens(), self._mask)

    @property
    def sound_size(self) -> int:
        """Numbers of a token of the sound."""
        return self._audio.config.size

    @torch.no_grad()
    def batch(self, stretches: Sequence[Stretch], texts: Sequence[str], random: torch.Generator) -> Batch:
        """Return clips for training. Latents are drawn from what the autoencoder makes of the frames."""
        count = len(stretches)
        latents = torch.stack([latents_of(self._vae, stretch.frames_FHW3, random) for stretch in stretches])
        sounds_BS = torch.from_numpy(np.stack([stretch.sound_S for stretch in stretches]))
        levels = levels_of(sounds_BS, self._bank).to(self._device)
        given = Given(
            torch.cat([self._texts[text] for text in texts]),
            self._texts[""].expand(count, -1, -1),
            seen_tokens(self._audio(levels), self._mask),
            self._no_sound.expand(count, -1, -1, -1),
        )
        return Batch(latents.transpose(1, 2), given)


def latents_of(vae: Any, frames_FHW3: NDArray[np.uint8], random: torch.Generator) -> Tensor:
    """Return the latents [F, C, H, W] of frames, drawn from what the autoencoder makes of them, on its device and in its numbers."""
    values = torch.from_numpy(np.ascontiguousarray(frames_FHW3)).permute(0, 3, 1, 2).to(vae.device)
    encoded = vae.encode((values / 127.5 - 1.0).to(vae.dtype)).latent_dist
    drawn = torch.randn(encoded.mean.shape, generator=random).to(encoded.mean)
    return (encoded.mean + encoded.std * drawn) * vae.config.scaling_factor
