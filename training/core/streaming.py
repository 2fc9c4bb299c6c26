"""The streaming model: sound window in, picture out, state as a value.

`frame, features, state = model.step(audio, noise, state)`; `clip` is the same over T windows at once and is proven equal to
the fold of `step` by the contract test. Nothing hides in the module. A generator with
3-D convolutions looks at later frames: it has `clip` alone, and `streams` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from engine.core.errors import TrainingError
from engine.model.card import ControlSpec, NoiseSpec
from training.core.front_end import FrontEnd, FrontEndConfig
from training.core.strict import build_config, config_dict
from training.families.listen_and_move.config import ListenAndMoveConfig
from training.families.listen_and_move.generator import Controls, Generator

# B batch, T steps, W window samples, F features, S picture size

State = dict[str, Tensor]
Noise = Mapping[str, Tensor]

CONTROLS = (
    ControlSpec(name="motion", help="Amount of motion noise.", low=0.0, high=4.0, default=1.0),
    ControlSpec(name="grain", help="Amount of noise injected into the picture.", low=0.0, high=8.0, default=1.0),
    ControlSpec(
        name="memory", help="Trust in what was seen before against what is heard now.", low=-6.0, high=6.0, default=0.0
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """What a checkpoint carries to build its model again."""

    name: str = "unnamed"
    family: Literal["listen_and_move"] = "listen_and_move"
    fps: int = 20
    image_size: int = 128
    front_end: FrontEndConfig = field(default_factory=FrontEndConfig)
    generator: ListenAndMoveConfig = field(default_factory=ListenAndMoveConfig)

    def __post_init__(self) -> None:
        if self.fps < 1 or self.front_end.sample_rate_hz % self.fps:
            raise TrainingError(
                f"fps is {self.fps}; it must divide the sample rate of {self.front_end.sample_rate_hz} Hz."
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelConfig:
        """Build from plain values. Raises TrainingError for unknown keys and wrong kinds."""
        return build_config(cls, values, "model")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, the inverse of `from_dict`."""
        return config_dict(self)


class StreamingModel(nn.Module):
    """Front end and generator with the state carried outside."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.front_end = FrontEnd(config.front_end)
        self.generator = Generator(config.generator, config.front_end.feature_count, config.image_size)

    @property
    def sample_rate_hz(self) -> int:
        return self.config.front_end.sample_rate_hz

    @property
    def window_samples(self) -> int:
        return self.config.front_end.window_samples

    @property
    def hop_samples(self) -> int:
        return self.sample_rate_hz // self.config.fps

    @property
    def look_ahead_samples(self) -> int:
        """Samples of sound after the picture's own time that the window of its step ends with."""
        return self.config.front_end.look_ahead_samples

    @property
    def streams(self) -> bool:
        """False for a generator that looks at later frames: it plays whole sequences offline and has no `step`."""
        return self.config.generator.convolution == "2d"

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of all states without the batch."""
        return self.generator.state_shapes()

    def initial_state(self, batch: int) -> State:
        """Return the states before anything was heard: zeros [B, ...]."""
        like = next(self.parameters())
        return {name: like.new_zeros(batch, *shape) for name, shape in self.state_shapes().items()}

    def noise_specs(self) -> tuple[NoiseSpec, ...]:
        """Describe the random inputs of one step, without the batch."""
        generator = self.config.generator
        specs = [NoiseSpec(name="grain_start", shape=(len(self.generator.grain_sizes),), distribution="uniform")]
        if generator.content_noise:
            specs.insert(0, NoiseSpec(name="content_noise", shape=(generator.content_noise,), distribution="uniform"))
        if generator.motion_noise:
            specs.insert(0, NoiseSpec(name="motion_noise", shape=(generator.motion_noise,), distribution="uniform"))
        return tuple(specs)

    def control_specs(self) -> tuple[ControlSpec, ...]:
        """List the knobs that have an effect in this configuration."""
        absent = set()
        if not self.config.generator.motion_noise:
            absent.add("motion")
        if self.config.generator.prediction == "none":
            absent.add("memory")
        return tuple(control for control in CONTROLS if control.name not in absent)

    def draw_noise(self, batch: int, steps: int, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Draw the random inputs of T steps: name -> [B, T, ...]."""
        like = next(self.parameters())
        drawn = {s.name: torch.rand(batch, steps, *s.shape, generator=generator) for s in self.noise_specs()}
        return {name: values.to(like) for name, values in drawn.items()}

    def start_from(self, frames_T3SS: Tensor) -> None:
        """Start what the configuration starts at the clip itself (canvas, relief) at its frames in [-1, 1]."""
        self.generator.start_from(frames_T3SS)

    def clip(
        self, audio_BTW: Tensor, noise: Noise, state: State, controls: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """Play T windows; returns pictures [B, T, 3, S, S] in [-1, 1], features [B, T, F] and the next state."""
        features_BTF = self.front_end(audio_BTW.flatten(0, 1)).unflatten(0, audio_BTW.shape[:2])
        return self.clip_features(features_BTF, noise, state, controls)

    def clip_features(
        self, features_BTF: Tensor, noise: Noise, state: State, controls: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """Play T steps of features that were computed before (a training set hears each window once)."""
        grain_maps = self.generator.grain_maps(noise["grain_start"])
        motion_noise = noise.get("motion_noise")
        if motion_noise is None:
            motion_noise = features_BTF.new_zeros(*features_BTF.shape[:2], 0)
        pictures, following = self.generator(
            features_BTF, motion_noise, noise.get("content_noise"), grain_maps, self._controls(controls), state
        )
        return pictures, features_BTF, following

    def step(
        self, audio_BW: Tensor, noise: Noise, state: State, controls: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """Play one window; returns the picture [B, 3, S, S], features [B, F] and the next state. `state` stays as it was.

        Raises TrainingError for a model that does not stream.
        """
        if not self.streams:
            raise TrainingError(
                f"The model '{self.config.name}' has convolution '3d', which looks at later frames: it plays whole sequences "
                "(clip), not steps; train with model.generator.convolution '2d' to play it live."
            )
        one_step = {name: values[:, None] for name, values in noise.items()}
        pictures, features, following = self.clip(audio_BW[:, None], one_step, state, controls)
        return pictures[:, 0], features[:, 0], following

    def _controls(self, given: Mapping[str, Tensor] | None) -> Controls:
        like = next(self.parameters())
        values = {control.name: like.new_tensor(control.default) for control in CONTROLS}
        return Controls(**(values | dict(given or {})))


def build_model(config: ModelConfig) -> StreamingModel:
    """Build the model of a configuration with fresh weights. Raises TrainingError for a shape that cannot be."""
    return StreamingModel(config)
