"""Which backend plays the file: the first that runs here, or the one that was demanded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engine.backends.backend import Backend
from engine.errors import BackendError, nearest_name

AUTO = "auto"


def _open_onnx_cpu(path: Path, threads: int | None) -> Backend:
    try:
        from engine.backends import onnx_cpu
    except ImportError as error:
        raise BackendError(
            f'onnx-cpu needs onnxruntime ({error}); install it with: pip install "fluid[live]"'
        ) from error
    return onnx_cpu.open_model(path, threads)


# Fastest first. A rung raises BackendError when it cannot run here; a faulty model file stops the climb at once.
_RUNGS: dict[str, Callable[[Path, int | None], Backend]] = {"onnx-cpu": _open_onnx_cpu}


def backend_names() -> tuple[str, ...]:
    """List what `--backend` accepts."""
    return (AUTO, *_RUNGS)


def open_backend(
    path: Path | str,
    name: str = AUTO,
    threads: int | None = None,
    notify: Callable[[str], None] = lambda line: None,
) -> Backend:
    """Open a model file with the backend `name`; "auto" tries the fastest first and tells `notify` where it stopped and why.

    Raises ModelFileError for a faulty file, BackendError for an unknown name or a backend that cannot run here.
    """
    if name != AUTO:
        if name not in _RUNGS:
            raise BackendError(
                f"There is no backend '{name}'.{nearest_name(name, backend_names())} Choose one of: {', '.join(backend_names())}."
            )
        return _RUNGS[name](Path(path), threads)
    refusals: list[str] = []
    for opener in _RUNGS.values():
        try:
            backend = opener(Path(path), threads)
        except BackendError as error:
            refusals.append(str(error))
            continue
        notify(f"backend: {backend.description}" + "".join(f"; not {refusal}" for refusal in refusals))
        return backend
    raise BackendError(f"No backend runs here: {' '.join(refusals)}")
