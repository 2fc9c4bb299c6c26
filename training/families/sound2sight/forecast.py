"""What training asks of the generator: every frame of a sequence predicted from the real ones before it, all at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.families.sound2sight.generator import Generator
from training.families.sound2sight.recurrence import Normal

# K draws, B sequences, T frames, D numbers of a code, Z latent numbers, C colours, H W rows and columns


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


@dataclass(frozen=True, slots=True)
class _Known:
    """What predicted frames follow from, whatever the latent numbers are."""

    codes_BTD: Tensor
    sounds_BTD: Tensor
    prior: Normal
    details: list[Tensor]
    before_BTCHW: Tensor

    def frames(self, generator: Generator, noise_BTZ: Tensor) -> Tensor:
        """Return the frames [B, T, C, H, W] that are drawn with this noise."""
        latent = self.prior.sample(noise_BTZ)
        inputs_BTI = generator.predicted_from(self.codes_BTD, latent, self.sounds_BTD)
        codes = generator.predictor.of(generator.predictor.layers.sequence(inputs_BTI))
        frames = generator.decode(codes.flatten(0, 1), self.details, self.before_BTCHW.flatten(0, 1))
        return frames.unflatten(0, codes.shape[:2])


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
    real_codes, skips = _encoded(generator, real_BTCHW)
    codes_BTD, before = real_codes[:, :-1], real_BTCHW[:, :-1]
    if given_BTCHW is not None:
        before = given_BTCHW[:, :-1]
        codes_BTD, skips = _encoded(generator, before)
    known = _known(generator, codes_BTD, skips, sounds_BTD, before)
    target = generator.target_attention(real_codes[:, 1:])
    posterior = generator.posterior.of(
        generator.posterior.layers.sequence(torch.cat([target, known.sounds_BTD], dim=2))
    )
    return Forecast(known.frames(generator, noise_BTZ[:, 1:]), known.prior, posterior)


@torch.no_grad()
def nearest_noise(generator: Generator, real_BTCHW: Tensor, sounds_BTD: Tensor, noise_KBTZ: Tensor) -> Tensor:
    """Return, for each frame of each sequence, that of K draws of noise with which the frame comes nearest to the real one.

    Trained with it, the generator loses nothing by draws that go another way, so that together they cover what may come; the mean
    of what may come is otherwise the safest draw (the variety loss of arXiv 1803.10892, here for each frame).
    """
    before, real = real_BTCHW[:, :-1], real_BTCHW[:, 1:]
    known = _known(generator, *_encoded(generator, before), sounds_BTD, before)
    errors_KBT = torch.stack(
        [(known.frames(generator, noise[:, 1:]) - real).square().mean(dim=(2, 3, 4)) for noise in noise_KBTZ]
    )
    nearest_BT = functional.pad(errors_KBT.argmin(dim=0), (1, 0))
    return noise_KBTZ.gather(0, nearest_BT[None, :, :, None].expand(1, *noise_KBTZ.shape[1:]))[0]


def _known(
    generator: Generator, codes_BTD: Tensor, skips: list[Tensor], sounds_BTD: Tensor, before_BTCHW: Tensor
) -> _Known:
    """Return what the frames 1 … T - 1 follow from; codes, skips and `before` are those of the frames 0 … T - 2."""
    config, steps = generator.config, codes_BTD.shape[1]
    sounds = generator.sound_attention(sounds_BTD[:, 1:])
    seen = generator.frame_attention(codes_BTD)
    prior = generator.prior.of(generator.prior.layers.sequence(torch.cat([seen, sounds], dim=2)))
    # Step i goes on from frame i; it sees the details of that frame up to the last context frame, and of that one from there on.
    last = steps - 1 if config.last_frame_skip else config.context_frames - 1
    detail_T = torch.arange(steps, device=codes_BTD.device).clamp_max(last)
    details = [skip[:, detail_T].flatten(0, 1) for skip in skips]
    return _Known(codes_BTD, sounds, prior, details, before_BTCHW)


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
