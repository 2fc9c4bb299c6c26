"""OpenVINO on the processor: plays the same .onnx files; with the bfloat16 hint it is the fastest on processors that have it."""

# Much of openvino is without types.
# pyright: basic

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.core.errors import BackendError, ModelFileError, StepError
from engine.core.printable import LONGEST_REASON, printable
from engine.model.backend import OpenedModel, shown_step
from engine.model.backends.engine_cache import engine_folder
from engine.model.backends.openvino_split import split_behind_front_end
from engine.model.card import NEXT_SUFFIX, ModelCard, TensorInfo, check_graph
from engine.model.content import ModelSource
from engine.model.file import read_model
from engine.model.step import Step, StepInputs, check_names, resting_inputs

NAME = "openvino"
SUFFIXES = (".onnx",)
DEFAULT_THREADS = 2
_DEVICE = "CPU"
_DTYPES = {"f32": "float32", "u8": "uint8"}


def obstacle() -> str | None:
    """Return why this backend cannot run here and what to install; None when it can."""
    if importlib.util.find_spec("openvino") is None:
        return f'{NAME} needs the package openvino; install it with: pip install -e ".[openvino]"'
    return None


class OpenVinoBackend(OpenedModel):
    """One compiled model, or two that run one after the other (openvino_split.py). Every step has its own output arrays."""

    def __init__(self, library: Any, models: tuple[Any, ...], card: ModelCard, threads: int) -> None:
        # A processor without bfloat16 computes in float32 whatever the hint.
        half = models[-1].get_property("INFERENCE_PRECISION_HINT") == library.Type.bf16
        description = f"{NAME}, {threads} thread{'s' if threads > 1 else ''}{', bfloat16' if half else ''}"
        super().__init__(NAME, description, card)
        self._requests = [compiled.create_infer_request() for compiled in models]
        self._tensor = library.Tensor
        self.threads = threads
        self._inputs = {i.name: (*self._port("inputs", i.name, models), i) for i in card.input_tensors()}
        self._outputs = {o.name: (*self._port("outputs", o.name, models), o) for o in card.output_tensors()}
        # The request has addresses only; the arrays must live as long as it uses them.
        self._in_use: list[Any] = []

    def join(self, crossings: int) -> None:
        """Let the second model read where the first one writes."""
        front_end, generator = self._requests
        first = len(generator.get_compiled_model().inputs) - crossings
        for number in range(crossings):
            written = front_end.get_tensor(front_end.get_compiled_model().outputs[1 + number])
            generator.set_tensor(generator.get_compiled_model().inputs[first + number], written)

    def step(self, inputs: StepInputs) -> Step:
        """Take one step. Raises StepError."""
        gives = {name: np.empty(info.shape, info.dtype) for name, (_, _, info) in self._outputs.items()}
        try:
            values = inputs.as_dict()
            check_names(values, self._inputs)
            given = {
                # OpenVINO refuses to read memory that may not be written, such as a broadcast array's.
                name: np.require(value, self._inputs[name][2].dtype, ["C", "W"]).reshape(np.shape(value))
                for name, value in values.items()
            }
            in_use = [*given.values(), *gives.values()]
            for name, value in given.items():
                request, port, info = self._inputs[name]
                if value.shape != info.shape:
                    raise ValueError(f"{name} has shape {list(value.shape)}, {list(info.shape)} was expected")
                request.set_tensor(port, self._tensor(value, shared_memory=True))
            for name, value in gives.items():
                request, port, _ = self._outputs[name]
                request.set_tensor(port, self._tensor(value, shared_memory=True))
            self._in_use = in_use
            for request in self._requests:
                # Not `infer`, which stays in this thread and cannot be cancelled.
                request.start_async()
                request.wait()
        except (RuntimeError, ValueError) as error:
            raise StepError(f"{NAME}: the step failed ({_in_a_line(error)}).") from error
        states = {spec.name: gives[spec.name + NEXT_SUFFIX] for spec in self.card.states}
        return shown_step(self.card, gives, states)

    def cancel(self) -> bool:
        """Ask the running step to end before its next operation."""
        for request in self._requests:
            request.cancel()
        return True

    def _port(self, side: str, name: str, models: tuple[Any, ...]) -> tuple[Any, Any]:
        """Return the request and the port of an input or output."""
        return next(
            (request, port)
            for request, compiled in zip(self._requests, models, strict=True)
            for port in getattr(compiled, side)
            if name in port.get_names()
        )


def open_model(path: ModelSource, threads: int | None = None) -> OpenVinoBackend:
    """Open a model file, check it against its card and take one step to warm up.

    Raises ModelFileError for a file that is missing, damaged, altered, without a card, of another version or at odds with its
    card or with more in it than a network, BackendError where OpenVINO is missing, StepError where the step fails.
    """
    card, content = read_model(path)
    file = content.path
    library = _load_library()
    threads = threads or min(DEFAULT_THREADS, os.cpu_count() or 1)
    try:
        core = library.Core()
        model = core.read_model(content.data)
    except RuntimeError as error:
        raise ModelFileError(
            f"{file} is damaged or not an ONNX file ({_in_a_line(error)}); copy it again or export the model again."
        ) from error
    check_graph(card, _infos(model.inputs, card), _infos(model.outputs, card), str(file))
    try:
        opened = _compile(library, core, model, card, threads)
    except RuntimeError as error:
        raise BackendError(f"{NAME} cannot play {file} ({_in_a_line(error)}); use another with --backend.") from error
    opened.step(resting_inputs(card))
    return opened


def _compile(library: Any, core: Any, model: Any, card: ModelCard, threads: int) -> OpenVinoBackend:
    settings = _settings(threads)
    # By default OpenVINO computes in bfloat16 wherever the processor can, whatever the file was verified in.
    exact = {**settings, "INFERENCE_PRECISION_HINT": "f32"}
    folder = engine_folder(NAME, _facts(library, core, card, settings))
    cache = {"CACHE_DIR": str(folder)} if folder else {}
    split = split_behind_front_end(library, model) if card.precision == "bfloat16" else None
    if split is None:
        return OpenVinoBackend(library, (core.compile_model(model, _DEVICE, {**exact, **cache}),), card, threads)
    front_end = core.compile_model(split.front_end, _DEVICE, {**exact, **cache})
    half = {**settings, "INFERENCE_PRECISION_HINT": "bf16"}
    generator = core.compile_model(split.generator, _DEVICE, {**half, **cache})
    opened = OpenVinoBackend(library, (front_end, generator), card, threads)
    opened.join(split.crossings)
    return opened


def _load_library() -> Any:
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        raise BackendError(
            f'{NAME} does not load ({error}); install it with: pip install --force-reinstall -e ".[openvino]"'
        ) from error


def _settings(threads: int) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        # A pinned thread cannot make way for the audio thread.
        "ENABLE_CPU_PINNING": False,
        # A state that decays towards zero reaches denormal numbers, which are many times slower.
        "CPU_DENORMALS_OPTIMIZATION": True,
    }


def _facts(library: Any, core: Any, card: ModelCard, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return all facts that the compiled model depends on."""
    return {
        "graph_sha256": card.graph_sha256,
        "precision": card.precision,
        "openvino": str(library.__version__),
        "processor": f"{platform.machine()} {core.get_property(_DEVICE, 'FULL_DEVICE_NAME')}",
        "capabilities": " ".join(core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")),
        **{name.lower(): str(value) for name, value in settings.items()},
    }


def _infos(ports: Any, card: ModelCard) -> tuple[TensorInfo, ...]:
    """A tensor may have several names, of which the card knows one; a dimension that is not fixed is reported as -1."""
    known = {info.name for info in (*card.input_tensors(), *card.output_tensors())}
    infos: list[TensorInfo] = []
    for port in ports:
        names = sorted(port.get_names())
        element: str = port.get_element_type().get_type_name()
        shape = tuple(size.get_length() if size.is_static else -1 for size in port.get_partial_shape())
        name = next((name for name in names if name in known), names[0])
        infos.append(TensorInfo(name=name, shape=shape, dtype=_DTYPES.get(element, element)))
    return tuple(infos)


def _in_a_line(error: Exception) -> str:
    """Return the last line of an OpenVINO error; the others name its own source files."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return printable(lines[-1], LONGEST_REASON).rstrip(".") if lines else type(error).__name__
