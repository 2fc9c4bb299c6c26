"""The AVSync classifier: a network that says how well a stretch of frames and a stretch of sound go together.

The task, the score and its training by contrast over time shifts are those of Zhang et al., Audio-Synchronized Visual Animation
(AVSyncD), ECCV 2024. This network is this project's own: the original's reduces two seconds to one vector a side and compares these; here
each frame and the sound of its time have vectors of their own, and the score is the mean of their products, so that a network of a few
hundred kilobytes tells single frames apart. `original_classifier.py` has the original's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import TrainingError
from training.core.front_end import FrontEnd, FrontEndConfig
from training.core.rate import FASTEST_FPS
from training.data.windows import WindowTiming, sound_windows

# B segments, T frames of a segment, H W rows and columns, C colours, F features of the sound, D values of a vector, P pairs,
# S samples of sound, K stretches of a segment

FRAMES_AT_ONCE = 256
SMALLEST_SIDE, LARGEST_SIDE = 16, 128
USUAL_RATE_HZ = 16_000


def sample_rate_for(fps: int) -> int:
    """Return the sample rate nearest to 16 kHz at which every frame has a whole number of samples."""
    return fps * round(USUAL_RATE_HZ / fps)


class EncodedFilm(Protocol):
    """A film whose stretches can be compared with stretches of its sound."""

    def scores(self, frames_from_s: Sequence[float], sound_from_s: Sequence[float]) -> NDArray[np.float64]:
        """Return the score [P] of each stretch of frames with a stretch of sound, both given by where they begin."""
        ...


class SyncClassifier(Protocol):
    """What the suite asks of a classifier."""

    @property
    def name(self) -> str: ...

    @property
    def fps(self) -> int:
        """Frames a second that it takes."""
        ...

    @property
    def side(self) -> int:
        """Rows and columns of the frames that it takes, squeezed to a square."""
        ...

    @property
    def sample_rate_hz(self) -> int: ...

    @property
    def window_s(self) -> float:
        """How long a stretch is."""
        ...

    @property
    def offset_step_s(self) -> float:
        """Between two offsets of the curve."""
        ...

    def encode(self, frames_THWC: NDArray[np.uint8], sound_S: NDArray[np.float32]) -> EncodedFilm:
        """Take a whole film, whose first frame and first sample are at time 0."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierConfig:
    """Size and rates of the network."""

    fps: int = 20
    sample_rate_hz: int = USUAL_RATE_HZ
    """A multiple of `fps`, such as `sample_rate_for` gives."""
    side: int = 32
    window_frames: int = 32
    channels: int = 16
    """Of the first layer of the frames."""
    vector: int = 32
    mel_bands: int = 40

    def __post_init__(self) -> None:
        if (
            not 1 <= self.fps <= FASTEST_FPS
            or not 8000 <= self.sample_rate_hz <= 48_000
            or self.sample_rate_hz % self.fps
        ):
            raise TrainingError(
                f"The classifier's fps is {self.fps} at {self.sample_rate_hz} Hz; a whole number of samples for each frame was expected."
            )
        if not SMALLEST_SIDE <= self.side <= LARGEST_SIDE or self.side % 8:
            raise TrainingError(
                f"The classifier's side is {self.side}; a multiple of 8 from {SMALLEST_SIDE} to {LARGEST_SIDE} was expected."
            )
        for name, most in (("window_frames", 480), ("channels", 64), ("vector", 256), ("mel_bands", 64)):
            if not 1 <= getattr(self, name) <= most:
                raise TrainingError(f"The classifier's {name} is {getattr(self, name)}; 1 to {most} was expected.")

    @property
    def front_end(self) -> FrontEndConfig:
        high_hz = min(7500.0, self.sample_rate_hz / 2)
        return FrontEndConfig(
            sample_rate_hz=self.sample_rate_hz,
            mel_bands=self.mel_bands,
            high_hz=high_hz,
            newest_column=True,
            flux=True,
        )

    @property
    def hop_samples(self) -> int:
        return self.sample_rate_hz // self.fps


class _FrameEncoder(nn.Module):
    """Grey frames [B, T, H, W] in [0, 1] -> vectors [B, T, D]; a vector depends on five frames to both sides at most."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        few, some, many = config.channels, 2 * config.channels, 4 * config.channels
        self.layers = nn.Sequential(
            nn.Conv2d(2, few, 3, stride=2, padding=1),
            nn.BatchNorm2d(few),
            nn.ReLU(),
            nn.Conv2d(few, some, 3, stride=2, padding=1),
            nn.BatchNorm2d(some),
            nn.ReLU(),
            nn.Conv2d(some, many, 3, stride=2, padding=1),
            nn.BatchNorm2d(many),
            nn.ReLU(),
        )
        # Where things are matters, so the places are kept.
        self.places = nn.Linear(many * (config.side // 8) ** 2, many)
        self.over_time = _over_time(many, config.vector)

    def forward(self, frames_BTHW: Tensor) -> Tensor:
        segments, count = frames_BTHW.shape[:2]
        before = torch.cat([frames_BTHW[:, :1], frames_BTHW[:, :-1]], dim=1)
        both = torch.stack([frames_BTHW, frames_BTHW - before], dim=2).flatten(0, 1)
        # Normalised over the whole batch in training; later a part at a time, so that the length of a film does not matter.
        parts = (both,) if self.training else both.split(FRAMES_AT_ONCE)
        found = torch.cat([functional.relu(self.places(self.layers(part).flatten(1))) for part in parts])
        return _along_time(self.over_time, found.view(segments, count, -1))


class _SoundEncoder(nn.Module):
    """Features of the sound up to each frame's end [B, T, F] -> vectors [B, T, D]."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        width = 4 * config.channels
        self.features = nn.Linear(config.front_end.feature_count, width)
        self.over_time = _over_time(width, config.vector)

    def forward(self, features_BTF: Tensor) -> Tensor:
        return _along_time(self.over_time, functional.relu(self.features(features_BTF)))


def _over_time(width: int, vector: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(width, width, 5, padding=2),
        nn.ReLU(),
        nn.Conv1d(width, width, 5, padding=2),
        nn.ReLU(),
        nn.Conv1d(width, vector, 3, padding=1),
    )


def _along_time(layers: nn.Module, values_BTD: Tensor) -> Tensor:
    return layers(values_BTD.transpose(1, 2)).transpose(1, 2)


class SmallClassifier(nn.Module):
    """This project's own classifier; see the module's text."""

    def __init__(self, config: ClassifierConfig, name: str = "the classifier") -> None:
        super().__init__()
        self.config, self.name = config, name
        self.front_end = FrontEnd(config.front_end)
        self.frame_encoder, self.sound_encoder = _FrameEncoder(config), _SoundEncoder(config)
        self.scale = nn.Parameter(torch.tensor(config.vector**-0.5))

    @property
    def fps(self) -> int:
        return self.config.fps

    @property
    def side(self) -> int:
        return self.config.side

    @property
    def sample_rate_hz(self) -> int:
        return self.config.sample_rate_hz

    @property
    def window_s(self) -> float:
        return self.config.window_frames / self.config.fps

    @property
    def offset_step_s(self) -> float:
        return 1.0 / self.config.fps

    def shifted_scores(self, frames_BTHW: Tensor, features_BTF: Tensor) -> Tensor:
        """Return the score of every stretch of frames with every stretch of sound of its segment [B, stretch of frames, of sound]."""
        window = self.config.window_frames
        frames_BKDT = self.frame_encoder(frames_BTHW).unfold(1, window, 1)
        sound_BKDT = self.sound_encoder(features_BTF).unfold(1, window, 1)
        return self.scale * frames_BKDT.flatten(2) @ sound_BKDT.flatten(2).transpose(1, 2) / window

    def sound_features(self, sound_S: NDArray[np.float32], frames: int) -> Tensor:
        """Return the features of the sound up to the end of each frame [T, F]."""
        config = self.config
        timing = WindowTiming(window_samples=config.front_end.window_samples, hop_samples=config.hop_samples)
        parts = []
        with torch.inference_mode():
            for first in range(0, frames, FRAMES_AT_ONCE):
                windows = sound_windows(sound_S, first, min(FRAMES_AT_ONCE, frames - first), timing)
                parts.append(self.front_end(torch.from_numpy(windows)))
        return torch.cat(parts)

    def encode(self, frames_THWC: NDArray[np.uint8], sound_S: NDArray[np.float32]) -> EncodedFilm:
        """Take a whole film; see `SyncClassifier`."""
        with torch.inference_mode():
            frames_TD = self.frame_encoder(grey_tensor(frames_THWC)[None])[0]
            sound_TD = self.sound_encoder(self.sound_features(sound_S, len(frames_THWC))[None])[0]
        return _EncodedFrames(frames_TD, sound_TD, self.config, self.scale.detach().item())


@dataclass(frozen=True, slots=True)
class _EncodedFrames:
    frames_TD: Tensor
    sound_TD: Tensor
    config: ClassifierConfig
    scale: float

    def scores(self, frames_from_s: Sequence[float], sound_from_s: Sequence[float]) -> NDArray[np.float64]:
        window, fps = self.config.window_frames, self.config.fps
        products = [
            (self.frames_TD[round(frame_s * fps) :][:window] * self.sound_TD[round(sound_s * fps) :][:window]).sum()
            for frame_s, sound_s in zip(frames_from_s, sound_from_s, strict=True)
        ]
        return self.scale / window * np.array([float(product) for product in products])


def grey_tensor(frames_THWC: NDArray[np.uint8]) -> Tensor:
    """Return frames as grey ones [T, H, W] in [0, 1]."""
    return torch.from_numpy(frames_THWC.mean(axis=3, dtype=np.float32) / 255.0)
