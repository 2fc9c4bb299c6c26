"""Backend selection: the backend that `--backend` names, or the first candidate that runs here."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType, ModuleType

from engine.core.errors import BackendError, ModelFileError, nearest_name
from engine.model import file as onnx_file
from engine.model.backend import Backend
from engine.model.backends import plan_file, program_file, tensorrt_rtx, torch_program
from engine.model.backends.fallback import FallbackBackend
from engine.model.backends.first_test import FirstTestWatch, run_first_test
from engine.model.backends.layered import open_composing
from engine.model.backends.step_limit import LimitedBackend
from engine.model.card import ModelCard
from engine.model.content import FileContent, ModelSource, read_content

AUTO = "auto"
_UNWATCHED = FirstTestWatch()
MODULES: Mapping[str, str] = MappingProxyType({
    "tensorrt-rtx": "tensorrt_rtx",
    "onnx-tensorrt": "onnx_tensorrt",
    "onnx-cuda": "onnx_cuda",
    "torch-tensorrt": "torch_tensorrt",
    "torch": "torch_program",
    "onnx-cpu": "onnx_cpu",
    "openvino": "openvino",
})  # fmt: skip
"""The module of each backend, in the order in which "auto" tries them: fastest first."""
OPENVINO_FIRST = ("bfloat16",)
"""Precisions in which OpenVINO is faster than ONNX Runtime on the processor; benchmarks/step.py measures it."""
ONNX = ".onnx"


def backend_names() -> tuple[str, ...]:
    """List the values of `--backend`."""
    return (AUTO, *MODULES)


def obstacle(name: str) -> str | None:
    """Return in one sentence why the backend `name` cannot run here and what to install; None when it can."""
    return _module(name).obstacle()


def suffixes(name: str) -> tuple[str, ...]:
    """Return the endings of the files that the backend `name` plays."""
    return _module(name).SUFFIXES


def backend_table() -> list[str]:
    """Return one line for each backend: whether it can run here, or why not and what to install."""
    width = max(map(len, MODULES))
    reasons = {name: obstacle(name) for name in MODULES}
    return [
        f"{name:<{width}}  {f'no   {reason.removeprefix(name).strip()}' if reason else 'yes'}"
        for name, reason in reasons.items()
    ]


def read_card(path: ModelSource) -> ModelCard:
    """Read the card of a file of any kind that a backend plays, without a runtime. Raises ModelFileError."""
    readers = {plan_file.SUFFIX: plan_file.read_card, torch_program.SUFFIXES[0]: program_file.read_card}
    return readers.get(Path(path).suffix, onnx_file.read_card)(path)


def open_backend(
    path: Path | str,
    name: str = AUTO,
    threads: int | None = None,
    notify: Callable[[str], None] = lambda line: None,
    tell: Callable[[str], None] = lambda line: None,
    watch: FirstTestWatch = _UNWATCHED,
) -> Backend:
    """Open a model file with the backend `name`; "auto" tries the fastest first and tells `notify` which it took and why.

    A model that is not known here is tested first, in a process of its own, and `tell` gets a line about it. Raises ModelFileError
    for a faulty file and a model that fails its test, BackendError for an unknown name or a backend that cannot run here, StoppedError
    where `watch` stops the test.
    """
    file = Path(path)
    if name == AUTO:
        return next(_candidates(file, threads, notify, tell, watch))
    if name not in MODULES:
        raise BackendError(
            f"There is no backend '{name}'.{nearest_name(name, backend_names())} Choose one of: {', '.join(backend_names())}."
        )
    reason = obstacle(name)
    if reason:
        raise BackendError(f"{reason}.")
    if _kind(file) not in suffixes(name):
        raise BackendError(
            f"{name} plays {' and '.join(suffixes(name))} files, and {file} is not one; give another file or --backend."
        )
    return _open_tested(read_content(file), name, threads, tell, watch)


def backend_order(card: ModelCard) -> tuple[str, ...]:
    """Return the backends in the order in which "auto" tries them for a file with this card."""
    if card.precision not in OPENVINO_FIRST:
        return tuple(MODULES)
    others = [name for name in MODULES if name != "openvino"]
    others.insert(others.index("onnx-cpu"), "openvino")
    return tuple(others)


def open_with_fallback(
    path: Path | str,
    name: str,
    threads: int | None,
    notify: Callable[[str], None],
    tell: Callable[[str], None],
    watch: FirstTestWatch = _UNWATCHED,
) -> Backend:
    """Open a model file for a live show: like `open_backend`, but "auto" goes on to the next candidate when a backend is lost.

    Steps have a limit (step_limit.py). `notify` is told of the choice, `tell` of a first test and of a change during the show. Raises as
    `open_backend` does.
    """
    if name != AUTO:
        return LimitedBackend(open_backend(path, name, threads, notify, tell, watch), tell)
    # `map` keeps no backend, so a lost one makes room for the next.
    candidates = map(partial(LimitedBackend, tell=tell), _candidates(Path(path), threads, notify, tell, watch))
    return FallbackBackend(next(candidates), candidates, tell)


def _open_tested(
    content: FileContent, name: str, threads: int | None, tell: Callable[[str], None], watch: FirstTestWatch
) -> Backend:
    """Open a model file that is known to play on a backend, or passes its first test there."""
    run_first_test(content, name, MODULES[name], threads, tell, watch)
    _test_beside(content, name, threads, tell, watch)
    return _open(content, name, threads)


def _test_beside(
    content: FileContent, name: str, threads: int | None, tell: Callable[[str], None], watch: FirstTestWatch
) -> None:
    """Test the plan that a backend plays in place of a model file: that file may be known, and the plan a stranger's.

    Raises BackendError for a plan at fault, since other backends play the file itself.
    """
    if name != tensorrt_rtx.NAME:
        return
    try:
        if beside := tensorrt_rtx.plan_beside(content):
            run_first_test(read_content(beside), name, MODULES[name], threads, tell, watch)
    except ModelFileError as error:
        raise BackendError(f"{name}: {error}") from error


def _open(content: FileContent, name: str, threads: int | None) -> Backend:
    return open_composing(_module(name), content, threads)


def _candidates(
    file: Path,
    threads: int | None,
    notify: Callable[[str], None],
    tell: Callable[[str], None],
    watch: FirstTestWatch,
) -> Iterator[Backend]:
    """Open the candidates of "auto" one by one, each when the iterator reaches it. Raises as `open_backend` does when none opens."""
    missing: list[str] = []
    refusals: list[str] = []
    opened = False
    content: FileContent | None = read_content(file)
    sha256, order = content.sha256, backend_order(read_card(content))
    for name in order:
        module = _module(name)
        if _kind(file) not in suffixes(name):
            continue
        if module.obstacle():
            missing.append(name)
            continue
        try:
            content = content or read_content(file)
            if content.sha256 != sha256:
                raise ModelFileError(f"{file} is another file than the one that was opened")
            # In the middle of a show, which cannot wait for a test: the file has passed one.
            open_it = partial(_open_tested, tell=tell, watch=watch) if not opened else _open
            backend = open_it(content, name, threads)
        except (BackendError, ModelFileError) as error:
            # A file that another backend has opened is not at fault.
            if isinstance(error, ModelFileError) and not opened:
                raise
            refusals.append(str(error).rstrip("."))
            continue
        except MemoryError:
            refusals.append(f"{name} found too little memory")
            continue
        if not opened:
            notify("; ".join([f"backend: {backend.description}", *_why(missing, refusals)]))
        opened = True
        # Not kept for a backend that may never be lost.
        content = None
        yield backend
        del backend
    if not opened:
        raise BackendError(f"No backend plays {file} here: {'; '.join(_why(missing, refusals))}.")


def _why(missing: list[str], refusals: list[str]) -> list[str]:
    """Return in a few words why the earlier candidates were not taken."""
    absent = [f"this machine lacks what {', '.join(missing)} need (run_live.py --backends)"] if missing else []
    return [*absent, *refusals]


def _kind(file: Path) -> str:
    """Return the suffix that decides the backend; a file with an unknown suffix is taken for an .onnx file."""
    kinds = {suffix for name in MODULES for suffix in suffixes(name)}
    return file.suffix if file.suffix in kinds else ONNX


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"engine.model.backends.{MODULES[name]}")
