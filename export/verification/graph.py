"""The graph of a model file: one step from sound window to frame, for one session or for a batch."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn

from engine.model.card import NEXT_SUFFIX, OutputSpec, StateSpec, StepSignature
from engine.model.step import StepInputs, resting_inputs
from training.core.layered import LayeredModel
from training.core.streaming import Noise, State, StreamingModel

# B batch slots, W window samples, F features, T steps, H W C frame rows, columns, channels

FLOAT_FRAME_OUTPUT = "float_frame"
"""Frame [3, H, W] in [-1, 1] before rounding: an output for parity, removed before the file is written."""


class StepGraph(nn.Module):
    """One step as the model file has it: inputs and outputs by position here, named by `input_names` and `output_names`.

    Without a batch no tensor has a batch axis. With a batch of B > 1 every input and output, controls included, has B in front,
    and the slots do not influence each other. The graph of a layered model gives the fields of its layers in place of a frame
    (composed_frame.py makes that of them).
    """

    def __init__(self, model: StreamingModel, batch: int = 1, controls: Collection[str] | None = None) -> None:
        """`controls` are the names of those that become inputs (default: all); the others are at their default for good."""
        super().__init__()
        assert batch >= 1
        self.model, self.batch = model, batch
        self.signature = StepSignature(
            window_samples=model.window_samples,
            controls=tuple(c for c in model.control_specs() if controls is None or c.name in controls),
            noises=model.noise_specs(),
            states=tuple(StateSpec(name=name, shape=shape) for name, shape in model.state_shapes().items()),
            pictures=model.context_specs(),
            batch=batch,
        )
        self.control_names = [spec.name for spec in self.signature.controls]
        self.noise_names = [spec.name for spec in self.signature.noises]
        self.state_names = [spec.name for spec in self.signature.states]
        self.context_names = [spec.name for spec in self.signature.pictures]
        shapes = model.field_shapes() if isinstance(model, LayeredModel) else {}
        self.fields = tuple(
            OutputSpec(name=role, shape=shape, dtype="float32", help=f"{role} of the layers")
            for role, shape in shapes.items()
        )
        """Outputs in place of the frame, each named after its role; none where the graph gives the frame itself."""

    @property
    def input_names(self) -> list[str]:
        return [info.name for info in self.signature.input_tensors()]

    @property
    def output_names(self) -> list[str]:
        """All outputs of this step, those for parity included."""
        return [*self.file_output_names, *([] if self.fields else [FLOAT_FRAME_OUTPUT])]

    @property
    def file_output_names(self) -> list[str]:
        """The outputs that a model file has."""
        shown = [field.name for field in self.fields] or ["frame"]
        return [*shown, "features", *(name + NEXT_SUFFIX for name in self.state_names)]

    def example(self) -> StepInputs:
        """Return the inputs at rest, with fixed noise."""
        noise = self.model.draw_noise(self.batch, 1, torch.Generator().manual_seed(0))
        drawn = {name: noise[name][:, 0].numpy() for name in self.noise_names}
        resting = resting_inputs(self.signature)
        return resting.with_values(
            {name: value if self.batch > 1 else value[0] for name, value in drawn.items()}, resting.states
        )

    def example_inputs(self) -> tuple[Tensor, ...]:
        """Return the inputs of `example` as tensors, in the order of `input_names`."""
        example = self.example()
        return tuple(torch.tensor(example[name]) for name in self.input_names)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        named: dict[str, Any] = dict(zip(self.input_names, inputs, strict=True))
        if self.batch > 1:
            return self._batched(named)
        shown, features_BTF, following = self._stepped(
            self.model.front_end(named["audio"][None]),
            {name: named[name][None, None] for name in self.noise_names},
            {name: named[name][None] for name in self.state_names},
            {
                **{name: named[name] for name in self.control_names},
                **{name: named[name][None] for name in self.context_names},
            },
        )
        # Indexed, so that an output is never a bare view of an input.
        return self._outputs(
            [values[0] for values in shown],
            features_BTF[0, 0],
            [following[name][0] for name in self.state_names],
        )

    def _stepped(
        self, features_BF: Tensor, noise: Noise, state: State, controls: dict[str, Tensor]
    ) -> tuple[list[Tensor], Tensor, State]:
        """Take one step in every slot; return the frame or the fields [B, ...], the features [B, 1, F] and the next states."""
        if isinstance(self.model, LayeredModel):
            fields, following = self.model.clip_fields(features_BF[:, None], noise, state, controls)
            return [fields[field.name][:, 0] for field in self.fields], features_BF[:, None], following
        frames, features_BTF, following = self.model.clip_features(features_BF[:, None], noise, state, controls)
        return [frames[:, 0]], features_BTF, following

    def _outputs(self, shown: list[Tensor], features: Tensor, states: list[Tensor]) -> tuple[Tensor, ...]:
        """Return the outputs in the order of `output_names`."""
        if self.fields:
            return (*shown, features, *states)
        return (frame_bytes(shown[0]), features, *states, shown[0])

    def _batched(self, named: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """Take one step in every slot."""
        # The front end runs for each slot by itself: ONNX Runtime adds up a mean in another order for a batch than for one
        # window, and no later value would be bit-exact. All other operations are bit-exact in a batch.
        features_BF = torch.cat([self.model.front_end(named["audio"][b : b + 1]) for b in range(self.batch)])
        shown, features_BTF, following = self._stepped(
            features_BF,
            {name: named[name][:, None] for name in self.noise_names},
            {name: named[name] for name in self.state_names},
            {name: named[name] for name in (*self.control_names, *self.context_names)},
        )
        return self._outputs(shown, features_BTF[:, 0], [following[name] for name in self.state_names])


def frame_bytes(frame_3HW: Tensor) -> Tensor:
    """[..., 3, H, W] in [-1, 1] -> uint8 [..., H, W, 3], rounded to the nearest level."""
    levels = torch.round((frame_3HW + 1.0) * 127.5).clamp(0.0, 255.0)
    return levels.movedim(-3, -1).to(torch.uint8)
