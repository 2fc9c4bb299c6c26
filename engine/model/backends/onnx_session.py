"""What the backends on ONNX Runtime share: import, errors, options and the check of a graph against its card."""

# onnxruntime ships no types.
# pyright: basic

from __future__ import annotations

import ctypes
import importlib
import importlib.util
from pathlib import Path
from typing import Any

from engine.core.errors import BackendError, ModelFileError
from engine.core.printable import LONGEST_REASON, printable
from engine.model.card import ModelCard, TensorInfo, check_graph

_DTYPES: dict[str, str] = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}
_ERROR_NAMES = (
    "EPFail",
    "Fail",
    "InvalidArgument",
    "InvalidGraph",
    "InvalidProtobuf",
    "NoModel",
    "NoSuchFile",
    "NotImplemented",
    "RuntimeException",
)


def has_runtime() -> bool:
    """Return whether ONNX Runtime is installed, without loading it."""
    return importlib.util.find_spec("onnxruntime") is not None


def has_provider(library: str) -> bool:
    """Return whether the installed ONNX Runtime has the provider "cuda" or "tensorrt", without loading it.

    Its own list names all providers that it was built with, even those that cannot be loaded.
    """
    return bool(_provider_files(library))


def missing_library(library: str) -> str | None:
    """Return the system's message about the library that the provider "cuda" or "tensorrt" lacks; None if it loads.

    ONNX Runtime writes that message to its log and raises another.
    """
    for file in _provider_files(library):
        try:
            ctypes.CDLL(str(file))
        except OSError as error:
            # Its symbols are those of ONNX Runtime, which is not loaded here; all other errors are about libraries.
            return None if "undefined symbol" in str(error) else first_line(error)
    return None


def load_runtime(backend: str, extra: str) -> Any:
    """Import ONNX Runtime. Raises BackendError, naming the extra to install, when it is missing or broken."""
    try:
        runtime = importlib.import_module("onnxruntime")
        # Uninstalling onnxruntime or onnxruntime-gpu also removes files of the other and leaves an empty folder.
        runtime.InferenceSession  # noqa: B018
    except (ImportError, AttributeError) as error:
        raise BackendError(
            f'{backend} needs ONNX Runtime, which does not load ({error}); install it with: pip install --force-reinstall -e ".[{extra}]"'
        ) from error
    return runtime


def loaded_runtime() -> Any:
    """Return onnxruntime, which `load_runtime` has checked."""
    return importlib.import_module("onnxruntime")


def runtime_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions of ONNX Runtime; they have no common base class."""
    state: Any = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    return (*(getattr(state, name) for name in _ERROR_NAMES), RuntimeError, ValueError)


def session_options(runtime: Any, threads: int) -> Any:
    """Return session options for one step at a time with so many threads."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that spin between frames would occupy entire cores for nothing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A state that decays towards zero reaches denormal numbers, which are many times slower.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return options


def check_session(session: Any, card: ModelCard, file: Path) -> None:
    """Raise ModelFileError unless the session's graph has exactly the inputs and outputs of the card."""
    check_graph(card, _infos(session.get_inputs()), _infos(session.get_outputs()), str(file))


def check_provider(session: Any, provider: str, backend: str) -> None:
    """Raise BackendError unless the session runs on `provider`: ONNX Runtime falls back to the processor silently."""
    running: list[str] = list(session.get_providers())
    if not running or running[0] != provider:
        raise BackendError(
            f"{backend} was asked for, but ONNX Runtime fell back to {running[0] if running else 'nothing'}; check the driver "
            'and the CUDA libraries, or reinstall with: pip uninstall -y onnxruntime onnxruntime-gpu && pip install -e ".[live-gpu]"'
        )


def damaged(file: Path, error: Exception) -> ModelFileError:
    """Return the error for a file that ONNX Runtime cannot open."""
    return ModelFileError(
        f"{file} is damaged or not an ONNX file ({first_line(error)}); copy it again or export the model again."
    )


def first_line(error: Exception) -> str:
    """Return the message of an exception in one line."""
    return (
        printable(str(error).strip().splitlines()[0], LONGEST_REASON).rstrip(".")
        if str(error).strip()
        else type(error).__name__
    )


def _provider_files(library: str) -> list[Path]:
    spec = importlib.util.find_spec("onnxruntime")
    if spec is None or spec.origin is None:
        return []
    return list((Path(spec.origin).parent / "capi").glob(f"*onnxruntime_providers_{library}.*"))


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
