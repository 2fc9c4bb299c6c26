"""The contract of every streaming model: sound window in, frame out, the state as a value.

`frame, features, state = model.step(audio, noise, state)`; `clip` is the same over T windows at once, and the contract test
proves it equal to the fold of `step`. A model keeps nothing from one call to the next. A model that looks at later frames
has `clip` alone, and `streams` says so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from engine.core.errors import TrainingError
from engine.model.card import ControlSpec, NoiseSpec, PictureSpec
from training.core.frame_size import FrameSize, ImageSize
from training.core.front_end import FrontEnd, FrontEndConfig

# B batch, T steps, W window samples, F features, H W rows and columns of a frame

State = dict[str, Tensor]
Noise = Mapping[str, Tensor]


class StreamingModel(nn.Module, ABC):
    """Front end and generator, with the state carried outside. A family subclasses it."""

    def __init__(self, *, name: str, family: str, fps: int, image_size: ImageSize, front_end: FrontEndConfig) -> None:
        super().__init__()
        self.name, self.family = name, family
        self.fps, self.frame_size = fps, FrameSize.of(image_size)
        self.front_end = FrontEnd(front_end)

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the sound that the front end takes."""
        return self.front_end.config.sample_rate_hz

    @property
    def window_samples(self) -> int:
        """Length of the sound window of one step."""
        return self.front_end.config.window_samples

    @property
    def hop_samples(self) -> int:
        """Samples of sound from one step to the next."""
        return self.sample_rate_hz // self.fps

    @property
    def look_ahead_samples(self) -> int:
        """Samples of sound after the frame's own time that the window of its step ends with."""
        return self.front_end.config.look_ahead_samples

    @property
    def feature_count(self) -> int:
        """Features of one window."""
        return self.front_end.config.feature_count

    @property
    def streams(self) -> bool:
        """Whether it has `step`; False for a model that looks at later frames and plays whole sequences offline."""
        return not self.offline_reason

    @property
    def offline_reason(self) -> str:
        """Why it has no `step` and which setting would change that, as the end of a sentence; empty when it streams."""
        return ""

    @property
    def amplifies_rounding(self) -> bool:
        """Whether a small difference of its states grows from step to step by what it is made for; False unless overridden.

        Two plays of it that differ by rounding part after some seconds, so what it is exported to takes each compared step from torch's states.
        """
        return False

    @abstractmethod
    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of all states, without the batch."""

    @abstractmethod
    def noise_specs(self) -> tuple[NoiseSpec, ...]:
        """Describe the random inputs of one step, without the batch."""

    @abstractmethod
    def control_specs(self) -> tuple[ControlSpec, ...]:
        """Describe the control inputs that have an effect in this configuration."""

    def context_specs(self) -> tuple[PictureSpec, ...]:
        """Describe the frames that the model is given beside the sound; none unless overridden."""
        return ()

    @abstractmethod
    def clip_features(
        self, features_BTF: Tensor, noise: Noise, state: State, controls: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """Play T steps of features; return frames [B, T, 3, H, W] in [-1, 1], the features and the next state.

        Each control is a scalar or has one value for each row of the batch [B]; those that are left out have their default. Of a
        model with `context_specs`, `controls` also holds those frames by name, uint8 [B, H, W, 3]; one that is left out is black.
        """

    @property
    def context_frames(self) -> int:
        """With how many real frames, which it goes on from, it is trained and compared; none unless overridden."""
        return 0

    def state_after(self, frames_BP3HW: Tensor, audio_BPW: Tensor, noise: Noise) -> State:
        """Return the state after real frames in [-1, 1] with their sound and noise: the initial one, unless overridden."""
        return self.initial_state(len(frames_BP3HW))

    def start_from(self, frames_T3HW: Tensor) -> None:
        """Start weights at the frames of the clip, in [-1, 1]. Called once before training; does nothing unless overridden."""

    def scale_rate(self, ratio: float) -> frozenset[str]:
        """Play at `ratio` times the rate of training from now on, and return the states whose time constants that scales exactly.

        The others, all unless overridden, are carried over as many steps as a training step has (training/core/rate.py).
        """
        return frozenset()

    def compiled_parts(self) -> Iterable[nn.Module]:
        """Return the modules that torch.compile compiles one by one; none unless overridden."""
        return ()

    def initial_state(self, batch: int) -> State:
        """Return the states at the start of a stream: zeros [B, ...]."""
        like = next(self.parameters())
        return {name: like.new_zeros(batch, *shape) for name, shape in self.state_shapes().items()}

    def draw_noise(self, batch: int, steps: int, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Draw the random inputs of T steps: name -> [B, T, ...]."""
        like = next(self.parameters())
        drawn: dict[str, Tensor] = {}
        for spec in self.noise_specs():
            draw = torch.rand if spec.distribution == "uniform" else torch.randn
            drawn[spec.name] = draw(batch, steps, *spec.shape, generator=generator)
        return {name: values.to(like) for name, values in drawn.items()}

    def clip(
        self, audio_BTW: Tensor, noise: Noise, state: State, controls: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """Play T windows; return frames [B, T, 3, H, W] in [-1, 1], features [B, T, F] and the next state."""
        features_BTF = self.front_end(audio_BTW.flatten(0, 1)).unflatten(0, audio_BTW.shape[:2])
        return self.clip_features(features_BTF, noise, state, controls)

    def step(
        self, audio_BW: Tensor, noise: Noise, state: State, controls: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """Play one window; return the frame [B, 3, H, W], features [B, F] and the next state. `state` is not changed.

        Raises TrainingError for a model that does not stream.
        """
        if not self.streams:
            raise TrainingError(
                f"The model '{self.name}' plays whole sequences (clip), not steps: {self.offline_reason}."
            )
        one_step = {name: values[:, None] for name, values in noise.items()}
        frames, features, following = self.clip(audio_BW[:, None], one_step, state, controls)
        return frames[:, 0], features[:, 0], following
