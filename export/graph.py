"""The graph of a model file: one step without a batch, from sound window to picture bytes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from engine.model_card import NEXT_SUFFIX
from training.streaming import StreamingModel

# W window samples, H W C picture rows, columns, channels

PICTURE_OUTPUT = "picture"
"""Float picture [3, H, W] before rounding: an output during verification, taken away before the file is written."""


class StepGraph(nn.Module):
    """One step as the model file has it: inputs and outputs by position here, named by `input_names` and `output_names`."""

    def __init__(self, model: StreamingModel) -> None:
        super().__init__()
        self.model = model
        self.control_names = [spec.name for spec in model.control_specs()]
        self.noise_names = [spec.name for spec in model.noise_specs()]
        self.state_names = list(model.state_shapes())

    @property
    def input_names(self) -> list[str]:
        return ["audio", *self.control_names, *self.noise_names, *self.state_names]

    @property
    def output_names(self) -> list[str]:
        return ["frame", "features", PICTURE_OUTPUT, *(name + NEXT_SUFFIX for name in self.state_names)]

    def example_inputs(self) -> tuple[Tensor, ...]:
        """Return silence, default controls, fixed noise and the initial state, in the order of `input_names`."""
        noise = self.model.draw_noise(1, 1, torch.Generator().manual_seed(0))
        state = self.model.initial_state(1)
        return (
            torch.zeros(self.model.window_samples),
            *(torch.tensor(spec.default) for spec in self.model.control_specs()),
            *(noise[name][0, 0] for name in self.noise_names),
            *(state[name][0] for name in self.state_names),
        )

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        named: dict[str, Any] = dict(zip(self.input_names, inputs, strict=True))
        pictures, features, following = self.model.step(
            named["audio"][None],
            {name: named[name][None] for name in self.noise_names},
            {name: named[name][None] for name in self.state_names},
            {name: named[name] for name in self.control_names},
        )
        picture = pictures[0]
        # Picked apart so that an output is never a bare view of an input.
        return (picture_bytes(picture), features[0], picture, *(following[name][0] for name in self.state_names))


def picture_bytes(picture_CHW: Tensor) -> Tensor:
    """[3, H, W] in [-1, 1] -> uint8 [H, W, 3], rounded to the nearest level."""
    levels = torch.round((picture_CHW + 1.0) * 127.5).clamp(0.0, 255.0)
    return levels.permute(1, 2, 0).to(torch.uint8)
