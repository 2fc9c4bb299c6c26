"""The graph of a model file: one step from sound window to picture bytes, for one room or for several at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from engine.model.card import NEXT_SUFFIX
from training.core.streaming import StreamingModel

# B rooms, W window samples, H W C picture rows, columns, channels

PICTURE_OUTPUT = "picture"
"""Float picture [3, H, W] before rounding: an output during verification, taken away before the file is written."""


class StepGraph(nn.Module):
    """One step as the model file has it: inputs and outputs by position here, named by `input_names` and `output_names`.

    Of one room no tensor has a batch; of B > 1 rooms every input and output, controls included, has B in front, and what a
    room is given reaches that room alone.
    """

    def __init__(self, model: StreamingModel, rooms: int = 1) -> None:
        super().__init__()
        assert rooms >= 1
        self.model, self.rooms = model, rooms
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
        noise = self.model.draw_noise(self.rooms, 1, torch.Generator().manual_seed(0))
        state = self.model.initial_state(self.rooms)
        inputs = (
            torch.zeros(self.rooms, self.model.window_samples),
            *(torch.full((self.rooms,), spec.default) for spec in self.model.control_specs()),
            *(noise[name][:, 0] for name in self.noise_names),
            *(state[name] for name in self.state_names),
        )
        return inputs if self.rooms > 1 else tuple(value[0] for value in inputs)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        named: dict[str, Any] = dict(zip(self.input_names, inputs, strict=True))
        if self.rooms > 1:
            return self._of_rooms(named)
        pictures, features, following = self.model.step(
            named["audio"][None],
            {name: named[name][None] for name in self.noise_names},
            {name: named[name][None] for name in self.state_names},
            {name: named[name] for name in self.control_names},
        )
        picture = pictures[0]
        # Picked apart so that an output is never a bare view of an input.
        return (picture_bytes(picture), features[0], picture, *(following[name][0] for name in self.state_names))

    def _of_rooms(self, named: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """Take one step in every room."""
        # Each room is heard alone: ONNX Runtime adds up a mean in another order for several rooms than for one, and from then on
        # no bit would be the same. All other operations give a room the same bits beside others as alone.
        features_BF = torch.cat([self.model.front_end(named["audio"][room : room + 1]) for room in range(self.rooms)])
        pictures, features_BTF, following = self.model.clip_features(
            features_BF[:, None],
            {name: named[name][:, None] for name in self.noise_names},
            {name: named[name] for name in self.state_names},
            {name: named[name] for name in self.control_names},
        )
        picture_B3HW = pictures[:, 0]
        states = (following[name] for name in self.state_names)
        return (picture_bytes(picture_B3HW), features_BTF[:, 0], picture_B3HW, *states)


def picture_bytes(picture_CHW: Tensor) -> Tensor:
    """[..., 3, H, W] in [-1, 1] -> uint8 [..., H, W, 3], rounded to the nearest level."""
    levels = torch.round((picture_CHW + 1.0) * 127.5).clamp(0.0, 255.0)
    return levels.movedim(-3, -1).to(torch.uint8)
