"""The first test of a model file: a child process opens it and takes steps, on silence and on full-scale noise.

A runtime may crash on a graph, or compute for ever; in a child it takes nothing with it. A model that is shipped, was made here or has
passed before is known (known_models.py) and starts at once. A failure is not remembered: a busy machine may have been its reason.

What fails decides who is at fault. Where the backend cannot open the file, "auto" goes on to the next one. A crash, a step that fails
and a limit that is exceeded condemn the model: another backend could crash too.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engine.core.clock import WallClock
from engine.core.errors import BackendError, ModelFileError, StoppedError
from engine.core.stop_signals import IsStopped, never_stopped
from engine.model import known_models
from engine.model.backends.fallback import is_lost
from engine.model.content import FileContent

OPENS_WITHIN_S, COMPILES_WITHIN_S = 60.0, 900.0
"""A backend for graphics cards may compile a model when it first opens it."""
PLAYS_WITHIN_S = 60.0
PROCESS = "engine.model.backends.first_test_process"
MARK = "first-test "
"""Begins the line with the child's verdict; libraries print too."""
_MOST_SAID_BYTES = 1 << 16
_ROOT = Path(__file__).parents[3]
_COMPILING = ("tensorrt-rtx", "onnx-tensorrt", "onnx-cuda", "torch-tensorrt", "torch")
_PACKAGES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "tensorrt-rtx": ("tensorrt_rtx_cu13",),
    "onnx-tensorrt": ("onnxruntime-gpu",),
    "onnx-cuda": ("onnxruntime-gpu",),
    "torch-tensorrt": ("torch", "torch-tensorrt"),
    "torch": ("torch",),
    "onnx-cpu": ("onnxruntime", "onnxruntime-gpu"),
    "openvino": ("openvino",),
})  # fmt: skip
"""The packages whose versions a verdict depends on, by the name of the backend."""
_SAY_WHERE = "if the model is yours, export it again here"
_LOOKS_EVERY_S = 0.1


def _ignore_wait(seconds: float) -> None:
    """For whom nobody waits."""


@dataclass(frozen=True, slots=True)
class FirstTestWatch:
    """How whoever opens a model follows its first test."""

    is_stopped: IsStopped = never_stopped
    """Ends the test: it is asked ten times a second."""
    may_take: Callable[[float], None] = _ignore_wait
    """Gets the seconds that the test may take when it begins, and 0 when it is over."""


def run_first_test(
    content: FileContent,
    backend: str,
    module: str,
    threads: int | None,
    tell: Callable[[str], None],
    watch: FirstTestWatch,
) -> None:
    """Test a model file on a backend, unless it is known there. `tell` gets a line before the test begins.

    Raises ModelFileError for a model that is at fault, BackendError for a backend that cannot open it, StoppedError for a test that
    `watch` stopped.
    """
    if known_models.is_ours(content.sha256):
        return
    where = _where(backend)
    if known_models.is_known(content.sha256, where):
        return
    tell(f"First time with this model: testing {content.path.name!a} on {backend} ...")
    _test(content, backend, module, threads, watch)
    try:
        known_models.note_passed(content.sha256, where)
    except OSError as error:
        tell(f"The result of the test cannot be kept ({error.strerror}), so it is repeated at the next start.")


def _test(content: FileContent, backend: str, module: str, threads: int | None, watch: FirstTestWatch) -> None:
    limit_s = (COMPILES_WITHIN_S if backend in _COMPILING else OPENS_WITHIN_S) + PLAYS_WITHIN_S
    watch.may_take(limit_s)
    asked = {
        "path": str(content.path.absolute()),
        "sha256": content.sha256,
        "module": module,
        "threads": threads,
        "limit_s": limit_s,
        "limits_memory": backend not in _COMPILING,
    }
    try:
        # A file and no pipe: a process that a library left behind could keep a pipe open.
        with tempfile.TemporaryFile() as said:
            child = subprocess.Popen(
                # -P, and no empty entry below: the current folder may hold a stranger's files, and so may the model's.
                [sys.executable, "-P", "-m", PROCESS, json.dumps(asked)],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")])),
                },
                # The child ends when this pipe does: with the show, however that ends.
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                if not _wait(child, limit_s, watch.is_stopped):
                    raise _too_long(content, backend, limit_s)
            finally:
                _end_all(child)
                watch.may_take(0.0)
            said.seek(0)
            verdict = _verdict(said.read(_MOST_SAID_BYTES))
    except OSError as error:
        raise BackendError(f"{content.path} cannot be tested: no process can be started ({error.strerror}).") from error
    _judge(content, backend, child.returncode, verdict, limit_s)


def _wait(child: subprocess.Popen[bytes], limit_s: float, is_stopped: IsStopped) -> bool:
    """Wait for the end of the child, and return whether it came within the limit. Raises StoppedError."""
    clock = WallClock()
    until_s = clock.now_s() + limit_s
    while clock.now_s() < until_s:
        try:
            child.wait(_LOOKS_EVERY_S)
        except subprocess.TimeoutExpired:
            if is_stopped():
                raise StoppedError("The first test of the model was stopped before its end.") from None
        else:
            return True
    return False


def _end_all(child: subprocess.Popen[bytes]) -> None:
    """End the child, with the processes that its libraries started."""
    assert child.stdin
    child.stdin.close()
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
    child.kill()
    child.wait()


def _judge(content: FileContent, backend: str, code: int, verdict: Mapping[str, str], limit_s: float) -> None:
    """Raise what the verdict of the child says, or what its end means where it gave none."""
    kind, reason = verdict.get("kind", ""), verdict.get("reason", "")
    if kind == "passed":
        return
    if kind == "late":
        raise _too_long(content, backend, limit_s)
    if kind == "file":
        raise ModelFileError(reason)
    if kind == "step" and not is_lost(BackendError(reason)):
        raise ModelFileError(
            f"{content.path} cannot be played: {reason.rstrip('.')}, when it was tested on {backend}; {_SAY_WHERE}."
        )
    if kind in ("backend", "step"):
        raise BackendError(reason)
    raise ModelFileError(f"{content.path} ended the process that tested it on {backend} ({_end(code)}); {_SAY_WHERE}.")


def _too_long(content: FileContent, backend: str, limit_s: float) -> ModelFileError:
    return ModelFileError(
        f"{content.path} took longer than {limit_s:.0f} s to open and play a second when it was tested on {backend}; {_SAY_WHERE}, "
        "smaller."
    )


def _verdict(said: bytes) -> dict[str, Any]:
    lines = [line for line in said.decode(errors="replace").splitlines() if line.startswith(MARK)]
    return json.loads(lines[-1].removeprefix(MARK)) if lines else {}


def _end(code: int) -> str:
    """Return how a process ended, in words."""
    if code < 0:
        names = {number.value: number.name for number in signal.Signals}
        return names.get(-code, f"signal {-code}")
    return f"code {code:#x}"


def _where(backend: str) -> str:
    """Return the name of a backend with the versions that a verdict depends on."""
    # Imported where it is needed: a known model shall begin at once.
    import importlib.metadata

    versions: list[str] = []
    for package in _PACKAGES[backend]:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return " ".join([backend, *versions])
