"""torch: plays MODEL.pt2 made by export.to_torch, on an NVIDIA card as captured CUDA graphs, or on the processor.

All buffers have fixed addresses: one for each input and output, and ping-pong buffers for the state. On the graphics card a step
is the replay of one of two graphs, whose last operations copy the next state into the other buffer. On the processor the same
operations run one by one.

A .pt2 file is a program. Pickles in it are refused before torch reads them, but torch resolves its operators by name and loads
a compiled one as native code: open only files from people you trust.
"""

# torch is loaded by name, in functions, so that the engine does not depend on it.
# pyright: basic

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import BackendError, ModelFileError
from engine.model.backends.backend import shown_step
from engine.model.backends.device_backend import DeviceBackend
from engine.model.backends.ping_pong import PingPong
from engine.model.card import FORMAT_VERSION, NEXT_SUFFIX, READ_VERSIONS, ModelCard
from engine.model.step import Arrays, State, Step, StepInputs, resting_inputs

NAME = "torch"
SUFFIXES = (".pt2",)
DEFAULT_THREADS = 2
FORMAT = f"fluid program 1, model card {FORMAT_VERSION}"
READ_FORMATS = tuple(f"fluid program 1, model card {version}" for version in READ_VERSIONS)
DESCRIPTION_FILE = "fluid.json"
"""Name of the description among the extra files of the archive."""
_AGAIN = "export it again with: python -m export.to_torch CHECKPOINT -o {file}"
_WARM_UP_RUNS = 3
# Raised by torch for a program that it cannot read, or whose operators it does not have.
_LOADING_ERRORS = (RuntimeError, ValueError, KeyError, TypeError, AttributeError, AssertionError, NotImplementedError)
# All entries that torch.export.save writes for a program without pickles.
_KNOWN_ENTRIES = re.compile(
    r"models/model\.json|data/(weights/weight_\d+|constants/tensor_\d+)|data/(weights|constants)/model_(weights|constants)_config\.json"
    r"|data/sample_inputs/model\.pt|extra/fluid\.json|archive_format|archive_version|byteorder|\.data/(version|serialization_id)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProgramDescription:
    """The description inside a .pt2 file."""

    card: ModelCard
    kind: Literal["program", "compiled"]
    """compiled: native code for one kind of device and processor."""
    torch_version: str
    device: Literal["any", "cpu", "cuda"]
    hardware: str
    """For compiled files: the processor's instruction set or the graphics card's compute capability."""

    def to_json(self) -> str:
        """Return the description as it is stored."""
        return json.dumps({"format": FORMAT, **asdict(self)})


def obstacle() -> str | None:
    """Return why this backend cannot run here and what to install; None when it can."""
    return (
        None
        if importlib.util.find_spec("torch")
        else f'{NAME} needs torch; install it with: pip install "fluid[train]"'
    )


def read_card(path: Path | str) -> ModelCard:
    """Read the card of a .pt2 file, without torch. Raises ModelFileError as `read_description` does."""
    return read_description(path).card


def read_description(path: Path | str) -> ProgramDescription:
    """Read the description of a .pt2 file, without torch.

    Raises ModelFileError for a file that is missing, damaged, of another format, or that holds pickles.
    """
    file = Path(path)
    if not file.is_file():
        raise ModelFileError(f"There is no model file {file}; give the path of a .pt2 file made by export.to_torch.")
    try:
        with zipfile.ZipFile(file) as archive:
            # Reads every entry and compares it with its checksum.
            if archive.testzip() is not None:
                raise zipfile.BadZipFile
            text = _description_text(archive)
            pickled = _pickled(archive)
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        raise ModelFileError(
            f"{file} is damaged or no .pt2 file; copy it again, or {_AGAIN.format(file=file)}"
        ) from error
    except OSError as error:
        raise ModelFileError(f"{file} cannot be read ({error.strerror}); check its permissions.") from error
    described = _described(text, file)
    if described.kind == "program" and pickled:
        raise ModelFileError(
            f"{file} holds '{pickled}', which export.to_torch never writes and which torch might execute; {_AGAIN.format(file=file)}"
        )
    return described


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
        """Take one step. Raises BackendError."""
        try:
            with self._torch.no_grad():
                read, written = self._buffers.begin(inputs.states)
                for name, buffer in self._inputs.items():
                    self._fill(name, buffer, inputs.without_states)
                self._steps[read]()
                shown = {name: self._read(buffer) for name, buffer in self._shown.items()}
        except RuntimeError as error:
            raise BackendError(f"{self.name}: the step failed ({_first_line(error)}).") from error
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
            raise BackendError(f"{self.name}: the step failed ({name} {came}, {list(shape)} was expected).")
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
    with torch.no_grad(), torch.cuda.graph(graph):
        take()
    return cast(Callable[[], None], graph.replay)


def open_model(path: Path | str, threads: int | None = None) -> TorchBackend:
    """Open a .pt2 file, on the graphics card if torch finds one, check it against its card and take two steps to warm up.

    Raises ModelFileError for a file that is missing, damaged, made by another torch or at odds with its card; BackendError
    without torch, for a file that is no .pt2, and for one compiled for other hardware.
    """
    file = Path(path)
    if file.suffix not in SUFFIXES:
        raise BackendError(
            f"{NAME} plays .pt2 files made by export.to_torch, and {file} is not one; use another --backend."
        )
    described = read_description(file)
    torch = load_torch(NAME)
    threads = threads or min(DEFAULT_THREADS, os.cpu_count() or 1)
    torch.set_num_threads(threads)
    # A state that decays towards zero reaches denormal numbers, which are many times slower.
    torch.set_flush_denormal(True)
    # Otherwise a graphics card rounds float32 convolutions to fewer bits.
    torch.backends.cudnn.allow_tf32 = False
    device = "cuda" if torch.cuda.is_available() and described.device != "cpu" else "cpu"
    play = _load(torch, file, described, device)
    where = torch.cuda.get_device_name() if device == "cuda" else f"{threads} thread{'s' if threads > 1 else ''}"
    kind = ", compiled" if described.kind == "compiled" else ""
    try:
        _check_outputs(torch, play, described.card, device, file)
        opened = TorchBackend(torch, play, described.card, device, NAME, f"{NAME}, {where}{kind}")
        opened.warm_up()
    except _LOADING_ERRORS as error:
        raise (
            error if isinstance(error, (BackendError, ModelFileError)) else _refused(torch, file, described, error)
        ) from error
    return opened


def load_torch(name: str) -> Any:
    """Import torch. Raises BackendError when it is missing or broken."""
    try:
        return importlib.import_module("torch")
    # OSError: torch is there, but its shared libraries cannot be loaded.
    except (ImportError, OSError) as error:
        raise BackendError(
            f'{name} needs torch ({_first_line(error)}); install it with: pip install "fluid[train]"'
        ) from error


def load_program(torch: Any, file: Path, described: ProgramDescription) -> Any:
    """Return the exported program of a file, on the processor. Raises ModelFileError when this torch cannot read it."""
    try:
        return torch.export.load(str(file))
    except _LOADING_ERRORS as error:
        raise _refused(torch, file, described, error) from error


def hardware(torch: Any, device: str) -> str:
    """Return what compiled code depends on: the processor's instruction set or the graphics card's compute capability."""
    if device == "cuda":
        return ".".join(map(str, torch.cuda.get_device_capability()))
    return f"{os.uname().machine} {torch.backends.cpu.get_cpu_capability()}" if hasattr(os, "uname") else "other"


def _load(torch: Any, file: Path, described: ProgramDescription, device: str) -> Callable[..., Mapping[str, Any]]:
    if described.kind == "program":
        program = load_program(torch, file, described)
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
    try:
        return importlib.import_module("torch._inductor").aoti_load_package(str(file), run_single_threaded=True)
    except _LOADING_ERRORS as error:
        raise _refused(torch, file, described, error) from error


def _compile(file: Path) -> str:
    return f"compile it here with: python -m export.to_torch CHECKPOINT --compiled -o {file}"


def _check_outputs(
    torch: Any, play: Callable[..., Mapping[str, Any]], card: ModelCard, device: str, file: Path
) -> None:
    """Raise ModelFileError unless one step takes the card's inputs and gives the card's outputs."""
    resting = resting_inputs(card)
    with torch.no_grad():
        given = play(**{name: torch.from_numpy(value).to(device) for name, value in resting.items()})
    for info in card.output_tensors():
        came = given.get(info.name)
        if came is None or tuple(came.shape) != info.shape or came.dtype != getattr(torch, info.dtype):
            raise ModelFileError(f"{file}: output '{info.name}' does not match its card; {_AGAIN.format(file=file)}")


def _refused(torch: Any, file: Path, described: ProgramDescription, error: Exception) -> ModelFileError:
    return ModelFileError(
        f"{file} was made by torch {described.torch_version}, and torch {torch.__version__} cannot play it "
        f"({_first_line(error)}); {_AGAIN.format(file=file)}"
    )


def _description_text(archive: zipfile.ZipFile) -> str:
    for entry in archive.namelist():
        if entry.endswith(f"/extra/{DESCRIPTION_FILE}"):
            return archive.read(entry).decode()
    return ""


def _pickled(archive: zipfile.ZipFile) -> str | None:
    """Return the name of an entry that torch would unpickle, or that it never writes."""
    for entry in archive.infolist():
        name = entry.filename.partition("/")[2]
        if not _KNOWN_ENTRIES.fullmatch(name):
            return name or entry.filename
        if name.startswith("data/sample_inputs/") and entry.file_size:
            return name
        if name.endswith("_config.json") and re.search(rb'"use_pickle":\s*true', archive.read(entry)):
            return name
    return None


def _described(text: str, file: Path) -> ProgramDescription:
    try:
        values = json.loads(text or "null")
    except json.JSONDecodeError:
        values = None
    if not isinstance(values, dict) or values.pop("format", None) not in READ_FORMATS:
        raise ModelFileError(
            f"{file} was not written by this version of Fluid: it has no description '{FORMAT}'; {_AGAIN.format(file=file)}"
        )
    allowed = {"kind": ("program", "compiled"), "device": ("any", "cpu", "cuda")}
    complete = {*values} == {"card", "kind", "torch_version", "device", "hardware"}
    if not complete or any(values[name] not in known for name, known in allowed.items()):
        raise ModelFileError(f"{file} has a faulty description; {_AGAIN.format(file=file)}")
    card = ModelCard.from_json(json.dumps(values.pop("card")), str(file))
    return ProgramDescription(card=card, **values)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")[:200] if str(error).strip() else type(error).__name__
