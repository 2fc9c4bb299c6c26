"""ONNX Runtime on the processor: plays everywhere."""

# onnxruntime ships no types.
# pyright: basic

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from engine.backends.backend import Arrays, Step
from engine.errors import BackendError, ModelFileError
from engine.model_card import METADATA_KEY, NEXT_SUFFIX, ModelCard, TensorInfo, check_graph
from engine.noise import draw_noise

NAME = "onnx-cpu"
DEFAULT_THREADS = 2
"""More than two gain little on pictures of stage size and take the cores that sound and encoders need."""

_DTYPES: dict[str, str] = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}
_runtime: Any = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
_RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    _runtime.EPFail,
    _runtime.Fail,
    _runtime.InvalidArgument,
    _runtime.InvalidGraph,
    _runtime.InvalidProtobuf,
    _runtime.NoModel,
    _runtime.NoSuchFile,
    _runtime.NotImplemented,
    _runtime.RuntimeException,
)


class OnnxCpuBackend:
    """A model file in an ONNX Runtime session on the processor."""

    def __init__(self, session: onnxruntime.InferenceSession, card: ModelCard, threads: int) -> None:
        self._session = session
        self._card = card
        self._outputs = ["frame", "features", *(spec.name + NEXT_SUFFIX for spec in card.states)]
        self.threads = threads

    @property
    def name(self) -> str:
        return NAME

    @property
    def description(self) -> str:
        return f"{NAME}, {self.threads} thread{'s' if self.threads > 1 else ''}"

    @property
    def card(self) -> ModelCard:
        return self._card

    def initial_state(self) -> dict[str, NDArray[np.float32]]:
        return {spec.name: np.full(spec.shape, spec.initial, np.float32) for spec in self._card.states}

    def step(self, audio_T: NDArray[np.float32], controls: Mapping[str, float], noise: Arrays, state: Arrays) -> Step:
        feeds: dict[str, Any] = {"audio": audio_T, **noise, **state}
        for name, value in controls.items():
            feeds[name] = np.asarray(value, np.float32)
        try:
            outputs: list[Any] = list(self._session.run(self._outputs, feeds))
        except (*_RUNTIME_ERRORS, ValueError) as error:
            raise BackendError(f"{NAME}: the step failed ({_first_line(error)}).") from error
        image, features, *states = outputs
        return Step(image, features, dict(zip((spec.name for spec in self._card.states), states, strict=True)))


def open_model(path: Path | str, threads: int | None = None) -> OnnxCpuBackend:
    """Open a model file, check it against its card and take one step to warm up.

    Raises ModelFileError for a file that is missing, damaged, without a card, of another version or at odds with its card.
    """
    file = Path(path)
    if not file.is_file():
        raise ModelFileError(f"There is no model file {file}; give the path of an .onnx file made by export.to_onnx.")
    threads = threads or min(DEFAULT_THREADS, os.cpu_count() or 1)
    try:
        session = onnxruntime.InferenceSession(str(file), _options(threads), providers=["CPUExecutionProvider"])
    except _RUNTIME_ERRORS as error:
        raise ModelFileError(
            f"{file} is damaged or not an ONNX file ({_first_line(error)}); copy it again or export the model again."
        ) from error
    backend = OnnxCpuBackend(session, _read_card(session, str(file)), threads)
    card = backend.card
    silence = np.zeros(card.window_samples, np.float32)
    controls = {spec.name: spec.default for spec in card.controls}
    backend.step(silence, controls, draw_noise(card.noises, 0, 0), backend.initial_state())
    return backend


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that spin between frames would burn whole cores for nothing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A state that decays towards zero reaches denormal numbers, which are many times slower.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return options


def _read_card(session: onnxruntime.InferenceSession, file: str) -> ModelCard:
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise ModelFileError(
            f"{file} is an ONNX file without a model card; make a model file with: python -m export.to_onnx CHECKPOINT -o {file}"
        )
    card = ModelCard.from_json(text, file)
    check_graph(card, _infos(session.get_inputs()), _infos(session.get_outputs()), file)
    return card


def _infos(nodes: Any) -> tuple[TensorInfo, ...]:
    """A dimension that is not fixed is reported as -1."""
    return tuple(
        TensorInfo(
            name=node.name,
            shape=tuple(size if isinstance(size, int) else -1 for size in node.shape),
            dtype=_DTYPES.get(node.type, str(node.type)),
        )
        for node in nodes
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
