"""Plays a layered model on any backend: the backend steps the graph, and its fields are composed to a frame here."""

from __future__ import annotations

import os
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ModelFileError, StepError
from engine.model.backend import Backend, WrappedBackend
from engine.model.backends.onnx_cpu import DEFAULT_THREADS
from engine.model.backends.onnx_session import first_line
from engine.model.compositor import Compositor
from engine.model.content import FileContent
from engine.model.layers import Layers, LayersSpec, finite_fields
from engine.model.step import Step, StepInputs
from engine.model.textures import read_textures

# H W rows and columns of pixels, C channels

ONNX = ".onnx"


class LayeredBackend(WrappedBackend):
    """A backend whose steps have frames. In a batch every slot is composed, also those that asked for no step."""

    def __init__(self, inner: Backend, content: FileContent, spec: LayersSpec, threads: int = 1) -> None:
        """Raises ModelFileError for textures that are missing, damaged or of another size than in the card."""
        super().__init__(inner)
        self._spec = spec
        self._textures = read_textures(content, spec)
        self._compositor = Compositor(self._textures, inner.card.height, inner.card.width, threads)

    def step(self, inputs: StepInputs) -> Step:
        """Take one step and compose its frame. Raises StepError."""
        import cv2

        step = self.inner.step(inputs)
        layers = Layers(self._textures, finite_fields(self._spec, step.outputs))
        try:
            return step._replace(pixels_HWC=self._composed(layers), layers=layers)
        except (MemoryError, cv2.error) as error:
            raise StepError(f"{self.name}: the frame could not be composed ({first_line(error)}).") from error

    def _composed(self, layers: Layers) -> NDArray[np.uint8]:
        """Return the frame, with the batch axis where there is one."""
        if self.card.batch == 1:
            return self._compositor.compose(layers.fields)
        slots = [self._compositor.compose(layers.of_slot(index).fields) for index in range(self.card.batch)]
        return np.stack(slots)


def open_composing(module: ModuleType, content: FileContent, threads: int | None) -> Backend:
    """Open a model file with the backend of `module`, so that every step has a frame. Raises what its `open_model` raises, and
    ModelFileError for textures that cannot be used."""
    backend: Backend = module.open_model(content, threads)
    layers = backend.card.layers
    if layers is None:
        return backend
    if content.path.suffix in module.SUFFIXES and content.path.suffix != ONNX:
        raise ModelFileError(
            f"{content.path} is a layered model without its textures, which only .onnx files hold; play the .onnx file that it was made from."
        )
    return LayeredBackend(backend, content, layers, threads or min(DEFAULT_THREADS, os.cpu_count() or 1))
