"""The discriminator of short sequences of frames with their sound, and of single frames."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.core.frame_size import FrameSize
from training.families.sound2sight.config import JointDiscriminatorConfig, Sound2SightConfig
from training.families.sound2sight.generator import initialise
from training.families.sound2sight.image_coding import Encoder
from training.families.sound2sight.recurrence import LstmLayers
from training.families.sound2sight.sound_coding import PATCHES, sound_encoder

# N sequences of K frames, B sequences of T frames, D numbers of a code, F features, C colours, H W rows and columns

FAKE, REAL = 0, 1


@dataclass(frozen=True, slots=True)
class Judged:
    """Logits [N, 2], fake and real, of the last frames of short sequences."""

    matching: Tensor
    """With the sound of the sequence."""
    mismatched: Tensor
    """With the sound of another one."""
    frame: Tensor
    """Of the frame alone."""


class JointDiscriminator(nn.Module):
    """Judges whether the last of K frames is real and goes with its sound, and whether it is real by itself."""

    def __init__(
        self, config: JointDiscriminatorConfig, generator: Sound2SightConfig, features: int, size: FrameSize
    ) -> None:
        super().__init__()
        self.config, code = config, generator.code_size
        self.encoder = Encoder(size, generator.colours, config.channels, code)
        self.sound_encoder = sound_encoder(generator.sound, features, config.hidden_size, code)
        self.layers = LstmLayers(2 * code, config.hidden_size, config.layers)
        self.output, self.frame = nn.Linear(config.hidden_size, 2), nn.Linear(code, 2)
        for network in self.children():
            if network is not self.sound_encoder or generator.sound in PATCHES:
                network.apply(initialise)

    def judge(self, real_BTCHW: Tensor, last_BTCHW: Tensor, features_BTF: Tensor) -> Judged:
        """Judge every K consecutive frames: all of them real but the last one, which is one of `last`.

        The sequences of a batch lend each other their sound as the mismatched one, so there are two at least.
        """
        real_BTD, last_BTD = self._encoded(real_BTCHW), self._encoded(last_BTCHW)
        sounds_BTD = self.sound_encoder(features_BTF.flatten(0, 1)).unflatten(0, features_BTF.shape[:2])
        buffer = self.config.buffer_frames
        before = real_BTD.unfold(1, buffer, 1)[..., :-1]
        frames = torch.cat([before, last_BTD[:, buffer - 1 :, :, None]], dim=3)
        logits = [
            self._logits(frames, sounds.unfold(1, buffer, 1)) for sounds in (sounds_BTD, sounds_BTD.roll(-1, dims=0))
        ]
        return Judged(*logits, self.frame(last_BTD[:, buffer - 1 :].flatten(0, 1)))

    def _encoded(self, frames_BTCHW: Tensor) -> Tensor:
        return self.encoder(frames_BTCHW.flatten(0, 1))[0].unflatten(0, frames_BTCHW.shape[:2])

    def _logits(self, frames_BNDK: Tensor, sounds_BNDK: Tensor) -> Tensor:
        pairs = torch.cat([frames_BNDK, sounds_BNDK], dim=2).flatten(0, 1).transpose(1, 2)
        return torch.tanh(self.output(self.layers.sequence(pairs)[:, -1]))


def discriminator_loss(real: Judged, fake: Judged) -> Tensor:
    """Return the loss of the discriminator: half for real frames, an eighth for each of generated and mismatched ones."""
    is_real = _apart(real.matching, REAL) + _apart(real.frame, REAL)
    is_fake = _apart(fake.matching, FAKE) + _apart(fake.frame, FAKE)
    is_mismatched = _apart(real.mismatched, FAKE) + _apart(fake.mismatched, FAKE)
    return is_real / 2.0 + (is_fake + is_mismatched) / 8.0


def generator_loss(fake: Judged) -> Tensor:
    """Return what the generator is to lower: all three judgements of its frames as real ones, also with another sound, as in the original."""
    judged = (fake.matching, fake.frame, fake.mismatched)
    return torch.stack([_apart(logits, REAL) for logits in judged]).mean()


def _apart(logits_N2: Tensor, label: int) -> Tensor:
    return functional.cross_entropy(logits_N2, torch.full_like(logits_N2[:, 0], label, dtype=torch.int64))
