"""A trained model at another rate: more steps a second, with every time constant as long in seconds as in training.

A state is carried over the time of one training step, so at `r` times the rate a step takes it from `r` steps before: gates, delays
and memories act as they were learned, and with a whole `r` each moment is computed exactly as in training, from sound that lies a
fraction of a step later. Where `r` is no whole number, the state lies between two steps and is their mixture; what a model can scale
exactly by itself (oscillators) is scaled instead. Noise is held for as long as a training step lasts, so it moves no faster.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from fractions import Fraction

import torch
from torch import Tensor

from engine.core.errors import TrainingError
from engine.model.card import ControlSpec, NoiseSpec, PictureSpec
from training.core.layered import LayeredModel
from training.core.streaming import Noise, State, StreamingModel

# B batch, T steps, N steps that a state waits, F features, H W rows and columns

FASTEST_FPS = 240
COUNT = "rate_count"
_HELD = "_held"


class ModelAtRate(StreamingModel):
    """A streaming model of which each training step is `fps / model.fps` steps."""

    def __init__(self, model: StreamingModel, fps: int) -> None:
        super().__init__(
            name=model.name,
            family=model.family,
            fps=fps,
            image_size=model.frame_size.image_size,
            front_end=model.front_end.config,
        )
        self.model = model
        self.front_end = model.front_end
        self.ratio = Fraction(fps, model.fps)
        # Waiting is exact where a training step has a whole number of steps.
        self._scaled = frozenset[str]() if self.ratio.denominator == 1 else model.scale_rate(float(self.ratio))
        self._waiting = math.ceil(self.ratio)

    @property
    def hop_samples(self) -> int:
        """The nearest whole number: a rate that does not divide the sample rate is a fraction of a percent off."""
        return round(self.sample_rate_hz / self.fps)

    @property
    def offline_reason(self) -> str:
        return self.model.offline_reason

    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Each state with those that wait, oldest first; the noise that is held; how far the training step has come."""
        shapes = {
            name: shape if name in self._scaled else (self._waiting, *shape)
            for name, shape in self.model.state_shapes().items()
        }
        held = {spec.name + _HELD: spec.shape for spec in self.noise_specs()}
        return {**shapes, **held, **({COUNT: (1,)} if held else {})}

    def noise_specs(self) -> tuple[NoiseSpec, ...]:
        return self.model.noise_specs()

    def control_specs(self) -> tuple[ControlSpec, ...]:
        return self.model.control_specs()

    def context_specs(self) -> tuple[PictureSpec, ...]:
        return self.model.context_specs()

    def clip_features(
        self, features_BTF: Tensor, noise: Noise, state: State, controls: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """Play T steps; see StreamingModel."""
        frames: list[Tensor] = []
        for t in range(features_BTF.shape[1]):
            now = {name: values[:, t] for name, values in noise.items()}
            frame_B13HW, state = self._step(features_BTF[:, t : t + 1], now, state, controls)
            frames.append(frame_B13HW)
        return torch.cat(frames, dim=1), features_BTF, state

    def _step(
        self, features_B1F: Tensor, noise: Noise, state: State, controls: Mapping[str, Tensor] | None
    ) -> tuple[Tensor, State]:
        held, following_held = self._held(noise, state)
        names = self.model.state_shapes()
        carried = {name: state[name] if name in self._scaled else self._carried(state[name]) for name in names}
        given = {name: values[:, None] for name, values in held.items()}
        frame_B13HW, _, following = self.model.clip_features(features_B1F, given, carried, controls)
        waiting = {
            name: following[name]
            if name in self._scaled
            else torch.cat([state[name][:, 1:], following[name][:, None]], dim=1)
            for name in names
        }
        return frame_B13HW, {**waiting, **following_held}

    def _carried(self, waiting_BN: Tensor) -> Tensor:
        """Return the state of one training step ago."""
        between = self._waiting - float(self.ratio)
        oldest = waiting_BN[:, 0]
        return oldest if between == 0.0 else oldest + between * (waiting_BN[:, 1] - oldest)

    def _held(self, noise: Noise, state: State) -> tuple[dict[str, Tensor], State]:
        """Return the noise of this step, new where a training step begins, and what carries it on."""
        if not noise:
            return {}, {}
        # Whole numbers, so that counting never goes wrong: a step is `denominator` parts of the `numerator` of a training step.
        count_B1 = state[COUNT]
        parts, whole = float(self.ratio.denominator), float(self.ratio.numerator)
        is_new_B1 = count_B1 < parts
        held: dict[str, Tensor] = {}
        for name, values in noise.items():
            is_new = is_new_B1.reshape(-1, *(1 for _ in values.shape[1:]))
            held[name] = torch.where(is_new, values, state[name + _HELD])
        counted_B1 = count_B1 + parts
        counted_B1 = torch.where(counted_B1 >= whole, counted_B1 - whole, counted_B1)
        return held, {**{name + _HELD: values for name, values in held.items()}, COUNT: counted_B1}


def at_rate(model: StreamingModel, fps: int | None) -> StreamingModel:
    """Return a copy of `model` at `fps` steps a second, or `model` itself for None and for its own rate. Raises TrainingError."""
    if fps is None or fps == model.fps:
        return model
    if fps < model.fps:
        raise TrainingError(
            f"'{model.name}' was trained at {model.fps} steps a second and cannot play at {fps}: its memory lasts from one step to the "
            f"next; give --fps {model.fps} or more, or train it with --set model.fps={fps}."
        )
    if fps > FASTEST_FPS:
        raise TrainingError(f"--fps is {fps}; {model.fps} (as trained) to {FASTEST_FPS} steps a second were expected.")
    copied = copy.deepcopy(model).eval()
    changed = _layered_at_rate(copied, fps) if isinstance(copied, LayeredModel) else ModelAtRate(copied, fps).eval()
    nearest = round(changed.sample_rate_hz / changed.hop_samples)
    if nearest != fps:
        raise TrainingError(
            f"--fps is {fps}, which gives no whole number of samples a step at {changed.sample_rate_hz} Hz; give --fps {nearest}."
        )
    return changed


def _layered_at_rate(model: LayeredModel, fps: int) -> LayeredModel:
    """Let a model play at another rate whose states all scale, so that the engine composes its fields as before."""
    if model.noise_specs() or model.state_shapes().keys() - model.scale_rate(fps / model.fps):
        raise TrainingError(
            f"'{model.name}' is layered and has memory of a fixed rate; leave out --fps, or train it with --set model.fps={fps}."
        )
    model.fps = fps
    return model
