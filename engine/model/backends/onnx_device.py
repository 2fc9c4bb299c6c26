"""An ONNX Runtime session whose states stay where it computes; what onnx-cuda and onnx-tensorrt share.

All buffers are bound once, so their addresses never change: one binding reads state set 0 and writes set 1, the other the
reverse. It runs on the processor too, where it must equal plain runs to the bit; that is how it is tested without a card.
"""

# onnxruntime ships no types.
# pyright: basic

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import BackendError
from engine.model.backends import backend, onnx_session
from engine.model.backends.backend import Arrays, State, Step
from engine.model.backends.device_backend import DeviceBackend
from engine.model.backends.ping_pong import PingPong
from engine.model.card import NEXT_SUFFIX, ModelCard

HOST = "cpu"
CUDA = "cuda"


class OnnxDeviceBackend(DeviceBackend):
    """A model file in an ONNX Runtime session with its inputs, outputs and two sets of states on `device`, "cuda" or "cpu".

    With `graphs` each of the two bindings is captured as a CUDA graph at its first step and replayed from then on.
    """

    def __init__(
        self,
        runtime: Any,
        session: Any,
        card: ModelCard,
        name: str,
        description: str,
        device: str,
        graphs: bool = False,
    ) -> None:
        super().__init__(name, description, card)
        self._session, self._device = session, device
        self._errors = onnx_session.runtime_errors()
        self._state_names = tuple(spec.name for spec in card.states)
        shapes = {info.name: (info.shape, np.dtype(info.dtype)) for info in (*card.inputs(), *card.outputs())}

        def buffers(*names: str) -> dict[str, Any]:
            return {
                n: runtime.OrtValue.ortvalue_from_shape_and_type(list(shapes[n][0]), shapes[n][1], device, 0)
                for n in names
            }

        self._inputs = buffers(*(info.name for info in card.inputs() if info.name not in self._state_names))
        self._outputs = buffers("frame", "features")
        self._sets = (buffers(*self._state_names), buffers(*self._state_names))
        self._bindings = tuple(self._bind(self._sets[read], self._sets[1 - read]) for read in (0, 1))
        self._options = tuple(_run_options(runtime, number if graphs else None) for number in (1, 2))
        self._turns = PingPong(self._state_names, self._fetch, self._load)

    def run(self, inputs: Arrays, state: State) -> Step:
        """Take one step from `state` with every other input under its name."""
        try:
            backend.check_names(inputs, self._inputs)
            backend.check_names(state, self._state_names)
            read, written = self._turns.begin(state)
            for name, value in inputs.items():
                _fill(self._inputs, name, value)
            # The capture of a graph runs the step about three times; as it reads one set and writes the other, that changes nothing.
            self._session.run_with_iobinding(self._bindings[read], self._options[read])
            image, features = (self._read(self._outputs[name]) for name in ("frame", "features"))
        except self._errors as error:
            raise BackendError(f"{self.name}: the step failed ({onnx_session.first_line(error)}).") from error
        return Step(image, features, self._turns.finish(written))

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
            _fill(self._sets[index], name, state[name])

    def _read(self, value: Any) -> NDArray[Any]:
        # On the processor numpy() shows the buffer itself, which the next step overwrites.
        return value.numpy().copy() if self._device == HOST else value.numpy()


def _fill(buffers: Mapping[str, Any], name: str, value: NDArray[np.float32]) -> None:
    """Copy an array into its buffer and wait until it is there."""
    expected = buffers[name].shape()
    given = np.asarray(value, np.float32)
    if list(given.shape) != list(expected):
        raise ValueError(f"{name} has shape {list(given.shape)}, {list(expected)} was expected")
    buffers[name].update_inplace(given)


def _run_options(runtime: Any, graph: int | None) -> Any:
    """Return the options of one binding's runs; each captured graph has a number, and addresses fixed to it."""
    options = runtime.RunOptions()
    if graph is not None:
        options.add_run_config_entry("gpu_graph_id", str(graph))
    return options
