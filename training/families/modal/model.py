"""The modal model: resonators driven by the sound mix flow fields, weights of stored frames, light and a residual.

All that it learns are small maps and how the sound mixes them, so a step costs next to nothing at any frame size: sharpness comes
from the clip's own frames, motion from the sound. Modes after the modal analysis of Davis et al., "Image-Space Modal Bases for
Plausible Manipulation of Objects in Video" (2015); the oscillators are those of training/core/resonators.py.

An amplitude says how much of one map there is, in deviations that it has in the clip (`start.py` measures them, `sound_fit.py` lets
the sound give them).
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
from training.core.past import Past
from training.core.resonators import Resonators
from training.core.streaming import Noise, State
from training.data.flow import size_of_mean_side
from training.families.modal.config import UNITS, ModalConfig
from training.families.modal.controls import GUIDANCE, PLAYED_MODES, control_specs
from training.families.modal.start import different_frames, measured_start
from training.families.model_config import ModelConfig

# B batch, T steps or frames of a clip, F features, K textures, A amplitudes, M maps of a kind, H W rows and columns, h w of a map

USUAL_FPS = 20.0
FARTHEST_AMPLITUDE = 4.0
"""Amplitudes come softly to rest there, whatever the sound and the controls: frames stay such as the clip has."""
LEAST_WEIGHT = 0.02
"""Textures with less are not seen at all, so that they need not be bent."""


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
        size = FrameSize(*(shape.texture_scale * side for side in self.frame_size))
        self.register_buffer("textures", torch.full((shape.textures, 3, *size), 128, dtype=torch.uint8))
        shapes = self.field_shapes()
        counts = {FLOW: shape.modes, WEIGHTS: shape.share_rank, LIGHT: shape.light_rank, RESIDUAL: shape.residual_rank}
        self.counts = {role: counts[role] for role in shapes}
        """Amplitudes of each role."""
        # The force on the oscillators is no linear function of levels.
        self.force = nn.Sequential(nn.Linear(self.feature_count, shape.hidden // 2 or 1), nn.LeakyReLU(0.2))
        forces = self.feature_count + (shape.hidden // 2 or 1)
        self.resonators = Resonators(forces, shape.resonators, length=config.fps / USUAL_FPS)
        self.past = Past(self.feature_count, shape.past_windows, shape.past_steps, length=config.fps / USUAL_FPS)
        inputs = self.past.size + 2 * shape.resonators
        self.trunk = nn.Sequential(nn.Linear(inputs, shape.hidden), nn.LeakyReLU(0.2))
        # Beside what the trunk makes of it, the oscillators' output itself: waves on water are linear.
        self.amplitudes = nn.Linear(shape.hidden + 2 * shape.resonators, sum(self.counts.values()))
        # Zero at the start: the first frame is a plain mixture of the textures.
        nn.init.zeros_(self.amplitudes.weight)
        nn.init.zeros_(self.amplitudes.bias)
        self.maps = nn.ParameterDict(
            {role: nn.Parameter(torch.zeros(count, *shapes[role])) for role, count in self.counts.items()}
        )
        # Without noise, what is shown without sound is the same at all times: its amplitudes are learned, not a second pass.
        self.deaf = nn.Parameter(torch.zeros(sum(self.counts.values()))) if shape.guidance else None
        self.key_frames: list[int] = []
        """Which of the frames that it started from are its textures."""
        self.usual_shares = nn.Parameter(torch.zeros(shapes[WEIGHTS]))

    @property
    def texture_levels(self) -> list[Tensor]:
        """The textures as the file stores them: uint8 [3, H, W] RGB."""
        return list(self.get_buffer("textures"))

    @property
    def has_begun(self) -> bool:
        """Whether the sound gives any amplitude; False until it is trained."""
        return bool(self.amplitudes.weight.detach().any())

    def field_shapes(self) -> dict[str, tuple[int, int, int]]:
        """Return the shapes [C, h, w] of all fields by their role, without the batch."""
        shape = self.generator
        shapes = {
            FLOW: self._map_shape(2 * shape.textures, shape.flow_side),
            WEIGHTS: self._map_shape(shape.textures, shape.weight_side),
        }
        if shape.light_rank:
            shapes[LIGHT] = self._map_shape(3, shape.light_side)
        return shapes | ({RESIDUAL: self._map_shape(3, shape.residual_side)} if shape.residual_rank else {})

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of all states, without the batch."""
        return {**self.resonators.state_shapes(), **self.past.state_shapes()}

    def scale_rate(self, ratio: float) -> frozenset[str]:
        """Scale the oscillators, and what it hears of the past; an attention only for a whole ratio."""
        self.resonators.rate_ratio = ratio
        return self.past.scale_rate(ratio) | frozenset(self.resonators.state_shapes())

    def noise_specs(self) -> tuple[NoiseSpec, ...]:
        """Nothing is random."""
        return ()

    def control_specs(self) -> tuple[ControlSpec, ...]:
        """Describe the control inputs that have an effect in this configuration."""
        return control_specs(self.generator)

    def clip_fields(
        self, features_BTF: Tensor, noise: Noise, state: State, controls: Mapping[str, Tensor] | None = None
    ) -> tuple[dict[str, Tensor], State]:
        """Play T steps of features; return the fields [B, T, C, h, w] by role and the next state."""
        given = {name: value[:, None, None] if value.dim() else value for name, value in (controls or {}).items()}
        physics = {
            name: given[name].flatten(1) if given[name].dim() else given[name]
            for name in ("elasticity", "damping")
            if name in given
        }
        resonance_BTR, following = self.resonators(self.forces(features_BTF), state, **physics)
        heard_BTC, following_past = self.past(features_BTF, state)
        amplitudes_BTA = self.amplitudes_of(heard_BTC, resonance_BTR)
        return self.fields(self._guided(amplitudes_BTA, given), given), following | following_past

    def forces(self, features: Tensor) -> Tensor:
        """Return what drives the oscillators."""
        return torch.cat([features, self.force(features)], dim=-1)

    def from_rest(self, features_TF: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `amplitudes_of` takes [T, ...], for a whole clip from rest at the rate of training: all steps at once."""
        return self.past.from_rest(features_TF), self.resonators.from_rest(self.forces(features_TF))

    def amplitudes_of(self, heard: Tensor, resonance: Tensor) -> Tensor:
        """Return the amplitudes [..., A] for what is heard, features and past [..., C], and the oscillators' output [..., 2 R]."""
        hidden = self.trunk(torch.cat([heard, resonance], dim=-1))
        return self.amplitudes(torch.cat([hidden, resonance], dim=-1))

    def _guided(self, amplitudes_BTA: Tensor, given: Mapping[str, Tensor]) -> Tensor:
        """Lead amplitudes away from those without sound, as classifier-free guidance does with the noise of a diffusion (arXiv 2207.12598)."""
        if self.deaf is None or GUIDANCE not in given:
            return amplitudes_BTA
        return given[GUIDANCE] * amplitudes_BTA + (1.0 - given[GUIDANCE]) * self.deaf

    def fields(self, amplitudes_BTA: Tensor, controls: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Return the fields [B, T, C, h, w] of amplitudes; each control is a scalar or [B, 1, 1]."""
        given = controls or {}
        parts = dict(zip(self.counts, amplitudes_BTA.split(list(self.counts.values()), dim=-1), strict=True))
        flow = given.get("motion", 1.0) * parts[FLOW]
        flow = _added(flow, {n: given[f"mode_{n + 1}"] for n in range(PLAYED_MODES) if f"mode_{n + 1}" in given})
        shares = _added(parts[WEIGHTS], {0: given["mix"]} if "mix" in given else {})
        weights = torch.softmax(self.usual_shares + _mixed(shares, self.maps[WEIGHTS]), dim=2)
        weights = functional.relu(weights - LEAST_WEIGHT)
        fields = {
            FLOW: UNITS[FLOW] * _mixed(flow, self.maps[FLOW]),
            WEIGHTS: weights / weights.sum(dim=2, keepdim=True),
        }
        if LIGHT in parts:
            light = given.get("lighting", 1.0) * parts[LIGHT]
            fields[LIGHT] = torch.exp(UNITS[LIGHT] * _mixed(light, self.maps[LIGHT]))
        if RESIDUAL in parts:
            shade = given.get("shade", 1.0) * parts[RESIDUAL]
            fields[RESIDUAL] = UNITS[RESIDUAL] * _mixed(shade, self.maps[RESIDUAL])
        return fields

    @torch.no_grad()
    def start_from(self, frames_T3HW: Tensor) -> None:
        """Take the textures from the frames of the clip, in [-1, 1], and start the maps at what moves in it."""
        self.key_frames = different_frames(frames_T3HW, self.generator.textures)
        keys_K3HW = frames_T3HW[self.key_frames]
        if keys_K3HW.shape[-2:] != self.get_buffer("textures").shape[-2:]:
            size = self.get_buffer("textures").shape[-2:]
            keys_K3HW = functional.interpolate(keys_K3HW, size=size, mode="bicubic", align_corners=False)
        self.set_textures(keys_K3HW)
        measured_start(self, frames_T3HW)

    @torch.no_grad()
    def set_textures(self, frames_K3HW: Tensor) -> None:
        """Store frames in [-1, 1], of the size of the textures."""
        levels = torch.round((frames_K3HW + 1.0) * 127.5).clamp(0.0, 255.0)
        self.get_buffer("textures").copy_(levels.to(torch.uint8))

    def _map_shape(self, channels: int, side: int) -> tuple[int, int, int]:
        """Return the shape of maps of about `side`² places in the shape of the frame."""
        size = size_of_mean_side(side, self.frame_size)
        return channels, size.height, size.width


def _added(amplitudes_BTM: Tensor, values: Mapping[int, Tensor]) -> Tensor:
    """Add values, scalars or [B, 1, 1], to the amplitudes of these numbers."""
    for number, value in values.items():
        only_M = torch.arange(amplitudes_BTM.shape[-1], device=amplitudes_BTM.device) == number
        amplitudes_BTM = amplitudes_BTM + value * only_M.to(amplitudes_BTM)
    return amplitudes_BTM


def _mixed(amplitudes_BTM: Tensor, maps: Tensor) -> Tensor:
    """Return the sum of maps [M, C, h, w], each times its amplitude, [B, T, C, h, w]."""
    softly = FARTHEST_AMPLITUDE * torch.tanh(amplitudes_BTM / FARTHEST_AMPLITUDE)
    return (softly @ maps.flatten(1)).unflatten(-1, maps.shape[1:])
