"""The networks of Sound2Sight (Chatterjee and Cherian, ECCV 2020), and one step of them.

From the frame before and the sound now, the prior says how the next frame may go on; the predictor and the decoder draw one of these
futures. The posterior sees the next frame itself and is there for training alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.core.frame_size import FrameSize
from training.families.sound2sight.attention import WindowedAttention
from training.families.sound2sight.config import Sound2SightConfig
from training.families.sound2sight.image_coding import Decoder, Encoder, map_shapes
from training.families.sound2sight.recurrence import Normal, NormalLstm, Predictor
from training.families.sound2sight.sound_coding import PATCHES, sound_encoder

# B batch, T steps, F features, D numbers of a code, Z latent numbers, C colours, H W rows and columns

INIT_DEVIATION = 0.02
MASK_BIAS = -2.0
"""A mask begins near 0: a fresh model nearly copies the frame before."""


class Memory(NamedTuple):
    """What the networks carry from step to step: caches of both transformers, LSTM states, tokens in the window."""

    sound_cache: Tensor
    frame_cache: Tensor
    prior: Tensor
    predictor: Tensor
    tokens: Tensor


class Generator(nn.Module):
    """Encoders, transformers, LSTMs and decoder. Frames are [B, C, H, W] in [0, 1]."""

    def __init__(self, config: Sound2SightConfig, features: int, size: FrameSize) -> None:
        """Raises TrainingError for a frame size that cannot be."""
        super().__init__()
        self.config, self.size = config, size
        code, latent, hidden = config.code_size, config.latent_size, config.hidden_size
        self.encoder = Encoder(size, config.colours, config.channels, code)
        self.decoder = Decoder(size, config.colours + int(config.mask), config.channels, code)
        self.sound_encoder = sound_encoder(config.sound, features, hidden, code)
        self.sound_attention, self.frame_attention, self.target_attention = (
            WindowedAttention(code, hidden, config.heads, config.feedforward, config.window_steps, config.dropout)
            for _ in range(3)
        )
        self.prior = NormalLstm(2 * code, latent, hidden, config.prior_layers)
        self.posterior = NormalLstm(2 * code, latent, hidden, config.posterior_layers)
        heard = code if config.predictor_hears else 0
        self.predictor = Predictor(code + latent + heard, code, hidden, config.predictor_layers)
        for network in self.children():
            # The encoder of features is this project's own: three layers of so small weights would pass nothing on.
            if network is not self.sound_encoder or config.sound in PATCHES:
                network.apply(initialise)
        if config.mask and self.decoder.frame.bias is not None:
            nn.init.constant_(self.decoder.frame.bias[:1], MASK_BIAS)

    @property
    def skip_shapes(self) -> list[tuple[int, int, int]]:
        """Shapes [C, h, w] of the maps that reach the decoder, finest first."""
        return map_shapes(self.config.channels, self.size)

    def memory_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of `Memory` by name, without the batch."""
        return {
            "sound_cache": self.sound_attention.state_shape(),
            "frame_cache": self.frame_attention.state_shape(),
            "prior": self.prior.layers.state_shape(),
            "predictor": self.predictor.layers.state_shape(),
            "tokens": (1,),
        }

    def encode_sound(self, features: Tensor) -> Tensor:
        """Return the codes [..., D] of features [..., F]."""
        return self.sound_encoder(features.flatten(0, -2)).unflatten(0, features.shape[:-1])

    def predict(
        self, frame_code_BD: Tensor, sound_code_BD: Tensor, noise_BZ: Tensor, memory: Memory
    ) -> tuple[Tensor, Normal, Memory]:
        """Return the code of the next frame, the prior that it was drawn from, and the next memory."""
        window = float(self.config.window_steps)
        tokens = (memory.tokens + 1.0).clamp_max(window)
        sound, sound_cache = self.sound_attention.step(sound_code_BD, memory.sound_cache, tokens)
        seen, frame_cache = self.frame_attention.step(frame_code_BD, memory.frame_cache, tokens)
        prior, prior_state = self.prior(torch.cat([seen, sound], dim=1), memory.prior)
        latent = prior.sample(noise_BZ)
        next_code, predictor = self.predictor(self.predicted_from(frame_code_BD, latent, sound), memory.predictor)
        return next_code, prior, Memory(sound_cache, frame_cache, prior_state, predictor, tokens)

    def predicted_from(self, frame_code: Tensor, latent: Tensor, sound: Tensor) -> Tensor:
        """Return the input of the predictor [..., I] from frame code, latent numbers and the sound as the transformer gives it."""
        return torch.cat([frame_code, latent, *([sound] if self.config.predictor_hears else [])], dim=-1)

    def decode(self, code_BD: Tensor, skips: Sequence[Tensor], before_BCHW: Tensor) -> Tensor:
        """Return the frames [B, C, H, W] of codes, each after the frame before it."""
        drawn = self.decoder(code_BD, skips)
        if not self.config.mask:
            return drawn
        mask_B1HW, drawn = drawn[:, :1], drawn[:, 1:]
        return before_BCHW + mask_B1HW * (drawn - before_BCHW)


def initialise(module: nn.Module) -> None:
    """Draw weights as the original: convolutions and linear layers normal with deviation 0.02, batch norms around 1."""
    if isinstance(module, WindowedAttention):
        nn.init.xavier_uniform_(module.project.weight)
    elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, INIT_DEVIATION)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, INIT_DEVIATION)
        nn.init.zeros_(module.bias)


def feature_count(config: Sound2SightConfig, front_end_features: int) -> int:
    """Return how many features of a window reach the sound encoder."""
    if config.sound not in PATCHES:
        return front_end_features
    frequencies, columns = PATCHES[config.sound]
    return frequencies * columns
