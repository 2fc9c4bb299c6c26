"""The sound of a frame to a code: from the features of the front end, or from a patch of the spectrogram as in the original."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from itertools import pairwise

import torch
from torch import Tensor, nn

from training.core.front_end import FrontEndConfig
from training.families.sound2sight.config import SoundKind
from training.families.sound2sight.image_coding import SLOPE

# N frames, W window samples, K frequencies, L columns, D numbers of a code

PATCHES: dict[str, tuple[int, int]] = {"stft23x21": (23, 21), "stft45x17": (45, 17)}
"""Frequencies and columns of the original's patches: those of M3SO, and those of drums and painting."""
CODE_CHANNELS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class PatchConfig(FrontEndConfig):
    """A front end whose features are a patch of the spectrogram."""

    frequencies: int
    columns: int

    @property
    def fourier_samples(self) -> int:
        return 2 * (self.frequencies - 1)

    @property
    def window_samples(self) -> int:
        """The columns lie half a transform apart, the first at the window's start and the last at its end."""
        return (self.columns - 1) * (self.fourier_samples // 2)

    @property
    def look_ahead_samples(self) -> int:
        return 0

    @property
    def feature_count(self) -> int:
        return self.frequencies * self.columns


def patch_config(config: FrontEndConfig, sound: SoundKind) -> PatchConfig:
    """Return the front end that gives the patches of `sound`, at the rate of `config`."""
    frequencies, columns = PATCHES[sound]
    given = {field.name: getattr(config, field.name) for field in fields(FrontEndConfig)}
    return PatchConfig(**given, frequencies=frequencies, columns=columns)


class PatchFrontEnd(nn.Module):
    """Windows [N, W] -> magnitudes of a centred short-time Fourier transform with a Hann window, [N, K L], row by row.

    The original publishes patches and not how they were made. Frequencies and columns of its smaller ones are exactly those of a
    centred transform of 44 samples, 22 apart, of one frame of 100 ms at 4.4 kHz, mirrored at its ends; that is what this gives.
    """

    indices: Tensor
    cosine: Tensor
    sine: Tensor

    def __init__(self, config: PatchConfig) -> None:
        super().__init__()
        self.config = config
        length, window = config.fourier_samples, config.window_samples
        starts = torch.arange(config.columns) * (length // 2) - length // 2
        places = (starts[:, None] + torch.arange(length)).abs()
        self.register_buffer("indices", torch.where(places < window, places, 2 * (window - 1) - places), False)
        turns = torch.arange(length, dtype=torch.float64) / length
        hann = 0.5 - 0.5 * torch.cos(2 * math.pi * turns)
        angles = 2 * math.pi * turns[:, None] * torch.arange(config.frequencies)
        self.register_buffer("cosine", (hann[:, None] * torch.cos(angles)).float(), False)
        self.register_buffer("sine", (hann[:, None] * torch.sin(angles)).float(), False)

    def forward(self, audio_NW: Tensor) -> Tensor:
        columns_NLC = audio_NW[:, self.indices]
        power_NLK = (columns_NLC @ self.cosine).square() + (columns_NLC @ self.sine).square()
        return torch.sqrt(power_NLK).transpose(1, 2).flatten(1)


class FeatureEncoder(nn.Module):
    """Features [N, F] of a window -> codes [N, D] in [-1, 1]."""

    def __init__(self, features: int, hidden_size: int, code_size: int, is_normed: bool) -> None:
        super().__init__()
        sizes = [features, hidden_size, hidden_size, code_size]
        layers = list[nn.Module]()
        for inputs, outputs in pairwise(sizes):
            # Levels are all positive, and most bands alike whatever sounds: without a norm the codes are nearly the same.
            norms = [nn.BatchNorm1d(outputs)] if is_normed else []
            layers += [nn.Linear(inputs, outputs), *norms, nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers[:-1], nn.Tanh())

    def forward(self, features_NF: Tensor) -> Tensor:
        return self.layers(features_NF)


class PatchEncoder(nn.Module):
    """Patches [N, K L] of the spectrogram -> codes [N, D] in [-1, 1], by the convolutions of the original."""

    def __init__(self, sound: SoundKind, code_size: int) -> None:
        super().__init__()
        self.shape = PATCHES[sound]
        first, *further = (CODE_CHANNELS * times for times in (1, 2, 4, 8))
        if sound == "stft23x21":
            convolutions = [nn.Conv2d(1, first, 4), nn.Conv2d(first, further[0], 4, 2, 1)]
        else:
            convolutions = [
                nn.Conv2d(1, first, 4, (2, 1)),
                nn.Conv2d(first, further[0], 4, (2, 1), (2, 0)),
            ]
        convolutions += [nn.Conv2d(further[0], further[1], 4, 2, 1), nn.Conv2d(further[1], further[2], 4, 2, 1)]
        self.levels = nn.ModuleList(
            nn.Sequential(each, nn.BatchNorm2d(each.out_channels), nn.LeakyReLU(SLOPE)) for each in convolutions
        )
        self.code = nn.Sequential(nn.Conv2d(further[2], code_size, 2), nn.BatchNorm2d(code_size), nn.Tanh())

    def forward(self, patches_NF: Tensor) -> Tensor:
        now = patches_NF.unflatten(1, self.shape)[:, None]
        for level in self.levels:
            now = level(now)
        return self.code(now).flatten(1)


def sound_encoder(sound: SoundKind, features: int, hidden_size: int, code_size: int) -> nn.Module:
    """Return the encoder of a window's features [N, F], which for `stft…` are a patch."""
    if sound in PATCHES:
        return PatchEncoder(sound, code_size)
    return FeatureEncoder(features, hidden_size, code_size, is_normed=sound == "normed_features")
