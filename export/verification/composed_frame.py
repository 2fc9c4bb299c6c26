"""The frame of a step whose graph is layered, composed by torch and by the engine. Both give frames as a plain graph does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.model.compositor import Compositor
from export.verification.graph import FLOAT_FRAME_OUTPUT, StepGraph, frame_bytes
from training.core.layered import LayeredModel

Outputs = Mapping[str, NDArray[Any]]
"""A step's outputs by name, with the batch axis where there is one."""


class FrameComposer:
    """Completes the outputs of a graph's steps; those of a graph that gives frames stay as they are."""

    def __init__(self, graph: StepGraph) -> None:
        self._graph = graph
        self._compositor: Compositor | None = None
        if isinstance(graph.model, LayeredModel):
            textures = [np.ascontiguousarray(t.permute(1, 2, 0).numpy()) for t in graph.model.texture_levels]
            self._compositor = Compositor(textures, *graph.model.frame_size)

    def by_torch(self, outputs: Outputs) -> Outputs:
        """Return the outputs with `frame` and, before rounding, the float frame."""
        if not isinstance(self._graph.model, LayeredModel):
            return outputs
        float_frame = self._composed(outputs)
        return {**outputs, "frame": frame_bytes(float_frame).numpy(), FLOAT_FRAME_OUTPUT: float_frame.numpy()}

    def by_engine(self, outputs: Outputs) -> Outputs:
        """Return the outputs with the `frame` of a show and, composed by torch, the float frame."""
        if self._compositor is None:
            return outputs
        fields = {field.name: outputs[field.name] for field in self._graph.fields}
        if self._graph.batch == 1:
            frame = self._compositor.compose(fields)
        else:
            slots = ({role: values[b] for role, values in fields.items()} for b in range(self._graph.batch))
            frame = np.stack([self._compositor.compose(slot) for slot in slots])
        return {**outputs, "frame": frame, FLOAT_FRAME_OUTPUT: self._composed(outputs).numpy()}

    @torch.no_grad()
    def _composed(self, outputs: Outputs) -> torch.Tensor:
        """Return the float frame [3, H, W], with the batch axis where there is one."""
        assert isinstance(self._graph.model, LayeredModel)
        fields = {field.name: torch.as_tensor(outputs[field.name]) for field in self._graph.fields}
        if self._graph.batch > 1:
            return self._graph.model.composed(fields)
        return self._graph.model.composed({role: values[None] for role, values in fields.items()})[0]
