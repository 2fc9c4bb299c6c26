"""AVSyncD as an offline family: a still, a sound and a text become the frames of a clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.data.clip_sound import resampled
from training.diffusion.avsyncd import published
from training.diffusion.avsyncd.chaining import Led, chained_frames, looped_frames
from training.diffusion.avsyncd.config import FPS, FRAMES
from training.diffusion.avsyncd.encoding import latents_of
from training.diffusion.avsyncd.sampling import Given, denoise, seen_tokens
from training.diffusion.avsyncd.settings import Settings, frame_count
from training.diffusion.avsyncd.still import read_still
from training.diffusion.file_renderer import FileRenderer
from training.diffusion.filter_bank import IMAGEBIND, FilterBank
from training.diffusion.imagebind_audio import SOUND_S, ImageBindAudio, levels_of, segment_mask
from training.diffusion.progress import strip_places
from training.diffusion.stable_diffusion import open_text_encoder, open_vae, text_tokens, tokenizer_of

# S samples of sound, F frames, C channels, H W rows and columns, K T tokens, V tokens that a frame sees, D numbers of a token


@dataclass(frozen=True, kw_only=True, slots=True)
class AVSyncD(FileRenderer):
    """Chunks of twelve frames, each with two seconds of the sound, one after the other."""

    settings: Settings
    name: str = "avsyncd"
    fps: int = FPS

    def render(self, sound_S: NDArray[np.float32]) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames of the whole sound. Raises TrainingError for weights that do not fit, MediaError for the still."""
        frames = frame_count(len(sound_S) / self.sample_rate_hz)
        still_HW3 = read_still(self.settings.image, self.width, self.height)
        with torch.inference_mode():
            chunks = Chunks(self, resampled(sound_S, self.sample_rate_hz, IMAGEBIND.sample_rate_hz), frames)
            made = looped_frames if self.settings.loop else chained_frames
            yield from made(chunks.latents_of(still_HW3), chunks, frames, FRAMES, self.settings.seam_frames)
        self.progress.end()

    def texts(self) -> tuple[Tensor, Tensor]:
        """Return the tokens [1, K, D] of the text and of an empty one."""
        tokenizer = tokenizer_of(self.files[published.VOCABULARY].parent)
        encoder = self.opened(published.TEXT, open_text_encoder)
        return text_tokens(encoder, tokenizer, self.settings.text), text_tokens(encoder, tokenizer, "")


class Chunks:
    """Makes the frames of one chunk of its first frame's latents [1, C, H, W]."""

    def __init__(self, renderer: AVSyncD, sound_S: NDArray[np.float32], frames: int) -> None:
        """`sound_S` is at the rate of the filter bank. Noise is drawn on the processor, so that a seed means the same everywhere."""
        self._renderer, self._sound_S = renderer, sound_S
        job = renderer.job
        self._texts = renderer.texts()
        # With save_memory only the network that works is on the device.
        rests = torch.device("cpu") if job.save_memory else job.device
        self._audio: ImageBindAudio = renderer.opened(published.AUDIO, published.open_audio, rests)
        self._bank = FilterBank(IMAGEBIND)
        self._mask = segment_mask(self._audio.config, FRAMES)
        with self._at_work(self._audio):
            self._no_sound = seen_tokens(self._audio.null_tokens(), self._mask)
        self._vae: Any = renderer.opened(published.VAE, open_vae, rests)
        self._unet = renderer.opened(renderer.settings.unet, published.open_unet, rests)
        self._random = torch.Generator().manual_seed(job.seed)
        self._loop_samples = round(frames * IMAGEBIND.sample_rate_hz / FPS) if renderer.settings.loop else None
        self._made, self._count = 0, renderer.settings.chunks(frames)

    def __call__(
        self, first_1CHW: Tensor, number: int, led: Sequence[Led[Tensor]]
    ) -> tuple[list[NDArray[np.uint8]], list[Tensor]]:
        """Return the frames of a chunk that begins with frame `number` of the clip, and the latents of each."""
        job, settings, progress = self._renderer.job, self._renderer.settings, self._renderer.progress
        with self._at_work(self._audio):
            sound = seen_tokens(self._audio(self._levels(number)), self._mask)
        scheduler = published.scheduler_of(self._renderer.files[published.SCHEDULER], settings.sampler)
        scheduler.set_timesteps(job.steps)
        channels, (rows, columns) = first_1CHW.shape[1], first_1CHW.shape[2:]
        noise = torch.randn(1, channels, FRAMES - 1, rows, columns, generator=self._random).to(first_1CHW)
        self._made += 1
        progress.begin(f"chunk {self._made} of {self._count}", len(scheduler.timesteps))
        given = Given(*self._texts, sound, self._no_sound)
        with self._at_work(self._unet):
            latents = denoise(
                self._unet, scheduler, first_1CHW, noise, given, settings.guidance, lambda *_: progress.advance(), led
            )
        starts = list(latents[0].transpose(0, 1)[:, None])
        with self._at_work(self._vae):
            made = [self._decoded(start) for start in starts]
        progress.renew_strip(
            lambda: np.stack([made[place] for place in strip_places(FRAMES)]), last=self._made == self._count
        )
        return made, starts

    def latents_of(self, still_HW3: NDArray[np.uint8]) -> Tensor:
        """Return the latents [1, C, H, W] of a still, drawn from what the autoencoder makes of it."""
        # Of its own numbers: those of the clip are then the original's, of which the first belong to the frames.
        random = torch.Generator().manual_seed(self._renderer.job.seed)
        with self._at_work(self._vae):
            return latents_of(self._vae, still_HW3[None], random)

    @contextmanager
    def _at_work(self, network: nn.Module) -> Iterator[None]:
        """Have a network on the device while it is used."""
        if not self._renderer.job.save_memory:
            yield
            return
        nn.Module.to(network, self._renderer.job.device)
        yield
        nn.Module.to(network, "cpu")

    def _decoded(self, latents_1CHW: Tensor) -> NDArray[np.uint8]:
        values = self._vae.decode(latents_1CHW / self._vae.config.scaling_factor).sample[0].permute(1, 2, 0)
        return ((values.float() + 1.0) * 127.5).round().clamp(0, 255).byte().cpu().numpy()

    def _levels(self, number: int) -> Tensor:
        """Return the levels [1, 1, M, N] of the two seconds from a frame on; behind the end stands silence, or the beginning of a loop."""
        rate_hz = IMAGEBIND.sample_rate_hz
        first, length = round(number * rate_hz / FPS), round(SOUND_S * rate_hz)
        padded_S = heard(self._sound_S, first, length, self._loop_samples)
        return levels_of(torch.from_numpy(padded_S)[None], self._bank).to(
            self._renderer.job.device, self._renderer.job.kind
        )


def heard(sound_S: NDArray[np.float32], first: int, length: int, loop_samples: int | None) -> NDArray[np.float32]:
    """Return `length` samples from `first` on. Behind the end stands silence; of a loop, whose frames last `loop_samples`, its beginning."""
    if loop_samples is not None:
        return sound_S[np.arange(first, first + length) % min(loop_samples, len(sound_S))]
    part_S = sound_S[first : first + length]
    return np.pad(part_S, (0, length - len(part_S)))
