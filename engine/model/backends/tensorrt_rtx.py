"""TensorRT for RTX: plays a plan made by export.to_tensorrt on an NVIDIA graphics card. States stay on the card.

The inputs are in one block of memory, the shown outputs in another, and each state buffer in one more, so a step is one copy to
the card, one launch and one copy back. Two execution contexts, one for each direction between the ping-pong buffers, have fixed
addresses, so that the library can capture each as a CUDA graph. The kernels that it compiles for this card are kept for the next
start (kernel_cache.py).
"""

# tensorrt_rtx and cuda-bindings ship no types.
# pyright: basic

from __future__ import annotations

import ctypes
import hashlib
import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import BackendError, ModelFileError, StepError
from engine.model.backend import shown_step
from engine.model.backends import plan_file
from engine.model.backends.device_backend import DeviceBackend, refuse_int8
from engine.model.backends.engine_cache import engine_folder
from engine.model.backends.graphics_card import GraphicsCard, find_card
from engine.model.backends.kernel_cache import KernelCache
from engine.model.backends.ping_pong import PingPong
from engine.model.backends.plan_file import INSTALL, LIBRARY, Plan
from engine.model.card import NEXT_SUFFIX, ModelCard, TensorInfo, check_graph
from engine.model.content import ModelSource
from engine.model.file import read_checked_card
from engine.model.step import State, Step, StepInputs

NAME = "tensorrt-rtx"
SUFFIXES = (".plan", ".onnx")
ALIGNMENT_BYTES = 256
"""Alignment of every tensor in its block, the same as that of cudaMalloc."""
_DRIVER_TOO_OLD = "cudaError 35"
_NEW_DRIVER = "install NVIDIA's driver for CUDA 13, or a newer one"


def obstacle() -> str | None:
    """Return why this backend cannot run here and what to install; None when it can."""
    if importlib.util.find_spec(LIBRARY) is None:
        return f"{NAME} needs the package {LIBRARY}_cu13; {INSTALL}"
    if importlib.util.find_spec("cuda") is None or importlib.util.find_spec("cuda.bindings") is None:
        return f"{NAME} needs the package cuda-bindings; {INSTALL}"
    if find_card() is None:
        return f"{NAME} needs an NVIDIA card with a working driver, and finds none; {_NEW_DRIVER}, or use another --backend"
    return None


class Device(Protocol):
    """Memory on a graphics card, and the stream that orders all its work."""

    stream: int

    def allocate(self, size_bytes: int) -> int:
        """Return the address of zeroed memory of this size on the card."""
        ...

    def staging(self, size_bytes: int) -> NDArray[np.uint8]:
        """Return host memory that the card can copy from and to."""
        ...

    def upload(self, address: int, host: NDArray[np.uint8]) -> None: ...

    def download(self, host: NDArray[np.uint8], address: int) -> None:
        """Copy to the host and wait for the end of the copy."""
        ...


class Block:
    """Tensors side by side on the card, with host memory of the same layout."""

    def __init__(self, device: Device, infos: Sequence[TensorInfo]) -> None:
        self._device = device
        self.offsets, size_bytes = layout(infos)
        self._address = device.allocate(size_bytes)
        self._host = device.staging(size_bytes)
        self.views = {info.name: _view(self._host, self.offsets[info.name], info) for info in infos}

    def addresses(self, suffix: str = "") -> dict[str, int]:
        """Return the address of each tensor on the card, under its name with `suffix`."""
        return {name + suffix: self._address + offset for name, offset in self.offsets.items()}

    def put(self, values: Mapping[str, Any]) -> None:
        """Copy values to the card. Raises BackendError for a value that is missing or has another shape than in the model card."""
        for name, view in self.views.items():
            if name not in values or np.shape(values[name]) != view.shape:
                came = f"has shape {list(np.shape(values[name]))}" if name in values else "is missing"
                raise StepError(f"{NAME}: the step failed ({name} {came}, {list(view.shape)} was expected).")
            view[...] = values[name]
        self._device.upload(self._address, self._host)

    def get(self) -> dict[str, NDArray[Any]]:
        """Copy all values from the card."""
        self._device.download(self._host, self._address)
        return {name: view.copy() for name, view in self.views.items()}


def layout(infos: Sequence[TensorInfo]) -> tuple[dict[str, int], int]:
    """Return the offset of each tensor in a block, in bytes, and the size of the block: at least ALIGNMENT_BYTES."""
    offsets: dict[str, int] = {}
    end = 0
    for info in infos:
        offsets[info.name] = end
        size_bytes = int(np.prod(info.shape)) * np.dtype(info.dtype).itemsize
        end += -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
    return offsets, max(end, ALIGNMENT_BYTES)


def _view(host: NDArray[np.uint8], offset: int, info: TensorInfo) -> NDArray[Any]:
    dtype = np.dtype(info.dtype)
    return host[offset : offset + int(np.prod(info.shape)) * dtype.itemsize].view(dtype).reshape(info.shape)


class RtxBackend(DeviceBackend):
    """A plan with its memory. `contexts` are two execution contexts of one engine; `device` is the card."""

    def __init__(self, card: ModelCard, contexts: Sequence[Any], device: Device, description: str) -> None:
        super().__init__(NAME, description, card)
        self._contexts, self._device = contexts, device
        names = tuple(spec.name for spec in card.states)
        states = [info for info in card.input_tensors() if info.name in names]
        self._inputs = Block(device, [info for info in card.input_tensors() if info.name not in names])
        self._shown = Block(device, [info for info in card.output_tensors() if not info.name.endswith(NEXT_SUFFIX)])
        self._sets = (Block(device, states), Block(device, states))
        for read, context in enumerate(contexts):
            self._set_addresses(context, self._sets[read], self._sets[1 - read])
        self._buffers = PingPong(names, lambda index: self._sets[index].get(), self._load)

    def step(self, inputs: StepInputs) -> Step:
        """Take one step. Raises StepError, or BackendError where the card fails."""
        read, written = self._buffers.begin(inputs.states)
        self._inputs.put(inputs.without_states)
        if not self._contexts[read].execute_async_v3(self._device.stream):
            raise StepError(f"{NAME}: the step failed; the library refused to start it.")
        shown = self._shown.get()
        return shown_step(self.card, shown, self._buffers.finish(written))

    def _set_addresses(self, context: Any, read: Block, written: Block) -> None:
        table = {**self._inputs.addresses(), **self._shown.addresses()}
        for name, address in {**table, **read.addresses(), **written.addresses(NEXT_SUFFIX)}.items():
            if not context.set_tensor_address(name, address):
                raise BackendError(
                    f"{NAME}: the plan of '{self.card.name}' takes no memory for '{name}'; build it again."
                )

    def _load(self, index: int, state: State) -> None:
        self._sets[index].put(state)


class CudaDevice:
    """The first NVIDIA graphics card, through NVIDIA's bindings of the CUDA runtime. Every call raises BackendError on failure.

    It works on `stream`; without one it creates its own.
    """

    def __init__(self, stream: Any = None) -> None:
        try:
            self._cuda: Any = importlib.import_module("cuda.bindings.runtime")
        # RuntimeError: the bindings are there, but a library of the driver cannot be loaded.
        except (ImportError, RuntimeError) as error:
            raise BackendError(f"{NAME} needs the package cuda-bindings ({error}); {INSTALL}") from error
        if stream is None:
            (stream,) = self._call("cudaStreamCreateWithFlags", self._cuda.cudaStreamNonBlocking)
        self._stream = stream
        self.stream = int(stream)

    def allocate(self, size_bytes: int) -> int:
        (address,) = self._call("cudaMalloc", size_bytes)
        self._call("cudaMemset", address, 0, size_bytes)
        return int(address)

    def staging(self, size_bytes: int) -> NDArray[np.uint8]:
        (address,) = self._call("cudaMallocHost", size_bytes)
        return np.ctypeslib.as_array((ctypes.c_uint8 * size_bytes).from_address(int(address)))

    def upload(self, address: int, host: NDArray[np.uint8]) -> None:
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call("cudaMemcpyAsync", address, host.ctypes.data, host.nbytes, kind, self._stream)

    def download(self, host: NDArray[np.uint8], address: int) -> None:
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call("cudaMemcpyAsync", host.ctypes.data, address, host.nbytes, kind, self._stream)
        self._call("cudaStreamSynchronize", self._stream)

    def _call(self, name: str, *arguments: Any) -> tuple[Any, ...]:
        code, *results = getattr(self._cuda, name)(*arguments)
        if int(code):
            hint = f"; {_NEW_DRIVER}" if code == self._cuda.cudaError_t.cudaErrorInsufficientDriver else ""
            raise BackendError(f"{NAME}: CUDA failed in {name} ({code.name}, error {int(code)}){hint}.")
        return tuple(results)


def open_model(path: ModelSource, threads: int | None = None) -> RtxBackend:
    """Open a plan, or the plan of an .onnx file: the one beside it or else in the cache. `threads` is ignored.

    Raises ModelFileError for a faulty file and a plan for another card, library or model; BackendError when there is no plan,
    or the card or its driver cannot play it.
    """
    library = plan_file.load_library(NAME)
    graphics = find_card()
    if graphics is None:
        raise BackendError(f"{NAME} needs an NVIDIA card with a working driver, and finds none; {_NEW_DRIVER}.")
    gpu = generation(graphics.capability)
    plan = find(path, library.__version__, gpu)
    engine = deserialise(library, plan, Path(path))
    # First, because the library reads its kernels in the context that this makes.
    device = CudaDevice()
    settings = engine.create_runtime_config()
    settings.cuda_graph_strategy = library.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
    kernels = KernelCache(settings, engine_folder(NAME, kernel_facts(plan, graphics)))
    contexts = [engine.create_execution_context(settings) for _ in range(2)]
    if None in contexts:
        raise BackendError(
            f"{NAME}: the graphics card has too little free memory for {path}; close other programs that use it."
        )
    again = f", compiles its kernels again (of the cache: {kernels.fault})" if kernels.fault else ""
    opened = RtxBackend(plan.card, contexts, device, f"{NAME}, {graphics.name}, {plan.key.precision}{again}")
    opened.warm_up()
    kernels.save()
    return opened


def kernel_facts(plan: Plan, graphics: GraphicsCard) -> dict[str, str]:
    """Return all facts that the kernels of a plan depend on."""
    return {"plan": plan.key.digest(), "engine_sha256": hashlib.sha256(plan.engine).hexdigest(), **graphics._asdict()}


def generation(capability: str) -> str:
    """Return the name of a generation of graphics cards: "8.9" -> "sm89"."""
    return "sm" + capability.replace(".", "")


def plan_beside(source: ModelSource) -> Path | None:
    """Return the plan beside an .onnx file that is played in its place; None where there is none. Raises ModelFileError."""
    path = Path(source)
    beside = path.with_suffix(plan_file.SUFFIX)
    is_played = path.suffix == ".onnx" and beside.is_file() and plan_file.read_header(beside).model_file == path.name
    return beside if is_played else None


def find(source: ModelSource, version: str, gpu: str) -> Plan:
    """Return the plan to play for a .plan or an .onnx file. Raises as `open_model` does."""
    path = Path(source)
    if path.suffix == plan_file.SUFFIX:
        plan = plan_file.read_plan(source)
        plan_file.check_fits(plan, path, LIBRARY, version, gpu)
        return plan
    if path.suffix != ".onnx":
        raise BackendError(f"{NAME} plays .plan and .onnx files, and {path} is neither; use another --backend.")
    refuse_int8(read_checked_card(source), path, NAME)
    try:
        if beside := plan_beside(source):
            return find(beside, version, gpu)
    except ModelFileError as error:
        # The .onnx file is not at fault, and other backends can play it.
        raise BackendError(f"{NAME}: {error}") from error
    cached = plan_file.find_plan(path, LIBRARY, version, gpu)
    if cached is None:
        raise BackendError(
            f"{NAME} has no plan of {path} for {gpu}; make one with: python -m export.to_tensorrt {path} --gpu {gpu}"
        )
    return plan_file.read_plan(cached)


def deserialise(library: Any, plan: Plan, path: Path) -> Any:
    """Return the plan's engine, checked against its card. Raises BackendError, ModelFileError for an engine at odds with it."""
    errors: list[str] = []
    engine = library.Runtime(plan_file.error_logger(library, errors)).deserialize_cuda_engine(plan.engine)
    if engine is None:
        if any(_DRIVER_TOO_OLD in error for error in errors):
            raise BackendError(f"{NAME} finds no driver that is new enough for {path} (CUDA error 35); {_NEW_DRIVER}.")
        raise BackendError(f"{NAME} cannot open {path} ({plan_file.first_reason(errors)}); build the plan again.")
    inputs: list[TensorInfo] = []
    outputs: list[TensorInfo] = []
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        dtype = library.nptype(engine.get_tensor_dtype(name)).__name__
        side = inputs if engine.get_tensor_mode(name) == library.TensorIOMode.INPUT else outputs
        side.append(TensorInfo(name=name, shape=tuple(engine.get_tensor_shape(name)), dtype=dtype))
    check_graph(plan.card, tuple(inputs), tuple(outputs), str(path))
    return engine
