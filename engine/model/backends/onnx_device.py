"""An ONNX Runtime session whose states stay on its device; what onnx-cuda and onnx-tensorrt share.

All buffers are bound once, so their addresses never change: one binding reads state buffer 0 and writes buffer 1, the other the
reverse. It also runs on the processor, where it must be bit-exact with plain runs; so it is tested without a card.
"""

# onnxruntime ships no types.
# pyright: basic

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import StepError
from engine.model.backend import shown_step
from engine.model.backends import onnx_session
from engine.model.backends.device_backend import DeviceBackend
from engine.model.backends.ping_pong import PingPong
from engine.model.capture_gate import CAPTURES
from engine.model.card import NEXT_SUFFIX, ModelCard
from engine.model.step import State, Step, StepInputs, check_names

HOST = "cpu"
CUDA = "cuda"
CAPTURE_AFTER_STEPS = 8
"""Of one thread. Opening and loading take fewer, in threads that do not play; ONNX Runtime keeps graphs for each thread."""
_NO_GRAPH = -1
"""ONNX Runtime's number for a step that is neither captured nor replayed."""


class OnnxDeviceBackend(DeviceBackend):
    """A model file in an ONNX Runtime session with its inputs, outputs and ping-pong buffers on `device`, "cuda" or "cpu".

    With `graphs` each of the two bindings is captured as a CUDA graph by the thread that plays, and replayed afterwards.
    """

    def __init__(
        self,
        session: Any,
        card: ModelCard,
        name: str,
        description: str,
        device: str,
        graphs: bool = False,
    ) -> None:
        super().__init__(name, description, card)
        runtime = onnx_session.loaded_runtime()
        self._session, self._device = session, device
        self._errors = onnx_session.runtime_errors()
        self._state_names = tuple(spec.name for spec in card.states)
        infos = (*card.input_tensors(), *card.output_tensors())
        shapes = {info.name: (info.shape, np.dtype(info.dtype)) for info in infos}
        self._dtypes = {name: dtype for name, (_, dtype) in shapes.items()}

        def buffers(*names: str) -> dict[str, Any]:
            return {
                n: runtime.OrtValue.ortvalue_from_shape_and_type(list(shapes[n][0]), shapes[n][1], device, 0)
                for n in names
            }

        self._inputs = buffers(*(info.name for info in card.input_tensors() if info.name not in self._state_names))
        self._outputs = buffers(*card.shown_names)
        self._sets = (buffers(*self._state_names), buffers(*self._state_names))
        self._bindings = tuple(self._bind(self._sets[read], self._sets[1 - read]) for read in (0, 1))
        self._with_graph = tuple(_run_options(runtime, number) for number in (1, 2))
        self._without_graph = _run_options(runtime, _NO_GRAPH)
        self._graphs = _Graphs(graphs)
        self._buffers = PingPong(self._state_names, self._fetch, self._load)

    def step(self, inputs: StepInputs) -> Step:
        """Take one step. Raises StepError."""
        try:
            check_names(inputs.without_states, self._inputs)
            check_names(inputs.states, self._state_names)
            read, written = self._buffers.begin(inputs.states)
            for name, value in inputs.without_states.items():
                self._fill(self._inputs, name, value)
            self._run(read)
            shown = {name: self._read(buffer) for name, buffer in self._outputs.items()}
        except self._errors as error:
            raise StepError(f"{self.name}: the step failed ({onnx_session.first_line(error)}).") from error
        return shown_step(self.card, shown, self._buffers.finish(written))

    def _run(self, read: int) -> None:
        if not self._graphs.is_due(read):
            self._run_bound(read, self._graphs.is_captured(read))
            return
        with CAPTURES.capturing() as allowed:
            # A capture runs the step about three times; as it reads one buffer and writes the other, that changes nothing.
            try:
                self._run_bound(read, allowed)
            except self._errors:
                if not allowed:
                    raise
                # What cannot be captured may still run: without graphs from now on.
                self._graphs.give_up()
                self._run_bound(read, with_graph=False)
                return
        if allowed:
            self._graphs.captured(read)

    def _run_bound(self, read: int, with_graph: bool) -> None:
        options = self._with_graph[read] if with_graph else self._without_graph
        self._session.run_with_iobinding(self._bindings[read], options)

    def _bind(self, read: dict[str, Any], written: dict[str, Any]) -> Any:
        binding = self._session.io_binding()
        for name, value in {**self._inputs, **read}.items():
            binding.bind_ortvalue_input(name, value)
        for name, value in {**self._outputs, **{n + NEXT_SUFFIX: v for n, v in written.items()}}.items():
            binding.bind_ortvalue_output(name, value)
        return binding

    def _fetch(self, index: int) -> dict[str, NDArray[np.float32]]:
        return {name: self._read(value) for name, value in self._sets[index].items()}

    def _load(self, index: int, state: State) -> None:
        for name in self._state_names:
            self._fill(self._sets[index], name, state[name])

    def _fill(self, buffers: Mapping[str, Any], name: str, value: NDArray[Any]) -> None:
        """Copy an array into its buffer and wait until it is there. Raises ValueError for another shape."""
        expected = buffers[name].shape()
        given = np.asarray(value, self._dtypes[name])
        if list(given.shape) != list(expected):
            raise ValueError(f"{name} has shape {list(given.shape)}, {list(expected)} was expected")
        buffers[name].update_inplace(given)

    def _read(self, value: Any) -> NDArray[Any]:
        # On the processor numpy() shows the buffer itself, which the next step overwrites.
        return value.numpy().copy() if self._device == HOST else value.numpy()


class _Graphs:
    """Which of the two bindings the thread that steps now has captured, and whether it should capture one."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._thread, self._steps = 0, 0
        self._captured: set[int] = set()

    def is_due(self, read: int) -> bool:
        """Count a step that reads buffer `read`; return whether this thread must be the one that plays and has no graph of it."""
        thread = threading.get_ident()
        if thread != self._thread:
            self._thread, self._steps = thread, 0
            self._captured.clear()
        self._steps += 1
        return self._wanted and self._steps > CAPTURE_AFTER_STEPS and read not in self._captured

    def is_captured(self, read: int) -> bool:
        """Return whether this thread has captured the step that reads buffer `read`."""
        return read in self._captured

    def captured(self, read: int) -> None:
        """Note that it has."""
        self._captured.add(read)

    def give_up(self) -> None:
        """Capture no more, and replay nothing."""
        self._wanted = False
        self._captured.clear()


def _run_options(runtime: Any, graph: int) -> Any:
    """Return the options of one binding's runs; each captured graph has a number, and addresses fixed to it."""
    options = runtime.RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(graph))
    return options
