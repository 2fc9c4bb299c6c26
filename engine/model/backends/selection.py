"""Which backend plays the file: the first that runs here, or the one that was demanded."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType

from engine.core.errors import BackendError, ModelFileError, nearest_name
from engine.model import file as onnx_file
from engine.model.backends import plan_file, program_file, torch_program
from engine.model.backends.backend import Backend
from engine.model.backends.fallback import FallbackBackend
from engine.model.card import ModelCard

AUTO = "auto"
MODULES: Mapping[str, str] = MappingProxyType({
    "tensorrt-rtx": "tensorrt_rtx",
    "onnx-tensorrt": "onnx_tensorrt",
    "onnx-cuda": "onnx_cuda",
    "torch-tensorrt": "torch_tensorrt",
    "torch": "torch_program",
    "onnx-cpu": "onnx_cpu",
    "openvino": "openvino",
})  # fmt: skip
"""The module of each backend, fastest first."""
OPENVINO_FIRST = ("bfloat16",)
"""Precisions in which OpenVINO is clearly the faster of the two on the processor; benchmarks/step.py has the figures."""
ONNX = ".onnx"


def backend_names() -> tuple[str, ...]:
    """List what `--backend` accepts."""
    return (AUTO, *MODULES)


def obstacle(name: str) -> str | None:
    """Say in one sentence why the backend `name` cannot run here and what to install; None when it can."""
    return _module(name).obstacle()


def suffixes(name: str) -> tuple[str, ...]:
    """Return the endings of the files that the backend `name` plays."""
    return _module(name).SUFFIXES


def backend_table() -> list[str]:
    """Return one line a backend: whether it can run here, or else why not and what to install."""
    width = max(map(len, MODULES))
    reasons = {name: obstacle(name) for name in MODULES}
    return [
        f"{name:<{width}}  {f'no   {reason.removeprefix(name).strip()}' if reason else 'yes'}"
        for name, reason in reasons.items()
    ]


def read_card(path: Path | str) -> ModelCard:
    """Read the card of a file of any kind that a backend plays, without a runtime. Raises ModelFileError."""
    readers = {plan_file.SUFFIX: plan_file.read_card, torch_program.SUFFIXES[0]: program_file.read_card}
    return readers.get(Path(path).suffix, onnx_file.read_card)(path)


def open_backend(
    path: Path | str,
    name: str = AUTO,
    threads: int | None = None,
    notify: Callable[[str], None] = lambda line: None,
) -> Backend:
    """Open a model file with the backend `name`; "auto" tries the fastest first and tells `notify` where it stopped and why.

    Raises ModelFileError for a faulty file, BackendError for an unknown name or a backend that cannot run here.
    """
    file = Path(path)
    if name == AUTO:
        return next(_climb(file, threads, notify))
    if name not in MODULES:
        raise BackendError(
            f"There is no backend '{name}'.{nearest_name(name, backend_names())} Choose one of: {', '.join(backend_names())}."
        )
    reason = obstacle(name)
    if reason:
        raise BackendError(f"{reason}.")
    if _kind(file) not in suffixes(name):
        raise BackendError(
            f"{name} plays {' and '.join(suffixes(name))} files, and {file} is none; give another file or --backend."
        )
    return _module(name).open_model(file, threads)


def backend_order(card: ModelCard) -> tuple[str, ...]:
    """Return the backends in the order in which "auto" tries them for a file with this card."""
    if card.precision not in OPENVINO_FIRST:
        return tuple(MODULES)
    others = [name for name in MODULES if name != "openvino"]
    others.insert(others.index("onnx-cpu"), "openvino")
    return tuple(others)


def open_with_fallback(
    path: Path | str, name: str, threads: int | None, notify: Callable[[str], None], tell: Callable[[str], None]
) -> Backend:
    """Open a model file for a live show: like `open_backend`, but "auto" goes on climbing when a backend is lost on the way.

    `notify` is told of the choice, `tell` of a change during the show. Raises as `open_backend` does.
    """
    if name != AUTO:
        return open_backend(path, name, threads, notify)
    climb = _climb(Path(path), threads, notify)
    return FallbackBackend(next(climb), climb, tell)


def _climb(file: Path, threads: int | None, notify: Callable[[str], None]) -> Iterator[Backend]:
    """Open one backend after the other, each when it is asked for. Raises as `open_backend` does when there is not even one."""
    missing: list[str] = []
    refusals: list[str] = []
    opened = False
    for rung in backend_order(read_card(file)):
        module = _module(rung)
        if _kind(file) not in suffixes(rung):
            continue
        if module.obstacle():
            missing.append(rung)
            continue
        try:
            backend = module.open_model(file, threads)
        except (BackendError, ModelFileError) as error:
            # A file that has played is not at fault.
            if isinstance(error, ModelFileError) and not opened:
                raise
            refusals.append(str(error).rstrip("."))
            continue
        except MemoryError:
            refusals.append(f"{rung} found too little memory")
            continue
        if not opened:
            notify("; ".join([f"backend: {backend.description}", *_why(missing, refusals)]))
        opened = True
        yield backend
        del backend
    if not opened:
        raise BackendError(f"No backend plays {file} here: {'; '.join(_why(missing, refusals))}.")


def _why(missing: list[str], refusals: list[str]) -> list[str]:
    """Return in a few words what kept the climb from stopping earlier."""
    absent = [f"this machine lacks what {', '.join(missing)} need (run_live.py --backends)"] if missing else []
    return [*absent, *refusals]


def _kind(file: Path) -> str:
    """Return the kind of a file; one with no known ending is taken for an .onnx file."""
    kinds = {suffix for name in MODULES for suffix in suffixes(name)}
    return file.suffix if file.suffix in kinds else ONNX


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"engine.model.backends.{MODULES[name]}")
