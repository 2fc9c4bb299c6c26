"""The modal model: resonators driven by the sound mix flow fields, weights of stored frames, light and a residual.

All that it learns are small maps and how the sound mixes them, so a step costs next to nothing at any frame size: sharpness comes
from the clip's own frames, motion from the sound. Modes after the modal analysis of Davis et al., "Image-Space Modal Bases for
Plausible Manipulation of Objects in Video" (2015); the oscillators are those of training/core/resonators.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.model.card import ControlSpec, NoiseSpec
from engine.model.layers import FLOW, LIGHT, RESIDUAL, WEIGHTS
from training.core.frame_size import FrameSize
from training.core.layered import LayeredModel
from training.core.principal import principal_components
from training.core.resonators import Resonators
from training.core.streaming import Noise, State
from training.data.flow import flow_fields, size_of_mean_side
from training.families.modal.config import ModalConfig
from training.families.model_config import ModelConfig

# B batch, T steps or frames of a clip, F features, K textures, M modes, I generator inputs, H W rows and columns, h w of a map

CONTROLS = (
    ControlSpec(name="motion", help="How far the sound bends the frame.", low=0.0, high=3.0, default=1.0),
    ControlSpec(name="shade", help="Amount of colour that the sound adds.", low=0.0, high=3.0, default=1.0),
)
_MEDOID_SIDE = 32


class Modal(LayeredModel):
    """Front end and generator."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(
            name=config.name,
            family=config.family,
            fps=config.fps,
            image_size=config.image_size,
            front_end=config.front_end,
        )
        self.config = config
        shape: ModalConfig = config.generator
        self.generator = shape
        count = shape.textures
        self.register_buffer("textures", torch.full((count, 3, *self.frame_size), 128, dtype=torch.uint8))
        self.resonators = Resonators(self.feature_count, shape.resonators)
        inputs = self.feature_count + 2 * shape.resonators
        self.trunk = nn.Sequential(nn.Linear(inputs, shape.hidden), nn.LeakyReLU(0.2))
        # Zero at the start: the first frame is a plain mixture of the textures.
        self.amplitudes = _zero_linear(shape.hidden, shape.modes)
        self.shares = _zero_linear(shape.hidden, count)
        self.light = _zero_linear(shape.hidden, 1)
        self.shades = _zero_linear(shape.hidden, max(1, shape.residual_rank))
        shapes = self.field_shapes()
        self.modes = nn.Parameter(torch.zeros(shape.modes, *shapes[FLOW]))
        self.share_maps = nn.Parameter(torch.zeros(shapes[WEIGHTS]))
        self.residuals = (
            nn.Parameter(torch.zeros(shape.residual_rank, *shapes[RESIDUAL])) if shape.residual_rank else None
        )

    @property
    def texture_levels(self) -> list[Tensor]:
        """The textures as the file stores them: uint8 [3, H, W] RGB."""
        return list(self.get_buffer("textures"))

    def field_shapes(self) -> dict[str, tuple[int, int, int]]:
        """Return the shapes [C, h, w] of all fields by their role, without the batch."""
        shape = self.generator
        shapes = {
            FLOW: self._map_shape(2 * shape.textures, shape.flow_side),
            WEIGHTS: self._map_shape(shape.textures, shape.weight_side),
            LIGHT: (1, 1, 1),
        }
        return shapes | ({RESIDUAL: self._map_shape(3, shape.residual_side)} if shape.residual_rank else {})

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of all states, without the batch."""
        return self.resonators.state_shapes()

    def scale_rate(self, ratio: float) -> frozenset[str]:
        """Scale the oscillators, which are all that it carries."""
        self.resonators.rate_ratio = ratio
        return frozenset(self.state_shapes())

    def noise_specs(self) -> tuple[NoiseSpec, ...]:
        """Nothing is random."""
        return ()

    def control_specs(self) -> tuple[ControlSpec, ...]:
        """Describe the control inputs that have an effect in this configuration."""
        return tuple(control for control in CONTROLS if self.residuals is not None or control.name != "shade")

    def clip_fields(
        self, features_BTF: Tensor, noise: Noise, state: State, controls: Mapping[str, Tensor] | None = None
    ) -> tuple[dict[str, Tensor], State]:
        """Play T steps of features; return the fields [B, T, C, h, w] by role and the next state."""
        resonance_BTR, following = self.resonators(features_BTF, state)
        hidden = self.trunk(torch.cat([features_BTF, resonance_BTR], dim=2))
        logits = self.shares(hidden)[..., None, None] + self.share_maps
        fields = {
            FLOW: _mixed(self._controlled("motion", controls) * self.amplitudes(hidden), self.modes),
            WEIGHTS: torch.softmax(logits, dim=2),
            LIGHT: (1.0 + self.light(hidden))[..., None, None],
        }
        if self.residuals is not None:
            fields[RESIDUAL] = _mixed(self._controlled("shade", controls) * self.shades(hidden), self.residuals)
        return fields, following

    @torch.no_grad()
    def start_from(self, frames_T3HW: Tensor) -> None:
        """Take the textures from the frames of the clip, in [-1, 1], and start the modes and residuals at what moves in it."""
        chosen = different_frames(frames_T3HW, self.generator.textures)
        keys_K3HW = frames_T3HW[chosen]
        self.get_buffer("textures").copy_(torch.round((keys_K3HW + 1.0) * 127.5).clamp(0.0, 255.0).to(torch.uint8))
        fields = FrameSize(*self.modes.shape[-2:])
        moving = torch.cat([flow_fields(key_3HW, frames_T3HW, fields) for key_3HW in keys_K3HW], dim=1)
        components = principal_components(moving.flatten(1), len(self.modes))
        self.modes[: len(components)] = components.unflatten(1, self.modes.shape[1:])
        if self.residuals is not None:
            size = self.residuals.shape[-2:]
            small = 0.5 * functional.interpolate(frames_T3HW, size=size, mode="bilinear", antialias=True)
            components = principal_components((small - small.mean(dim=0)).flatten(1), len(self.residuals))
            self.residuals[: len(components)] = components.unflatten(1, self.residuals.shape[1:])

    def _map_shape(self, channels: int, side: int) -> tuple[int, int, int]:
        """Return the shape of maps of about `side`² places in the shape of the frame."""
        size = size_of_mean_side(side, self.frame_size)
        return channels, size.height, size.width

    def _controlled(self, name: str, controls: Mapping[str, Tensor] | None) -> Tensor | float:
        """Return the value of a control, for [B, T, ...]."""
        value = (controls or {}).get(name)
        if value is None:
            return 1.0
        return value[:, None, None] if value.dim() else value


def different_frames(frames_T3HW: Tensor, count: int) -> list[int]:
    """Return the places of the frame nearest to all others, and of further ones, each farthest from those before it."""
    small = functional.adaptive_avg_pool2d(frames_T3HW, min(_MEDOID_SIDE, *frames_T3HW.shape[-2:])).flatten(1)
    apart = torch.cdist(small, small, p=1.0)
    chosen = [int(apart.sum(dim=1).argmin())]
    while len(chosen) < count:
        chosen.append(int(apart[chosen].min(dim=0).values.argmax()))
    return chosen


def _mixed(amounts_BTM: Tensor, maps: Tensor) -> Tensor:
    """Return the sum of maps [M, C, h, w], each times its amount, [B, T, C, h, w]."""
    return (amounts_BTM @ maps.flatten(1)).unflatten(-1, maps.shape[1:])


def _zero_linear(inputs: int, outputs: int) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear
