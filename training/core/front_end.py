"""Sound window -> features. Training uses the same module that is exported inside the model file.

`stage` is made for playing: the window ends at the frame's own time (look-ahead 0) and levels are measured against a
fixed reference, so silence is silence. `mel`, `lms` and `mfcc` are those of Listen and Move (arXiv 2406.16155): they look
82.5 ms ahead, and `lms` measures each chunk against its own loudest point. The original takes them at 64 kHz; here they have
the same values at every sample rate, as far as the sound reaches 7.5 kHz in it: the columns stand at the same times, the
spectrum is taken at the same frequencies, and its power is scaled to that of 64 kHz.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import torch
from torch import Tensor, nn

from engine.core.errors import TrainingError

# B batch, W window samples, N columns of the spectrogram, K frequency bins, M mel bands, F features

COLUMN_HOP_S = 0.010
COLUMN_WINDOW_S = 0.025
MFCC_COUNT = 20
POWER_FLOOR = 1e-10
# A full-scale sine gives about +23 dB in its mel band (Hann window, Slaney filters of unit area): 0..1 spans silence to loud.
STAGE_LOUDEST_DB = 20.0
STAGE_RANGE_DB = 80.0
# 20 dB above the mean of the window, a clear onset, give 1.
FLUX_GAIN = STAGE_RANGE_DB / 20.0
REFERENCE_RANGE_DB = 80.0
REFERENCE_RATE_HZ = 64000


@dataclass(frozen=True, kw_only=True, slots=True)
class FrontEndConfig:
    """How a sound window becomes features."""

    kind: Literal["stage", "mel", "lms", "mfcc"] = "stage"
    sample_rate_hz: int = 16000
    chunk_s: float = 0.085
    """Sound in one window; the reference kinds round it to whole columns of 10 ms and add the half windows around them."""
    mel_bands: int = 64
    low_hz: float = 125.0
    high_hz: float = 7500.0
    newest_column: bool = False
    """Stage only: the newest 25 ms stand beside the mean of the window, so an onset arrives without delay."""
    flux: bool = False
    """Stage only: how much louder each band is in the newest 25 ms than in the window stands beside it. Dense music, whose levels
    hardly move, still has its beats there."""
    spectrum_rate_hz: int = REFERENCE_RATE_HZ
    """Reference kinds only: the features have the values that the same sound has at this rate. Checkpoints from before this
    setting took them at the sample rate and are read so; `stage` takes them there too."""

    def __post_init__(self) -> None:
        if self.high_hz > self.sample_rate_hz / 2:
            raise TrainingError(
                f"front_end.high_hz is {self.high_hz} Hz; at {self.sample_rate_hz} Hz it can be at most {self.sample_rate_hz / 2:g} Hz."
            )
        if not 0 <= self.low_hz < self.high_hz or self.mel_bands < 1:
            raise TrainingError(
                f"front_end has {self.mel_bands} bands from {self.low_hz} to {self.high_hz} Hz; low must be below high and bands positive."
            )
        if self.kind == "mfcc" and self.mel_bands < MFCC_COUNT:
            raise TrainingError(
                f"front_end.mel_bands is {self.mel_bands}; kind 'mfcc' takes {MFCC_COUNT} coefficients of at least {MFCC_COUNT} bands."
            )
        if self.kind != "stage" and self.spectrum_rate_hz < 2 * self.high_hz:
            raise TrainingError(
                f"front_end.spectrum_rate_hz is {self.spectrum_rate_hz}; for bands up to {self.high_hz:g} Hz at least "
                f"{2 * self.high_hz:g} was expected (the original has {REFERENCE_RATE_HZ})."
            )
        if self.column_count < 1:
            raise TrainingError(f"front_end.chunk_s is {self.chunk_s} s; at least {COLUMN_WINDOW_S} s was expected.")
        for name in ("newest_column", "flux"):
            if getattr(self, name) and self.kind != "stage":
                raise TrainingError(f"front_end.{name} belongs to kind 'stage', not '{self.kind}'.")

    @property
    def taken_at_hz(self) -> int:
        """The rate that defines columns and spectrum."""
        return self.sample_rate_hz if self.kind == "stage" else self.spectrum_rate_hz

    @property
    def column_samples(self) -> int:
        """Length of a column, at `taken_at_hz` as all about columns."""
        return round(self.taken_at_hz * COLUMN_WINDOW_S)

    @property
    def column_hop_samples(self) -> int:
        return round(self.taken_at_hz * COLUMN_HOP_S)

    @property
    def column_count(self) -> int:
        """Columns in one window. The reference rounds half to even: 0.085 s gives 8."""
        if self.kind == "stage":
            return (round(self.sample_rate_hz * self.chunk_s) - self.column_samples) // self.column_hop_samples + 1
        return round(self.chunk_s / COLUMN_HOP_S)

    @property
    def window_samples(self) -> int:
        if self.kind == "stage":
            return round(self.sample_rate_hz * self.chunk_s)
        return self._before_samples + self.look_ahead_samples

    @property
    def look_ahead_samples(self) -> int:
        """Sound after the frame's own time. The reference centres its first column there."""
        if self.kind == "stage":
            return 0
        return math.ceil(self._at_sample_rate(self._columns_span - self.column_samples // 2))

    @property
    def column_starts(self) -> list[Fraction]:
        """Where the columns of a window begin, in samples of it; between two of them where the rates do not divide."""
        if self.kind == "stage":
            # Counted back from the newest sample, so that the last one always ends "now".
            first = Fraction(self.window_samples - self._columns_span)
        else:
            first = self._before_samples - self._at_sample_rate(self.column_samples // 2)
        return [first + self._at_sample_rate(n * self.column_hop_samples) for n in range(self.column_count)]

    @property
    def column_length(self) -> Fraction:
        """Length of a column in samples of the window."""
        return self._at_sample_rate(self.column_samples)

    @property
    def _columns_span(self) -> int:
        return (self.column_count - 1) * self.column_hop_samples + self.column_samples

    @property
    def _before_samples(self) -> int:
        """Samples of the window up to the frame's own time."""
        return math.ceil(self._at_sample_rate(self.column_samples // 2))

    def _at_sample_rate(self, samples: int) -> Fraction:
        return Fraction(samples * self.sample_rate_hz, self.taken_at_hz)

    @property
    def feature_count(self) -> int:
        if self.kind == "mfcc":
            return MFCC_COUNT
        return self.mel_bands * (1 + self.newest_column + self.flux)


def settings_as_saved(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a front end in a checkpoint so that its generator hears what it learned with.

    Before there was `spectrum_rate_hz`, the reference kinds were taken at the sample rate.
    """
    default = FrontEndConfig()
    if "spectrum_rate_hz" in saved or saved.get("kind", default.kind) == "stage":
        return dict(saved)
    return {**saved, "spectrum_rate_hz": saved.get("sample_rate_hz", default.sample_rate_hz)}


class FrontEnd(nn.Module):
    """Features of one window: audio [B, W] in [-1, 1] -> [B, F]. Stateless: the window overlaps the last one."""

    # Constants, made again from the configuration: a checkpoint does not carry them.
    sine: Tensor
    cosine: Tensor
    filters: Tensor
    columns: Tensor
    transform: Tensor

    def __init__(self, config: FrontEndConfig) -> None:
        super().__init__()
        self.config = config
        filters_KM = mel_filters(config)
        used = filters_KM.any(dim=1).nonzero().flatten()
        first_bin, last_bin = int(used[0]), int(used[-1])
        columns_NC, cosine, sine = column_spectra(config, first_bin, last_bin)
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)
        self.register_buffer("filters", filters_KM[first_bin : last_bin + 1].float(), persistent=False)
        self.register_buffer("columns", columns_NC, persistent=False)
        self.register_buffer("transform", cosine_transform(config.mel_bands, MFCC_COUNT), persistent=False)

    def forward(self, audio_BW: Tensor) -> Tensor:
        columns_BNC = audio_BW[:, self.columns]
        power_BNK = self._part(columns_BNC, self.cosine).square() + self._part(columns_BNC, self.sine).square()
        mel_BNM = power_BNK @ self.filters
        if self.config.kind == "mel":
            return mel_BNM.mean(dim=1)
        level_BNM = decibels(mel_BNM)
        if self.config.kind == "stage":
            return self._stage(level_BNM)
        loudest = level_BNM.amax(dim=(1, 2), keepdim=True)
        level_BNM = torch.maximum(level_BNM, loudest - REFERENCE_RANGE_DB)
        if self.config.kind == "lms":
            return (level_BNM - loudest).mean(dim=1)
        return (level_BNM @ self.transform).mean(dim=1)

    @staticmethod
    def _part(columns_BNC: Tensor, matrix: Tensor) -> Tensor:
        """Return the cosine or sine part of the spectra [B, N, K]; the columns share a matrix, or each has its own."""
        if matrix.dim() == 2:
            return columns_BNC @ matrix
        return (columns_BNC[:, :, None] @ matrix)[:, :, 0]

    def _stage(self, level_BNM: Tensor) -> Tensor:
        level = ((level_BNM - STAGE_LOUDEST_DB) / STAGE_RANGE_DB + 1.0).clamp(0.0, 1.25)
        mean = level.mean(dim=1)
        newest = [level[:, -1]] if self.config.newest_column else []
        # Half-wave rectified, as in spectral flux: what begins counts, and what ends does not.
        flux = [FLUX_GAIN * (level[:, -1] - mean).clamp_min(0.0)] if self.config.flux else []
        return torch.cat([mean, *newest, *flux], dim=1) if newest or flux else mean


def decibels(power: Tensor) -> Tensor:
    """10 log10 of power, floored at POWER_FLOOR."""
    return 10.0 / math.log(10.0) * torch.log(power.clamp_min(POWER_FLOOR))


def fourier_length(config: FrontEndConfig) -> int:
    """Length of the Fourier transform: the next power of two of a column."""
    return 2 ** math.ceil(math.log2(config.column_samples))


def column_spectra(config: FrontEndConfig, first_bin: int, last_bin: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the samples of each column [N, C] and the Hann-windowed cosine and sine matrices [C, bins]: |x C|² + |x S|² is its
    power spectrum. Columns that begin at different fractions of a sample have matrices of their own [N, C, bins].
    """
    starts, length = config.column_starts, config.column_length
    # A column begins with the first sample in it.
    first_samples = [math.ceil(start) for start in starts]
    count = max(math.ceil(start + length) - first for start, first in zip(starts, first_samples, strict=True))
    first_samples = [min(first, config.window_samples - count) for first in first_samples]
    offsets = [float(first - start) for start, first in zip(starts, first_samples, strict=True)]
    different = offsets if len(set(offsets)) > 1 else offsets[:1]
    place_NC = torch.tensor(different, dtype=torch.float64)[:, None] + torch.arange(count, dtype=torch.float64)
    hann_NC = 0.5 - 0.5 * torch.cos(2 * math.pi / float(length) * place_NC)
    hann_NC = torch.where((place_NC >= 0) & (place_NC < float(length)), hann_NC, 0.0)
    # A column of fewer samples has a smaller sum.
    hann_NC = hann_NC * (config.taken_at_hz / config.sample_rate_hz)
    step = 2 * math.pi / fourier_length(config) * config.taken_at_hz / config.sample_rate_hz
    angle_NCK = step * place_NC[..., None] * torch.arange(first_bin, last_bin + 1, dtype=torch.float64)
    parts = [(hann_NC[..., None] * wave(angle_NCK)).float() for wave in (torch.cos, torch.sin)]
    cosine, sine = (part[0] if len(different) == 1 else part for part in parts)
    return torch.tensor(first_samples)[:, None] + torch.arange(count), cosine, sine


def mel_filters(config: FrontEndConfig) -> Tensor:
    """Return the mel filters of a front end [K, M], float64."""
    return slaney_filters(fourier_length(config), config.taken_at_hz, config.low_hz, config.high_hz, config.mel_bands)


def slaney_filters(length: int, sample_rate_hz: int, low_hz: float, high_hz: float, bands: int) -> Tensor:
    """Return triangular mel filters of unit area [length // 2 + 1, bands], float64, on Slaney's scale (linear below 1 kHz, then
    logarithmic).

    Source: M. Slaney, Auditory Toolbox, Interval Research 1998-010; the form librosa uses by default.
    """
    bins_hz = torch.arange(length // 2 + 1, dtype=torch.float64) * sample_rate_hz / length
    low, high = _hz_to_mel(low_hz), _hz_to_mel(high_hz)
    edges_hz = _mel_to_hz(torch.linspace(low, high, bands + 2, dtype=torch.float64))
    rising = (bins_hz[:, None] - edges_hz[:-2]) / (edges_hz[1:-1] - edges_hz[:-2])
    falling = (edges_hz[2:] - bins_hz[:, None]) / (edges_hz[2:] - edges_hz[1:-1])
    return torch.minimum(rising, falling).clamp_min(0.0) * 2.0 / (edges_hz[2:] - edges_hz[:-2])


_LINEAR_HZ = 200.0 / 3.0
_BREAK_MEL = 1000.0 / _LINEAR_HZ
_LOG_STEP = math.log(6.4) / 27.0


def _hz_to_mel(hz: float) -> float:
    return hz / _LINEAR_HZ if hz < 1000.0 else _BREAK_MEL + math.log(hz / 1000.0) / _LOG_STEP


def _mel_to_hz(mel: Tensor) -> Tensor:
    return torch.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, 1000.0 * torch.exp(_LOG_STEP * (mel - _BREAK_MEL)))


def cosine_transform(bands: int, count: int) -> Tensor:
    """Return the orthonormal DCT-II as a matrix [bands, count]."""
    n = torch.arange(bands, dtype=torch.float64)
    matrix = torch.cos(math.pi / bands * (n[:, None] + 0.5) * torch.arange(count, dtype=torch.float64))
    matrix *= math.sqrt(2.0 / bands)
    matrix[:, 0] /= math.sqrt(2.0)
    return matrix.float()
