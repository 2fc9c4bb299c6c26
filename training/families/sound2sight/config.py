"""Settings of the Sound2Sight family."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from engine.core.errors import TrainingError

SoundKind = Literal["features", "normed_features", "stft23x21", "stft45x17"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sound2SightConfig:
    """Shape of the generator; the defaults are those of the original's command line, but for `colours` and `context_frames`."""

    colours: int = 3
    """1: grey frames, 3: RGB."""
    channels: int = 64
    """Of the image encoder's first level; each level has twice as many as the one before, up to eight times as many."""
    code_size: int = 128
    """Numbers that the encoders turn a frame, and the sound of a frame, into."""
    latent_size: int = 10
    hidden_size: int = 256
    """Of the transformers and the LSTMs."""
    predictor_layers: int = 2
    prior_layers: int = 1
    posterior_layers: int = 1
    heads: int = 4
    feedforward: int = 128
    dropout: float = 0.2
    window_steps: int = 30
    """So many steps of the past reach the transformers: any number is played, and a step always costs the same."""
    context_frames: int = 5
    """Real frames at the start of a training sequence; the others are predicted."""
    last_frame_skip: bool = False
    """True: the decoder sees the details of the frame before. False: those of the last context frame."""
    sound: SoundKind = "normed_features"
    """normed_features: those of the front end, with batch norms behind each layer, as the original has them behind its convolutions.
    features: without them; a code then hardly changes with the sound at first, and training does not find it. stft23x21, stft45x17:
    the original's patches, of so many frequencies and columns."""
    predictor_hears: bool = False
    """The predictor gets the sound as well. In the original it reaches the frame by the latent numbers alone, which are all noise at
    first: they are left out before the sound is found in them."""
    mask: bool = False
    """The decoder also draws a mask, by which its pixels take the place of those of the frame before (arXiv 1605.07157): what does not
    move stays as sharp as it was. The original draws every pixel again."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type == "int" and value < 1:
                raise TrainingError(f"generator.{field.name} is {value}; 1 or more was expected.")
        if self.colours not in (1, 3):
            raise TrainingError(f"generator.colours is {self.colours}; 1 (grey) or 3 (RGB) was expected.")
        if self.hidden_size % self.heads:
            raise TrainingError(
                f"generator.heads is {self.heads}; a divisor of hidden_size ({self.hidden_size}) was expected."
            )
        if self.hidden_size % 2:
            raise TrainingError(f"generator.hidden_size is {self.hidden_size}; an even number was expected.")
        if not 0.0 <= self.dropout < 1.0:
            raise TrainingError(f"generator.dropout is {self.dropout}; at least 0 and below 1 was expected.")


@dataclass(frozen=True, kw_only=True, slots=True)
class JointDiscriminatorConfig:
    """Shape of the discriminator of short sequences with their sound."""

    channels: int = 64
    hidden_size: int = 256
    layers: int = 1
    buffer_frames: int = 3
    """Frames that it sees at once; the last one alone may be generated."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, least = getattr(self, field.name), 2 if field.name == "buffer_frames" else 1
            if value < least:
                raise TrainingError(f"discriminator.{field.name} is {value}; {least} or more was expected.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sound2SightLosses:
    """Weights of the terms of the generator's loss, each summed over the predicted frames as in the original."""

    mse: float = 1.0
    kl: float = 1e-4
    """Of the divergence of the posterior from the prior."""
    adversarial: float = 1e-4
    """Of the discriminator's part; 5, 10 and 100 times as much from 30, 60 and 90 % of the budget on. 0: no discriminator."""
    adversarial_from_iteration: int = 100
    scheduled_sampling: float = 0.0
    """Share of the future frames that the generator gets from itself in place of the clip's at the end; it rises from 0. Without it,
    training is teacher forcing throughout."""
    nearest_of: int = 1
    """So many futures are drawn at each frame of every second sequence, and the one nearest to the clip is trained. 1, as in the
    original: one is drawn, and futures of the same sound come to be alike."""

    def __post_init__(self) -> None:
        for name in ("mse", "kl", "adversarial", "adversarial_from_iteration"):
            if getattr(self, name) < 0:
                raise TrainingError(f"losses.{name} is {getattr(self, name)}; 0 (off) or more was expected.")
        if not 0.0 <= self.scheduled_sampling <= 1.0:
            raise TrainingError(
                f"losses.scheduled_sampling is {self.scheduled_sampling}; a share from 0 to 1 was expected."
            )
        if self.nearest_of < 1:
            raise TrainingError(f"losses.nearest_of is {self.nearest_of}; 1 (a single draw) or more was expected.")
        if not self.mse and not self.adversarial:
            raise TrainingError("losses.mse and losses.adversarial are 0; nothing would be learned. Set mse to 1.")

    def adversarial_weight(self, iteration: int, progress: float) -> float:
        """Return the weight of the discriminator's part; `progress` is the share of the budget that is used."""
        if iteration < self.adversarial_from_iteration:
            return 0.0
        steps = ((0.9, 100.0), (0.6, 10.0), (0.3, 5.0), (0.0, 1.0))
        return self.adversarial * next(factor for begin, factor in steps if progress >= begin)
