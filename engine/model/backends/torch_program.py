"""torch: plays MODEL.pt2 made by export.to_torch, on an NVIDIA card as captured CUDA graphs, or on the processor.

All buffers have fixed addresses: one for each input and output, and ping-pong buffers for the state. On the graphics card a step
is the replay of one of two graphs, whose last operations copy the next state into the other buffer. On the processor the same
operations run one by one.

A .pt2 file is a program of named operators. `torch_archive` lets nothing through that torch would execute otherwise. A compiled
one is machine code, and is opened only where `compiled_files` knows that this user made it.
"""

# torch is loaded by name, in functions, so that the engine does not depend on it.
# pyright: basic

from __future__ import annotations

import importlib
import importlib.util
import os
import tempfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import BackendError, ModelFileError, StepError
from engine.core.printable import LONGEST_REASON, printable
from engine.model.backend import shown_step
from engine.model.backends.compiled_files import is_compiled_here
from engine.model.backends.device_backend import DeviceBackend
from engine.model.backends.ping_pong import PingPong
from engine.model.backends.program_file import AGAIN, ProgramDescription, read_description, read_program
from engine.model.card import NEXT_SUFFIX, ModelCard
from engine.model.content import ModelSource, read_content
from engine.model.step import Arrays, State, Step, StepInputs, resting_inputs

NAME = "torch"
SUFFIXES = (".pt2",)
DEFAULT_THREADS = 2
_WARM_UP_RUNS = 3
# What torch raises for a program that it cannot read, or whose operators it does not have; SyntaxError and NameError where it
# writes the program as Python. `_loading_errors` adds its verifier's own.
_LOADING_ERRORS = (
    *(RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError, ArithmeticError),
    *(MemoryError, SyntaxError, NameError),
)


def obstacle() -> str | None:
    """Return why this backend cannot run here and what to install; None when it can."""
    return (
        None if importlib.util.find_spec("torch") else f'{NAME} needs torch; install it with: pip install -e ".[train]"'
    )


class TorchBackend(DeviceBackend):
    """A program with its buffers on `device`. `play` takes every input by name and gives every output by name."""

    def __init__(
        self,
        torch: Any,
        play: Callable[..., Mapping[str, Any]],
        card: ModelCard,
        device: str,
        name: str,
        description: str,
    ) -> None:
        super().__init__(name, description, card)
        self._torch, self._play, self._device = torch, play, device
        self._states = tuple(spec.name for spec in card.states)
        infos = {info.name: info for info in (*card.input_tensors(), *card.output_tensors())}
        buffers = {name: self._buffer(info.shape, info.dtype) for name, info in infos.items()}
        self._dtypes = {name: np.dtype(info.dtype) for name, info in infos.items()}
        self._inputs = {i.name: buffers[i.name] for i in card.input_tensors() if i.name not in self._states}
        self._shown = {name: buffers[name] for name in card.shown_names}
        self._sets = (
            {name: buffers[name] for name in self._states},
            {name: buffers[name + NEXT_SUFFIX] for name in self._states},
        )
        self._steps = tuple(self._prepared(read) for read in (0, 1))
        self._buffers = PingPong(self._states, self._fetch, self._load)

    def step(self, inputs: StepInputs) -> Step:
        """Take one step. Raises StepError."""
        try:
            with self._torch.no_grad():
                read, written = self._buffers.begin(inputs.states)
                for name, buffer in self._inputs.items():
                    self._fill(name, buffer, inputs.without_states)
                self._steps[read]()
                shown = {name: self._read(buffer) for name, buffer in self._shown.items()}
        except (RuntimeError, IndexError) as error:
            raise StepError(f"{self.name}: the step failed ({_first_line(error)}).") from error
        return shown_step(self.card, shown, self._buffers.finish(written))

    def _prepared(self, read: int) -> Callable[[], None]:
        def take() -> None:
            given = self._play(**self._inputs, **self._sets[read])
            for name, buffer in self._shown.items():
                buffer.copy_(given[name])
            # Last, so that a captured graph leaves the state where the other graph reads it.
            for name, buffer in self._sets[1 - read].items():
                buffer.copy_(given[name + NEXT_SUFFIX])

        return captured(self._torch, take) if self._device == "cuda" else take

    def _buffer(self, shape: tuple[int, ...], dtype: str) -> Any:
        return self._torch.zeros(shape, dtype=getattr(self._torch, dtype), device=self._device)

    def _fill(self, name: str, buffer: Any, values: Arrays) -> None:
        shape = tuple(buffer.shape)
        if name not in values or np.shape(values[name]) != shape:
            came = f"has shape {list(np.shape(values[name]))}" if name in values else "is missing"
            raise StepError(f"{self.name}: the step failed ({name} {came}, {list(shape)} was expected).")
        # torch warns of arrays that it could not write to; it is only read.
        buffer.copy_(self._torch.from_numpy(np.require(values[name], self._dtypes[name], "W")))

    def _read(self, buffer: Any) -> NDArray[Any]:
        # On the processor numpy() shows the buffer itself, which the next step overwrites.
        return cast(Any, buffer.cpu().numpy() if self._device == "cuda" else buffer.numpy().copy())

    def _fetch(self, index: int) -> dict[str, NDArray[np.float32]]:
        return {name: self._read(buffer) for name, buffer in self._sets[index].items()}

    def _load(self, index: int, state: State) -> None:
        for name, buffer in self._sets[index].items():
            self._fill(name, buffer, state)


def captured(torch: Any, take: Callable[[], None]) -> Callable[[], None]:
    """Capture `take` as a CUDA graph and return its replay."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.no_grad(), torch.cuda.stream(aside):
        # In the first runs libraries choose their kernels and allocate memory, which must not be captured.
        for _ in range(_WARM_UP_RUNS):
            take()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    # By default work of any other thread on the card, such as that of the model that plays meanwhile, would end the capture.
    with torch.no_grad(), torch.cuda.graph(graph, capture_error_mode="thread_local"):
        take()
    return cast(Callable[[], None], graph.replay)


def open_model(path: ModelSource, threads: int | None = None) -> TorchBackend:
    """Open a .pt2 file, on the graphics card if torch finds one, check it against its card and take two steps to warm up.

    Raises ModelFileError for a file that is missing, damaged, made by another torch or at odds with its card; BackendError
    without torch, for a file that is no .pt2, and for one compiled for other hardware. A compiled one is opened only where this
    user compiled it.
    """
    if Path(path).suffix not in SUFFIXES:
        raise BackendError(
            f"{NAME} plays .pt2 files made by export.to_torch, and {path} is not one; use another --backend."
        )
    file = read_content(path)
    described = read_description(file)
    torch = load_torch(NAME)
    threads = threads or min(DEFAULT_THREADS, os.cpu_count() or 1)
    torch.set_num_threads(threads)
    # A state that decays towards zero reaches denormal numbers, which are many times slower.
    torch.set_flush_denormal(True)
    # Otherwise a graphics card rounds float32 convolutions to fewer bits.
    torch.backends.cudnn.allow_tf32 = False
    device = "cuda" if torch.cuda.is_available() and described.device != "cpu" else "cpu"
    where = torch.cuda.get_device_name() if device == "cuda" else f"{threads} thread{'s' if threads > 1 else ''}"
    kind = ", compiled" if described.kind == "compiled" else ""
    try:
        play = _load(torch, file, described, device)
        _check_outputs(torch, play, described.card, device, file)
        opened = TorchBackend(torch, play, described.card, device, NAME, f"{NAME}, {where}{kind}")
        opened.warm_up()
    except (BackendError, ModelFileError):
        raise
    except _loading_errors() as error:
        raise _refused(torch, file, described, error) from error
    return opened


def load_torch(name: str) -> Any:
    """Import torch. Raises BackendError when it is missing or broken."""
    try:
        return importlib.import_module("torch")
    # OSError: torch is there, but its shared libraries cannot be loaded.
    except (ImportError, OSError) as error:
        raise BackendError(
            f'{name} needs torch ({_first_line(error)}); install it with: pip install -e ".[train]"'
        ) from error


def load_program(torch: Any, file: ModelSource) -> Any:
    """Return the exported program of a file, on the processor. Raises ModelFileError when this torch cannot read it."""
    described, content = read_program(file)
    if described.kind != "program":
        raise ModelFileError(f"{file} is compiled, and a program was expected; export it without --compiled.")
    package = importlib.import_module("torch.export.pt2_archive._package")
    try:
        # torch.export.load would print its traceback, and try older formats that are pickles.
        return package.load_pt2(BytesIO(content)).exported_programs["model"]
    except _loading_errors() as error:
        raise _refused(torch, file, described, error) from error


def _loading_errors() -> tuple[type[Exception], ...]:
    return (*_LOADING_ERRORS, importlib.import_module("torch._export.verifier").SpecViolationError)


def hardware(torch: Any, device: str) -> str:
    """Return what compiled code depends on: the processor's instruction set or the graphics card's compute capability."""
    if device == "cuda":
        return ".".join(map(str, torch.cuda.get_device_capability()))
    return f"{os.uname().machine} {torch.backends.cpu.get_cpu_capability()}" if hasattr(os, "uname") else "other"


def _load(
    torch: Any, file: ModelSource, described: ProgramDescription, device: str
) -> Callable[..., Mapping[str, Any]]:
    if described.kind == "program":
        program = load_program(torch, file)
        if device == "cuda":
            program = importlib.import_module("torch.export.passes").move_to_device_pass(program, "cuda")
        # Shapes are checked in this module; torch would compile its own checks from text in the file.
        return program.module(check_guards=False)
    if described.device != device:
        raise BackendError(
            f"{file} was compiled for {described.device}, which torch does not find here; {_compile(file)}"
        )
    if described.torch_version != torch.__version__:
        raise ModelFileError(
            f"{file} was compiled by torch {described.torch_version}, but {torch.__version__} is installed; {_compile(file)}"
        )
    if described.hardware != hardware(torch, device):
        raise BackendError(
            f"{file} was compiled for {described.hardware}, but this machine has {hardware(torch, device)}; {_compile(file)}"
        )
    content = read_program(file)[1]
    if not is_compiled_here(content):
        raise ModelFileError(
            f"{file} is machine code that you did not compile on this machine, and opening it would run it; {_compile(file)}"
        )
    try:
        # From a copy nobody else can change, whose content was just compared.
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "compiled.pt2"
            copy.write_bytes(content)
            return importlib.import_module("torch._inductor").aoti_load_package(str(copy), run_single_threaded=True)
    except OSError as error:
        raise ModelFileError(f"{file} cannot be opened: no copy of it can be written ({error.strerror}).") from error
    except _LOADING_ERRORS as error:
        raise _refused(torch, file, described, error) from error


def _compile(file: ModelSource) -> str:
    return f"compile it here with: python -m export.to_torch CHECKPOINT --compiled -o {file}"


def _check_outputs(
    torch: Any, play: Callable[..., Mapping[str, Any]], card: ModelCard, device: str, file: ModelSource
) -> None:
    """Raise ModelFileError unless one step takes the card's inputs and gives the card's outputs."""
    resting = resting_inputs(card)
    with torch.no_grad():
        given = play(**{name: torch.from_numpy(value).to(device) for name, value in resting.items()})
    for info in card.output_tensors():
        came = given.get(info.name)
        if came is None or tuple(came.shape) != info.shape or came.dtype != getattr(torch, info.dtype):
            raise ModelFileError(f"{file}: output '{info.name}' does not match its card; {AGAIN.format(file=file)}")


def _refused(torch: Any, file: ModelSource, described: ProgramDescription, error: Exception) -> ModelFileError:
    return ModelFileError(
        f"{file} was made by torch {described.torch_version}, and torch {torch.__version__} cannot play it "
        f"({_first_line(error)}); {AGAIN.format(file=file)}"
    )


def _first_line(error: Exception) -> str:
    return (
        printable(str(error).strip().splitlines()[0], LONGEST_REASON).rstrip(".")
        if str(error).strip()
        else type(error).__name__
    )
