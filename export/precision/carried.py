"""One step after another, each side carrying its own states: what calibration, drift and verification do with a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import onnx
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
import torch
from numpy.typing import NDArray

from engine.model.card import NEXT_SUFFIX
from engine.model.noise import draw_noise
from export.graph import StepGraph
from export.parity import session_options
from export.precision.sound import RealSound

# T audio samples, H W C picture rows, columns, channels, F feature bands

NOISE_SEED = 0
# onnxruntime ships no types.
_runtime: Any = onnxruntime

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one step of one side gave."""

    pixels_HWC: NDArray[np.uint8]
    features_F: NDArray[np.float32]
    states: dict[str, NDArray[np.float32]]


class Player(Protocol):
    """A model that remembers: step `k` follows step `k - 1`."""

    def step(self, window_T: NDArray[np.float32], k: int) -> Seen:
        """Hear one window, with the noise of step `k`. The first `k` is 0."""
        ...


class GraphInputs:
    """The inputs of one step as a graph wants them, carried along."""

    def __init__(self, graph: StepGraph) -> None:
        self.graph = graph
        self.specs = graph.model.noise_specs()
        examples = zip(graph.input_names, graph.example_inputs(), strict=True)
        self.values: dict[str, Array] = {name: value.detach().numpy().copy() for name, value in examples}

    def hear(self, window_T: NDArray[np.float32], k: int) -> dict[str, Array]:
        """Return the inputs of step `k`, a new dict; rooms, where there are several, hear the same."""
        for name, value in {"audio": window_T, **draw_noise(self.specs, NOISE_SEED, k)}.items():
            self.values[name] = np.array(np.broadcast_to(value, self.values[name].shape))
        return dict(self.values)

    def carry(self, outputs: dict[str, Array]) -> Seen:
        """Take over the states for the next step."""
        states = {name: np.array(outputs[name + NEXT_SUFFIX]) for name in self.graph.state_names}
        self.values.update(states)
        return Seen(outputs["frame"], outputs["features"], states)


class TorchPlayer:
    """float32 torch."""

    def __init__(self, graph: StepGraph) -> None:
        self._inputs = GraphInputs(graph)

    def step(self, window_T: NDArray[np.float32], k: int) -> Seen:
        graph = self._inputs.graph
        given = self._inputs.hear(window_T, k)
        with torch.inference_mode():
            came = graph(*(torch.tensor(given[name]) for name in graph.input_names))
        return self._inputs.carry({name: v.numpy() for name, v in zip(graph.output_names, came, strict=True)})


class OnnxPlayer:
    """A ModelProto in ONNX Runtime on the processor, one thread."""

    def __init__(self, graph: StepGraph, program: onnx.ModelProto) -> None:
        self._inputs = GraphInputs(graph)
        options = session_options()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        content = program.SerializeToString()
        self._session = _runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._names = ["frame", "features", *(name + NEXT_SUFFIX for name in graph.state_names)]

    def step(self, window_T: NDArray[np.float32], k: int) -> Seen:
        came = self._session.run(self._names, self._inputs.hear(window_T, k))
        return self._inputs.carry(dict(zip(self._names, came, strict=True)))

    def inputs_of(self, sound: RealSound, k: int) -> dict[str, Array]:
        """Return the inputs that step `k` of `sound` has, without taking it."""
        model = self._inputs.graph.model
        return self._inputs.hear(sound.window(k, model.window_samples, model.hop_samples), k)
