"""The AVSync classifier of AVSyncD (github.com/lzhangbj/ASVA, avsync/): 20.8 million weights, for checkpoints of the original.

Its tensors have the original's names. Frames: 12 at 6 a second, 224x224, normalised as for CLIP. Sound: two seconds at 16 kHz as 204
columns of 128 mel bands, taken as Kaldi does (torchaudio's kaldi.fbank with a Hann window, no dither).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

# B stretches, T frames, H W rows and columns, C channels, S samples of sound, N columns and K bins of the spectrum, M mel bands

PARTS = ("audio_encoder", "video_encoder", "head")
FPS, FRAMES, SIDE, SAMPLE_RATE_HZ = 6, 12, 224, 16_000
COLUMN_SAMPLES, HOP_SAMPLES, FOURIER_LENGTH = 400, 160, 512
BANDS, COLUMNS, LOWEST_HZ, PRE_EMPHASIS = 128, 204, 20.0, 0.97
SOUND_MEAN, SOUND_DEVIATION = -4.268, 9.138
FRAME_MEAN = (0.48145466, 0.4578275, 0.40821073)
FRAME_DEVIATION = (0.26862954, 0.26130258, 0.27577711)
OFFSET_STEP_S = 0.04
STRETCHES_AT_ONCE = 8


class _SoundBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x))))))


class _SoundEncoder(nn.Module):
    """Mel spectrograms [B, 1, M, N] -> [B, 512]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(1, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU())
        self.block1, self.block2 = _SoundBlock(64, 64, 2), _SoundBlock(64, 128, 2)
        self.block3, self.block4 = _SoundBlock(128, 256, 2), _SoundBlock(256, 512, 1)

    def forward(self, sound_B1MN: Tensor) -> Tensor:
        x = self.block2(self.block1(self.conv1(sound_B1MN)))
        return self.block4(self.block3(x)).mean(dim=(2, 3))


class _FrameBlock(nn.Module):
    """Filters over space, then over time, twice; with a way around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.spt_conv1 = nn.Conv3d(inputs, outputs, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False)
        self.spt_bn1 = nn.BatchNorm3d(outputs)
        self.tmp_conv1 = nn.Conv3d(outputs, outputs, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False)
        self.tmp_bn1 = nn.BatchNorm3d(outputs)
        self.spt_conv2 = nn.Conv3d(outputs, outputs, (1, 3, 3), 1, (0, 1, 1), bias=False)
        self.spt_bn2 = nn.BatchNorm3d(outputs)
        self.tmp_conv2 = nn.Conv3d(outputs, outputs, (3, 1, 1), 1, (1, 0, 0), bias=False)
        self.out_bn = nn.BatchNorm3d(outputs)
        changed = inputs != outputs or stride != 1
        self.res_conv = nn.Conv3d(inputs, outputs, 1, stride, bias=False) if changed else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.tmp_conv1(functional.relu(self.spt_bn1(self.spt_conv1(x))))
        y = self.spt_conv2(functional.relu(self.tmp_bn1(y)))
        y = self.tmp_conv2(functional.relu(self.spt_bn2(y)))
        return functional.relu(self.out_bn(y + self.res_conv(x)))


class _FrameEncoder(nn.Module):
    """Frames [B, 3, T, H, W] -> [B, 512]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv3d(3, 64, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False),
            nn.BatchNorm3d(64),
            nn.ReLU(),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        )
        self.conv2x = nn.Sequential(_FrameBlock(64, 64, 1), _FrameBlock(64, 64, 1))
        self.conv3x = nn.Sequential(_FrameBlock(64, 128, 2), _FrameBlock(128, 128, 1))
        self.conv4x = nn.Sequential(_FrameBlock(128, 256, 2), _FrameBlock(256, 256, 1))
        self.conv5x = nn.Sequential(_FrameBlock(256, 512, 2), _FrameBlock(512, 512, 1))

    def forward(self, frames_B3THW: Tensor) -> Tensor:
        x = self.conv3x(self.conv2x(self.conv1(frames_B3THW)))
        return self.conv5x(self.conv4x(x)).mean(dim=(2, 3, 4))


class _Head(nn.Module):
    """Both vectors [B, 512] -> scores [B]."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(1024, 512),
            nn.Dropout(0.0),
            nn.ReLU(),
            nn.Linear(512, 256),
            nn.Dropout(0.0),
            nn.ReLU(),
            nn.Linear(256, 1),
        )

    def forward(self, sound_B: Tensor, frames_B: Tensor) -> Tensor:
        return self.fc(torch.cat([sound_B, frames_B], dim=1))[:, 0]


class OriginalNetwork(nn.Module):
    """Mel spectrograms [B, 1, 128, 204] and frames [B, 3, 12, 224, 224], both normalised -> scores [B]."""

    def __init__(self) -> None:
        super().__init__()
        self.audio_encoder, self.video_encoder, self.head = _SoundEncoder(), _FrameEncoder(), _Head()

    def forward(self, sound_B1MN: Tensor, frames_B3THW: Tensor) -> Tensor:
        return self.head(self.audio_encoder(sound_B1MN), self.video_encoder(frames_B3THW))


class OriginalClassifier:
    """The original's network with its reading of films; see `SyncClassifier`."""

    fps, side, sample_rate_hz = FPS, SIDE, SAMPLE_RATE_HZ
    window_s, offset_step_s = FRAMES / FPS, OFFSET_STEP_S

    def __init__(self, name: str) -> None:
        self.name = name
        self.network = OriginalNetwork().eval()

    def encode(self, frames_THWC: NDArray[np.uint8], sound_S: NDArray[np.float32]) -> _EncodedFilm:
        """Take a whole film, of which each stretch is encoded once when it is asked for."""
        return _EncodedFilm(self.network, frames_THWC, sound_S)


@dataclass(slots=True)
class _EncodedFilm:
    network: OriginalNetwork
    frames_THWC: NDArray[np.uint8]
    sound_S: NDArray[np.float32]
    frame_vectors: dict[float, Tensor] = field(default_factory=dict[float, Tensor])
    sound_vectors: dict[float, Tensor] = field(default_factory=dict[float, Tensor])

    def scores(self, frames_from_s: Sequence[float], sound_from_s: Sequence[float]) -> NDArray[np.float64]:
        with torch.inference_mode():
            for start_s in dict.fromkeys(frames_from_s):
                if start_s not in self.frame_vectors:
                    self.frame_vectors[start_s] = self.network.video_encoder(self._frames(start_s)[None])[0]
            new = [start_s for start_s in dict.fromkeys(sound_from_s) if start_s not in self.sound_vectors]
            for first in range(0, len(new), STRETCHES_AT_ONCE):
                some = new[first : first + STRETCHES_AT_ONCE]
                encoded = self.network.audio_encoder(torch.stack([self._sound(start_s) for start_s in some]))
                self.sound_vectors |= dict(zip(some, encoded, strict=True))
            sound = torch.stack([self.sound_vectors[start_s] for start_s in sound_from_s])
            frames = torch.stack([self.frame_vectors[start_s] for start_s in frames_from_s])
            return self.network.head(sound, frames).double().numpy()

    def _frames(self, start_s: float) -> Tensor:
        # The original takes the frame at each time; frame k, as films are read here, is the one just before (k + 1) / fps.
        first = min(max(round(start_s * FPS) - 1, 0), len(self.frames_THWC) - FRAMES)
        return normalised_frames(self.frames_THWC[first : first + FRAMES])

    def _sound(self, start_s: float) -> Tensor:
        first = round(start_s * SAMPLE_RATE_HZ)
        return mel_spectrogram(self.sound_S[first : first + FRAMES * SAMPLE_RATE_HZ // FPS])


def normalised_frames(frames_THWC: NDArray[np.uint8]) -> Tensor:
    """Return frames [3, T, H, W] as the network takes them."""
    frames = torch.from_numpy(np.ascontiguousarray(frames_THWC)).permute(3, 0, 1, 2).float() / 255.0
    mean, deviation = (torch.tensor(values)[:, None, None, None] for values in (FRAME_MEAN, FRAME_DEVIATION))
    return (frames - mean) / deviation


def mel_spectrogram(sound_S: NDArray[np.float32]) -> Tensor:
    """Return the logarithmic mel spectrogram [1, M, N] of two seconds as the network takes it."""
    sound = torch.from_numpy(np.ascontiguousarray(sound_S))
    columns_NS = (sound - sound.mean()).unfold(0, COLUMN_SAMPLES, HOP_SAMPLES)
    columns_NS = columns_NS - columns_NS.mean(dim=1, keepdim=True)
    # The first sample is compared with itself.
    before_NS = torch.cat([columns_NS[:, :1], columns_NS[:, :-1]], dim=1)
    columns_NS = (columns_NS - PRE_EMPHASIS * before_NS) * torch.hann_window(COLUMN_SAMPLES, periodic=False)
    power_NK = torch.fft.rfft(columns_NS, FOURIER_LENGTH).abs().square()
    levels_NM = torch.log((power_NK @ kaldi_filters()).clamp_min(torch.finfo(torch.float32).eps))
    levels_NM = functional.pad(levels_NM, (0, 0, 0, max(0, COLUMNS - len(levels_NM))))[:COLUMNS]
    return ((levels_NM.T - SOUND_MEAN) / SOUND_DEVIATION)[None]


def kaldi_filters() -> Tensor:
    """Return triangular filters [K, M] on the mel scale 1127 ln(1 + f / 700), straight on that scale and of height 1."""
    bins_mel = 1127.0 * torch.log1p(torch.arange(FOURIER_LENGTH // 2 + 1) * (SAMPLE_RATE_HZ / FOURIER_LENGTH) / 700.0)
    low, high = (1127.0 * math.log1p(hz / 700.0) for hz in (LOWEST_HZ, SAMPLE_RATE_HZ / 2))
    width = (high - low) / (BANDS + 1)
    left = low + width * torch.arange(BANDS)
    rising, falling = (bins_mel[:, None] - left) / width, (left + 2 * width - bins_mel[:, None]) / width
    filters = torch.minimum(rising, falling).clamp_min(0.0)
    # Kaldi's filters end before the highest bin.
    filters[-1] = 0.0
    return filters
