"""The Listen and Move generator: sound features and noise -> frame, with its memory as a value.

Source: R. Redondo, "Listen and Move", arXiv 2406.16155. `canvas`, `warp`, `relief`, `resonators` and `place` are this
project's own and off in the paper's configurations.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import TrainingError
from training.core.frame_size import FrameSize
from training.core.resonators import Resonators
from training.families.listen_and_move.canvas import Canvas
from training.families.listen_and_move.config import ListenAndMoveConfig, channels, level_sizes
from training.families.listen_and_move.enlarged import cut, enlarged
from training.families.listen_and_move.layers import (
    Condition,
    NoisyConv,
    PlainBlock,
    ResidualBlock,
    initialise,
    start_small,
    start_sub_pixels_equal,
)
from training.families.listen_and_move.motion_encoder import MotionEncoder
from training.families.listen_and_move.noise_maps import NoiseTile
from training.families.listen_and_move.relief import Relief
from training.families.listen_and_move.video_prediction import VideoPrediction
from training.families.listen_and_move.warp import Warp

# B batch, T steps, N = B T frames, F features, I generator inputs, C channels, H W rows and columns


@dataclass(frozen=True, slots=True)
class Controls:
    """Control inputs of the model, one tensor each: a scalar for the whole batch, or one value for each row [B]."""

    motion: Tensor
    """Amount of motion noise around its mean: 0 none, 1 as trained."""
    grain: Tensor
    """Amount of injected noise: 0 none, 1 as trained."""
    memory: Tensor
    """Bias of the mask between hallucination and prediction: positive gives memory more weight."""


class Generator(nn.Module):
    """Features [B, T, F] and noise -> frames [B, T, 3, H, W] in [-1, 1], carrying states from call to call."""

    def __init__(self, config: ListenAndMoveConfig, features: int, size: FrameSize) -> None:
        super().__init__()
        self.config = config
        finest = FrameSize(size.height // config.rgb_upscale, size.width // config.rgb_upscale)
        self.sizes = level_sizes(finest)
        self.levels = len(self.sizes) - 1
        width = [channels(config, self.levels, stage) for stage in range(self.levels + 1)]
        motion_size = config.motion_noise + (features if config.sound_route != "gen" else 0)
        self.motion = MotionEncoder(motion_size, config.motion_layers, config.motion_type)
        self.resonators = Resonators(features, config.resonators) if config.resonators else None
        inputs = motion_size + config.content_noise + (features if config.sound_route != "rnn" else 0)
        inputs += 2 * config.resonators
        condition_inputs = features if config.condition_on == "sound" else inputs
        acin, over_time = config.conditional_norm, config.convolution == "3d"
        self.seed = NoisyConv(inputs, width[0], False, over_time=over_time)
        pairs = list(itertools.pairwise(width))
        residual = config.architecture == "residual"
        self.blocks = nn.ModuleList(
            ResidualBlock(a, b, acin, config.normalise, over_time) if residual else PlainBlock(a, b, over_time)
            for a, b in pairs
        )
        self.conditions = nn.ModuleList(Condition(condition_inputs, b) for _, b in pairs) if acin else None
        rgb_inputs = width[1:] if config.architecture == "skip" else width[-1:]
        colours, kernel = 3 * config.rgb_upscale**2, 1 if config.rgb_upscale == 1 else 3
        self.to_rgb = nn.ModuleList(nn.Conv2d(c, colours, kernel, padding=kernel // 2) for c in rgb_inputs)
        self.predictions = nn.ModuleDict()
        for level in self._prediction_levels():
            kernel = config.prediction_kernel or (3 if size.short_side < 512 else 5)
            assert config.prediction != "none"
            self.predictions[str(level)] = VideoPrediction(
                width[level + 1], self.sizes[level + 1], kernel, config.prediction, level
            )
        self.place = nn.ParameterList(
            nn.Parameter(torch.zeros(1, width[l], *self.sizes[l])) for l in range(min(config.place_levels, self.levels))
        )
        self.relief_level = self._level("relief_level", config.relief_level) if config.relief_rank else 0
        self.relief = (
            Relief(inputs, width[self.relief_level], self.sizes[self.relief_level], config.relief_rank)
            if config.relief_rank
            else None
        )
        self.noise = NoiseTile(finest)
        for part in (self.seed, self.blocks, self.conditions, self.to_rgb):
            if part is not None:
                initialise(part, config.initialisation)
        for part in (self.predictions, self.motion.encoder):
            if part is not None and config.initialisation == "reference":
                start_small(part)
        self.canvas = Canvas(size, config.canvas_rank, inputs) if config.canvas else None
        self.warp = Warp(size, config.warp_rank, inputs) if config.warp_rank else None
        self._start_colours()

    @torch.no_grad()
    def _start_colours(self) -> None:
        for convolution in self.to_rgb:
            assert isinstance(convolution, nn.Conv2d)
            start_sub_pixels_equal(convolution, self.config.rgb_upscale)
        if self.canvas is not None:
            # Full-size weights would hide the clip's own frame under noise, which takes minutes to unlearn.
            for parameter in self.to_rgb.parameters():
                parameter.mul_(0.1)

    def _prediction_levels(self) -> list[int]:
        if self.config.prediction == "none":
            return []
        return sorted({self._level("prediction_levels", level) for level in self.config.prediction_levels})

    def _level(self, option: str, level: int) -> int:
        if not -self.levels <= level < self.levels:
            raise TrainingError(
                f"generator.{option} names level {level}; at this frame size there are levels 0 to {self.levels - 1}, "
                f"or -1 to {-self.levels} counted from the finest."
            )
        return level % self.levels

    def start_from(self, frames_T3HW: Tensor) -> None:
        """Start canvas, relief and warp, where there are any, at a clip's own frames in [-1, 1]."""
        for part in (self.canvas, self.relief):
            if part is not None:
                part.start_from(frames_T3HW)
        if self.canvas is not None and self.warp is not None:
            self.canvas.be_still(self.warp.start_from(frames_T3HW))

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of all states without the batch."""
        shapes = self.motion.state_shapes()
        if self.resonators is not None:
            shapes |= self.resonators.state_shapes()
        for prediction in self.predictions.values():
            shapes |= prediction.state_shapes()
        return shapes

    @property
    def grain_sizes(self) -> tuple[FrameSize, ...]:
        """Frame sizes at which noise is injected, in order."""
        return (self.sizes[0], *(size.doubled() for size in self.sizes[:-1] for _ in range(2)))

    def grain_maps(self, start_BTG: Tensor) -> list[Tensor]:
        """Cut one noise map [N, 1, H, W] an injection from the stored tile; `start_BTG` in [0, 1) says where."""
        return [self.noise(start_BTG[:, :, g].flatten(), size) for g, size in enumerate(self.grain_sizes)]

    def forward(
        self,
        features_BTF: Tensor,
        motion_noise_BTE: Tensor,
        content_noise_BTZ: Tensor | None,
        grain_maps: list[Tensor],
        controls: Controls,
        state: dict[str, Tensor],
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Generate T frames; returns them [B, T, 3, H, W] and the next states. `state` is left as it was."""
        batch_steps, steps = features_BTF.shape[:2], features_BTF.shape[1]
        input_BTI, following = self._inputs(features_BTF, motion_noise_BTE, content_noise_BTZ, controls, state)
        input_NI = input_BTI.flatten(0, 1)
        condition_NF = features_BTF.flatten(0, 1) if self.config.condition_on == "sound" else input_NI
        controls = of_steps(controls, steps)
        grains = [controls.grain * grain for grain in grain_maps]
        # Every pixel of the seed has the same input; the zero padding of the convolution tells the places apart.
        x = self.seed(input_NI[:, :, None, None].expand(-1, -1, *self.sizes[0]), grains[0], None, steps)
        x = functional.leaky_relu(x, 0.2)
        rgb: Tensor | None = None
        for l, block in enumerate(self.blocks):
            if l < len(self.place):
                x = x + self.place[l]
            if self.relief is not None and l == self.relief_level:
                x = x + self.relief(input_NI)
            condition = self.conditions[l](condition_NF) if self.conditions is not None else None
            x = cut(block(x, (grains[1 + 2 * l], grains[2 + 2 * l]), condition, steps), self.sizes[l + 1])
            if str(l) in self.predictions:
                predicted, next_state = self.predictions[str(l)](x.unflatten(0, batch_steps), state, controls.memory)
                x, following = predicted.flatten(0, 1), following | next_state
            if self.config.architecture == "skip":
                added = self.to_rgb[l](x)
                rgb = added if rgb is None else added + cut(enlarged(rgb), self.sizes[l + 1])
        rgb = self.to_rgb[0](x) if rgb is None else rgb
        rgb = functional.pixel_shuffle(rgb, self.config.rgb_upscale) if self.config.rgb_upscale > 1 else rgb
        if self.canvas is not None:
            canvas = self.canvas(input_NI)
            rgb = rgb + (canvas if self.warp is None else self.warp(input_NI, canvas))
        return torch.tanh(rgb).unflatten(0, batch_steps), following

    def _inputs(
        self,
        features_BTF: Tensor,
        motion_noise_BTE: Tensor,
        content_noise_BTZ: Tensor | None,
        controls: Controls,
        state: dict[str, Tensor],
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what the generator is fed [B, T, I], and the next states of what remembers on the way there."""
        motion = controls.motion[:, None, None] if controls.motion.dim() else controls.motion
        motion_noise_BTE = 0.5 + motion * (motion_noise_BTE - 0.5)
        sound = [features_BTF] if self.config.sound_route != "gen" else []
        motion_BTI, following = self.motion(torch.cat([motion_noise_BTE, *sound], dim=2), state)
        parts = [motion_BTI]
        if self.config.sound_route != "rnn":
            parts.append(features_BTF)
        if content_noise_BTZ is not None:
            parts.append(content_noise_BTZ)
        if self.resonators is not None:
            resonance_BTR, next_state = self.resonators(features_BTF, state)
            parts.append(resonance_BTR)
            following |= next_state
        return torch.cat(parts, dim=2), following


def of_steps(controls: Controls, steps: int) -> Controls:
    """Return controls that broadcast against frames: scalars as they are, one value for each row of the batch [B] as [N, 1, 1, 1].

    Grain meets frames in the order of the batch, memory in the order of steps (see VideoPrediction).
    """
    grain, memory = controls.grain, controls.memory
    # A scalar stays one: it takes the precision of what it multiplies.
    if grain.dim():
        grain = grain[:, None].expand(-1, steps).reshape(-1, 1, 1, 1)
    if memory.dim():
        memory = memory.repeat(steps)[:, None, None, None]
    return Controls(motion=controls.motion, grain=grain, memory=memory)
