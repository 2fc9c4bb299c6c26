"""Log-mel filter banks as Kaldi defines them, for the audio encoders that were trained on its numbers.

For each window of the sound: its mean is taken out, a preemphasis raises the treble, the window is shaped and padded to a power
of two, and triangles on the mel scale 1127 ln(1 + f / 700) sum the power of its spectrum; the result is the natural logarithm.
Windows lie within the sound (Kaldi's snip_edges). Nothing is dithered, and no energy stands beside the bands, so Kaldi's
htk_compat, which only moves the energy, changes nothing. Source: the definition of compute-fbank-feats in Kaldi.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import TrainingError

# B batch, S samples, N windows of the sound, T samples of a window, P samples of a padded window, K bins of the spectrum, M mel bands

LEAST_POWER = torch.finfo(torch.float32).eps
"""Power below which a band counts as silent."""
POVEY_POWER = 0.85


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterBankConfig:
    """How sound becomes bands. The band levels are given as (level - mean) / deviation."""

    sample_rate_hz: int = 16000
    mel_bands: int = 128
    window_s: float = 0.025
    hop_s: float = 0.010
    """From the beginning of a window to that of the next."""
    window: Literal["hann", "povey"] = "povey"
    """Povey's is a Hann window to the power of 0.85."""
    low_hz: float = 20.0
    high_hz: float | None = None
    """None: half the sample rate."""
    preemphasis: float = 0.97
    gain: float = 1.0
    """What the samples, in [-1, 1], are multiplied by."""
    mean: float = 0.0
    deviation: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.low_hz < self.top_hz <= self.sample_rate_hz / 2:
            raise TrainingError(
                f"The filter bank goes from {self.low_hz:g} to {self.top_hz:g} Hz; low below high and high at most half the "
                f"sample rate of {self.sample_rate_hz} Hz was expected."
            )
        if self.mel_bands < 1 or self.hop_samples < 1 or self.window_samples < 2 or self.deviation <= 0.0:
            raise TrainingError(
                f"The filter bank has {self.mel_bands} bands of windows of {self.window_s:g} s every {self.hop_s:g} s and a "
                f"deviation of {self.deviation:g}; at least one band, a window of two samples and positive numbers were expected."
            )

    @property
    def top_hz(self) -> float:
        return self.sample_rate_hz / 2 if self.high_hz is None else self.high_hz

    @property
    def window_samples(self) -> int:
        return int(self.sample_rate_hz * self.window_s)

    @property
    def hop_samples(self) -> int:
        return int(self.sample_rate_hz * self.hop_s)

    @property
    def padded_samples(self) -> int:
        return 1 << (self.window_samples - 1).bit_length()

    def window_count(self, samples: int) -> int:
        """Return how many windows lie within that many samples."""
        return 0 if samples < self.window_samples else 1 + (samples - self.window_samples) // self.hop_samples


IMAGEBIND = FilterBankConfig(window="hann", mean=-4.268, deviation=9.138)
"""What ImageBind's audio encoder was trained on (arXiv 2305.05665 and its code): 2 s give 198 windows. It also takes the mean out of the
whole sound before, which changes nothing: the mean of each window goes afterwards."""
BEATS = FilterBankConfig(gain=2.0**15, mean=15.41663, deviation=2.0 * 6.55582)
"""What BEATs was trained on (arXiv 2212.09058 and its code)."""


class FilterBank(nn.Module):
    """Sound [B, S] in [-1, 1] -> band levels [B, N, M]."""

    shape_T: Tensor
    triangles_MK: Tensor

    def __init__(self, config: FilterBankConfig) -> None:
        super().__init__()
        self.config = config
        hann_T = torch.hann_window(config.window_samples, periodic=False, dtype=torch.float64)
        shape_T = hann_T**POVEY_POWER if config.window == "povey" else hann_T
        self.register_buffer("shape_T", shape_T.float(), persistent=False)
        self.register_buffer("triangles_MK", mel_triangles(config).float(), persistent=False)

    def forward(self, sound_BS: Tensor) -> Tensor:
        """Return the levels of all windows within the sound. Raises TrainingError for sound shorter than one window."""
        config = self.config
        if sound_BS.shape[-1] < config.window_samples:
            raise TrainingError(
                f"The sound has {sound_BS.shape[-1]} samples; at least one window of {config.window_samples} "
                f"({config.window_s:g} s at {config.sample_rate_hz} Hz) was expected."
            )
        sound_BS = sound_BS.float() * config.gain
        windows_BNT = sound_BS.unfold(-1, config.window_samples, config.hop_samples)
        windows_BNT = windows_BNT - windows_BNT.mean(dim=-1, keepdim=True)
        # The first sample of a window counts as its own past.
        before_BNT = torch.cat([windows_BNT[..., :1], windows_BNT[..., :-1]], dim=-1)
        shaped_BNT = (windows_BNT - config.preemphasis * before_BNT) * self.shape_T
        padded_BNP = functional.pad(shaped_BNT, (0, config.padded_samples - config.window_samples))
        power_BNK = torch.fft.rfft(padded_BNP).abs().square()
        bands_BNM = functional.linear(power_BNK, self.triangles_MK)
        return (bands_BNM.clamp_min(LEAST_POWER).log() - config.mean) / config.deviation


def mel(hz: float | Tensor) -> Tensor:
    """Return frequencies on the mel scale."""
    return 1127.0 * torch.log(1.0 + torch.as_tensor(hz, dtype=torch.float64) / 700.0)


def mel_triangles(config: FilterBankConfig) -> Tensor:
    """Return the weight of each bin in each band [M, K], in float64. The bin at half the sample rate counts nowhere."""
    bins = config.padded_samples // 2
    mel_K = mel(torch.arange(bins + 1) * (config.sample_rate_hz / config.padded_samples))
    edges = torch.linspace(
        float(mel(config.low_hz)), float(mel(config.top_hz)), config.mel_bands + 2, dtype=torch.float64
    )
    left_M1, centre_M1, right_M1 = (edges[start : start + config.mel_bands, None] for start in range(3))
    rising_MK = (mel_K - left_M1) / (centre_M1 - left_M1)
    falling_MK = (right_M1 - mel_K) / (right_M1 - centre_M1)
    triangles_MK = torch.minimum(rising_MK, falling_MK).clamp_min(0.0)
    triangles_MK[:, bins] = 0.0
    return triangles_MK
