"""The contract of models whose frame is composed: a step gives fields, and the engine composes them with the model's textures."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from engine.model.card import ControlSpec, NoiseSpec
from engine.model.compositor import Compositor
from training.core.composition import FramePart, compose
from training.core.streaming import Noise, State, StreamingModel

# B batch, T steps, W window samples, F features, C channels, h w rows and columns of a field, H W of a frame


class LayeredModel(StreamingModel):
    """A streaming model whose frames are composed of fields by role and of textures. A subclass gives both."""

    @property
    @abstractmethod
    def texture_levels(self) -> list[Tensor]:
        """The textures as the file stores them: uint8 [3, H, W] RGB."""

    @abstractmethod
    def field_shapes(self) -> dict[str, tuple[int, int, int]]:
        """Return the shapes [C, h, w] of all fields by their role (engine/model/layers.py), without the batch."""

    @abstractmethod
    def clip_fields(
        self, features_BTF: Tensor, noise: Noise, state: State, controls: Mapping[str, Tensor] | None = None
    ) -> tuple[dict[str, Tensor], State]:
        """Play T steps of features; return the fields [B, T, C, h, w] by role and the next state."""

    def composed(self, fields: Mapping[str, Tensor], part: FramePart | None = None) -> Tensor:
        """Return the frames [N, 3, H, W] of fields [N, C, h, w], or a part of them, in [-1, 1] where nothing is clipped."""
        textures = [levels / 255.0 for levels in self.texture_levels]
        return compose(fields, textures, *self.frame_size, part)

    def clip_features(
        self, features_BTF: Tensor, noise: Noise, state: State, controls: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """Play T steps of features; return frames [B, T, 3, H, W], the features and the next state."""
        fields, following = self.clip_fields(features_BTF, noise, state, controls)
        frames = self.composed({role: values.flatten(0, 1) for role, values in fields.items()})
        return frames.unflatten(0, features_BTF.shape[:2]), features_BTF, following


class ShownModel(StreamingModel):
    """A layered model whose frames the engine composes, many times faster than torch, on the processor and without gradients."""

    def __init__(self, model: LayeredModel) -> None:
        super().__init__(
            name=model.name,
            family=model.family,
            fps=model.fps,
            image_size=model.frame_size.image_size,
            front_end=model.front_end.config,
        )
        self.model = model
        self.front_end = model.front_end
        textures = [levels.permute(1, 2, 0).cpu().numpy().copy() for levels in model.texture_levels]
        self._compositor = Compositor(textures, *model.frame_size)

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        return self.model.state_shapes()

    def noise_specs(self) -> tuple[NoiseSpec, ...]:
        return self.model.noise_specs()

    def control_specs(self) -> tuple[ControlSpec, ...]:
        return self.model.control_specs()

    @torch.no_grad()
    def clip_features(
        self, features_BTF: Tensor, noise: Noise, state: State, controls: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """Play T steps; the frames are those of a show, rounded to levels of 255."""
        fields, following = self.model.clip_fields(features_BTF, noise, state, controls)
        flat = {role: values.flatten(0, 1).cpu().numpy() for role, values in fields.items()}
        count = features_BTF.shape[0] * features_BTF.shape[1]
        frames = [self._compositor.compose({role: values[n] for role, values in flat.items()}) for n in range(count)]
        levels_NHWC = torch.from_numpy(np.stack(frames)).to(features_BTF.device)
        frames_N3HW = levels_NHWC.permute(0, 3, 1, 2).float() / 127.5 - 1.0
        return frames_N3HW.unflatten(0, features_BTF.shape[:2]), features_BTF, following
