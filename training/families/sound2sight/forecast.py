"""What training asks of the generator: every frame of a sequence predicted from the real ones before it, all at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from training.families.sound2sight.generator import Generator
from training.families.sound2sight.recurrence import Normal

# B sequences, T frames, D numbers of a code, Z latent numbers, C colours, H W rows and columns


@dataclass(frozen=True, slots=True)
class Forecast:
    """The frames 1 … T - 1 of sequences, each predicted from those before it."""

    frames_BTCHW: Tensor
    """In [0, 1]; T - 1 of them."""
    prior: Normal
    """Of the latent numbers [B, T - 1, Z]."""
    posterior: Normal

    def divergence(self) -> Tensor:
        """Return KL(posterior, prior), summed over frames and latent numbers, the mean of the sequences."""
        return self.posterior.divergence_from(self.prior).sum() / len(self.frames_BTCHW)


def forecast(
    generator: Generator,
    real_BTCHW: Tensor,
    sounds_BTD: Tensor,
    noise_BTZ: Tensor,
    given_BTCHW: Tensor | None = None,
) -> Forecast:
    """Predict each frame from the one before it: the real one, or, where there are any, the `given` one.

    As in the original, the latent numbers are drawn from the prior, and the details are those of the last context frame. The
    sequence is not longer than the window of the transformers and one frame. Sounds are codes; the first does not count.
    """
    config = generator.config
    real_codes, skips = _encoded(generator, real_BTCHW)
    codes_BTD, targets_BTD, before = real_codes[:, :-1], real_codes[:, 1:], real_BTCHW[:, :-1]
    if given_BTCHW is not None:
        before = given_BTCHW[:, :-1]
        codes_BTD, skips = _encoded(generator, before)
    steps = codes_BTD.shape[1]
    sounds = generator.sound_attention(sounds_BTD[:, 1:])
    seen = generator.frame_attention(codes_BTD)
    prior = generator.prior.of(generator.prior.layers.sequence(torch.cat([seen, sounds], dim=2)))
    target = generator.target_attention(targets_BTD)
    posterior = generator.posterior.of(generator.posterior.layers.sequence(torch.cat([target, sounds], dim=2)))
    latent = prior.sample(noise_BTZ[:, 1:])
    hidden = generator.predictor.layers.sequence(generator.predicted_from(codes_BTD, latent, sounds))
    next_codes = generator.predictor.of(hidden)
    # Step i goes on from frame i; it sees the details of that frame up to the last context frame, and of that one from there on.
    last = steps - 1 if config.last_frame_skip else config.context_frames - 1
    detail_T = torch.arange(steps, device=codes_BTD.device).clamp_max(last)
    details = [skip[:, detail_T].flatten(0, 1) for skip in skips]
    frames = generator.decode(next_codes.flatten(0, 1), details, before.flatten(0, 1))
    return Forecast(frames.unflatten(0, next_codes.shape[:2]), prior, posterior)


def with_own_frames(given_BTCHW: Tensor, own: Forecast, taken_BT: Tensor) -> Tensor:
    """Return the frames with the generator's own in the place of those that `taken_BT` marks; the first is never taken.

    Predicting all frames once more from these is scheduled sampling (arXiv 1506.03099), in parallel as in arXiv 1906.04331.
    """
    own_BTCHW = torch.cat([given_BTCHW[:, :1], own.frames_BTCHW.detach()], dim=1)
    return torch.where(taken_BT[:, :, None, None, None], own_BTCHW, given_BTCHW)


def _encoded(generator: Generator, frames_BTCHW: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return codes [B, T, D] and maps [B, T, C, h, w] of frames."""
    codes, maps = generator.encoder(frames_BTCHW.flatten(0, 1))
    size = frames_BTCHW.shape[:2]
    return codes.unflatten(0, size), [one.unflatten(0, size) for one in maps]
