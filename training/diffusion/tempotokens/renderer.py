"""TempoTokens as an offline family: a sound, and a text, become the frames of a clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.core.errors import TrainingError
from training.data.clip_sound import resampled
from training.diffusion import stable_diffusion
from training.diffusion.file_renderer import FileRenderer
from training.diffusion.filter_bank import BEATS
from training.diffusion.progress import strip_places
from training.diffusion.tempotokens import published
from training.diffusion.tempotokens.denoising import decode, denoise, primes_up_to
from training.diffusion.tempotokens.frame_contexts import contexts, read_prompt
from training.diffusion.tempotokens.frame_unet import FrameUNet
from training.diffusion.tempotokens.planning import decoded_together
from training.diffusion.tempotokens.settings import Cut, Settings, cut_sound

# S samples of sound, G segments, F frames, P pseudo-tokens of a frame, C channels, H W rows and columns, L tokens and D channels of a context


@dataclass(frozen=True, kw_only=True, slots=True)
class TempoTokens(FileRenderer):
    """Networks are read one after the other: those of sound and text, the UNet, the autoencoder's decoder. Of one clip they are forgotten."""

    settings: Settings
    name: str = "tempotokens"

    @property
    def fps(self) -> int:
        return self.settings.fps

    def render(self, sound_S: NDArray[np.float32]) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames of the whole sound. Raises TrainingError for weights that do not fit."""
        cut = cut_sound(len(sound_S) / self.sample_rate_hz, self.settings)
        # The mapper drops numbers at random, and draws them here.
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(self.job.seed)
            read = self.contexts(sound_S, cut)
            vae = self.opened(published.VAE, stable_diffusion.open_vae)
            latents_1CFHW = self.latents(read, cut.made, vae)[:, :, : cut.frames]
            together = decoded_together(self.job)
            places, shown = strip_places(cut.frames), list[NDArray[np.uint8]]()
            self.progress.begin("decoding", cut.frames)
            for first in range(0, cut.frames, together):
                some_FHW3 = decode(vae, latents_1CFHW[:, :, first : first + together]).cpu().numpy()
                for number, pixels_HW3 in enumerate(some_FHW3, first):
                    if number in places:
                        shown.append(pixels_HW3)
                    self.progress.advance()
                    yield pixels_HW3
            self.progress.renew_strip(lambda: np.stack(shown), last=True)
            self.progress.end()

    def contexts(self, sound_S: NDArray[np.float32], cut: Cut) -> tuple[Tensor, Tensor]:
        """Return the contexts of all frames that are made [F, L, D], or [1, L, D] of a text alone, and that of the negative text [1, L, D]."""
        tokenizer = stable_diffusion.tokenizer_of(self.files[published.VOCABULARY].parent)
        text_encoder = self.opened(published.TEXT, stable_diffusion.open_text_encoder)
        prompt = read_prompt(tokenizer, self.settings.text, self.settings.with_sound)
        pseudo_FPC = self.pseudo_tokens(sound_S, cut.segments)[: cut.made] if self.settings.with_sound else None
        width = text_encoder.config.hidden_size
        if pseudo_FPC is not None and pseudo_FPC.shape[-1] != width:
            raise TrainingError(
                f"The mapper makes words of {pseudo_FPC.shape[-1]} numbers and the text encoder reads {width}; a mapper and a base "
                "model that belong together were expected."
            )
        empty = contexts(text_encoder, read_prompt(tokenizer, self.settings.negative, False))
        return contexts(text_encoder, prompt, pseudo_FPC), empty

    def pseudo_tokens(self, sound_S: NDArray[np.float32], segments: int) -> Tensor:
        """Return the pseudo-tokens of all frames [F, P, C]; each segment of the sound is encoded by itself."""
        samples = round(self.settings.segment_s * BEATS.sample_rate_hz)
        heard_S = resampled(sound_S, self.sample_rate_hz, BEATS.sample_rate_hz)[: segments * samples]
        heard_GS = torch.from_numpy(np.pad(heard_S, (0, segments * samples - len(heard_S)))).view(segments, samples)
        # In float32 always.
        beats = self.opened(published.BEATS_FILE, published.open_beats, kind=torch.float32)
        mapper = self.opened(
            f"{self.settings.mapper}/{published.MAPPER_FILE}", published.open_mapper, kind=torch.float32
        )
        if beats.config.feature_size != mapper.config.input_size:
            raise TrainingError(
                f"The audio encoder gives {beats.config.feature_size} numbers a token and the mapper reads {mapper.config.input_size}; "
                "an encoder and a mapper that belong together were expected."
            )
        return torch.cat([mapper(beats(segment_S[None].to(self.job.device)))[0] for segment_S in heard_GS])

    def latents(self, both_contexts: tuple[Tensor, Tensor], frames: int, vae: Any) -> Tensor:
        """Return the latents of the clip [1, C, F, H, W]."""
        unet = FrameUNet(self.opened(published.UNET, published.open_unet))
        scale = stable_diffusion.scale_of(vae)
        random = torch.Generator().manual_seed(self.job.seed)
        shape = (1, unet.unet.config.in_channels, frames, self.height // scale, self.width // scale)
        noise = torch.randn(shape, generator=random).to(self.job.device)
        primes = primes_up_to(min(frames, self.settings.sampling.window_frames))
        order = torch.randperm(len(primes), generator=random).tolist()
        rotates = self.settings.sampling.loop or frames > self.settings.sampling.window_frames
        shifts = [primes[i] for i in order] if rotates and primes else [0]
        self.progress.begin("denoising", self.settings.sampling.steps)

        def watch(clip_1CFHW: Tensor) -> None:
            self.progress.advance()
            self.progress.renew_strip(lambda: decode_some(clip_1CFHW))

        def decode_some(clip_1CFHW: Tensor) -> NDArray[np.uint8]:
            places = [clip_1CFHW[:, :, i : i + 1] for i in strip_places(frames)]
            return np.concatenate([decode(vae, place).cpu().numpy() for place in places])

        scheduler = published.scheduler_of(self.files[published.SCHEDULER])
        return denoise(unet, scheduler, noise, both_contexts, self.settings.sampling, shifts, watch)
