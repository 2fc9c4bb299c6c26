"""Players: a model stepped in torch or in ONNX Runtime, for calibration, drift and verification."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import onnx
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
import torch

from engine.model.card import NEXT_SUFFIX
from engine.model.noise import draw_noise
from engine.model.step import Arrays, Step, StepInputs, resting_inputs
from export.verification.composed_frame import FrameComposer
from export.verification.graph import StepGraph
from export.verification.parity import session_options
from export.verification.sound import RealSound

NOISE_SEED = 0
# onnxruntime ships no types.
_runtime: Any = onnxruntime


class Player(Protocol):
    """A model that takes steps, as each `Backend` does. Whoever plays it carries its states."""

    def step(self, inputs: StepInputs) -> Step:
        """Take one step."""
        ...


class SoundInputs:
    """The inputs of each step of a sound, the same in all batch slots; the states are the initial ones."""

    def __init__(self, graph: StepGraph, sound: RealSound) -> None:
        self._sound = sound
        self._resting = resting_inputs(graph.signature)
        self._noises = graph.signature.noises
        self._window_samples, self._hop_samples = graph.model.window_samples, graph.model.hop_samples

    def at(self, k: int) -> StepInputs:
        """Return the inputs of step `k`, counted from 0."""
        window_T = self._sound.window(k, self._window_samples, self._hop_samples)
        values = {"audio": window_T, **draw_noise(self._noises, NOISE_SEED, k)}
        in_all_slots = {n: np.array(np.broadcast_to(v, self._resting[n].shape)) for n, v in values.items()}
        return self._resting.with_values(in_all_slots, self._resting.states)


class TorchPlayer:
    """float32 torch."""

    def __init__(self, graph: StepGraph) -> None:
        self.graph = graph
        self._composer = FrameComposer(graph)

    def step(self, inputs: StepInputs) -> Step:
        with torch.inference_mode():
            came = self.graph(*(torch.tensor(inputs[name]) for name in self.graph.input_names))
        outputs = {name: v.numpy() for name, v in zip(self.graph.output_names, came, strict=True)}
        return _step(self.graph, self._composer.by_torch(outputs))


class OnnxPlayer:
    """A ModelProto in ONNX Runtime on the processor, with one thread."""

    def __init__(self, graph: StepGraph, program: onnx.ModelProto) -> None:
        self._graph = graph
        self._composer = FrameComposer(graph)
        options = session_options()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        content = program.SerializeToString()
        self._session = _runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        self._names = graph.file_output_names

    def step(self, inputs: StepInputs) -> Step:
        came = self._session.run(self._names, inputs.as_dict())
        return _step(self._graph, self._composer.by_engine(dict(zip(self._names, came, strict=True))))


def _step(graph: StepGraph, outputs: Arrays) -> Step:
    states = {name: np.array(outputs[name + NEXT_SUFFIX]) for name in graph.state_names}
    return Step(outputs["frame"], outputs["features"], states)
