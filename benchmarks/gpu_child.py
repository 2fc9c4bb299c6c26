"""One job of benchmarks.gpu in a process of its own: a crash, or a library that hangs, costs one line of the report.

    python -m benchmarks.gpu_child CALL ARGUMENTS_JSON ROWS_FILE

A job writes each row as soon as it has it, so what was measured before a crash is kept.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.core.clock import WallClock
from engine.core.errors import run_main

ROOT = Path(__file__).parents[1]
Row = dict[str, Any]
Emit = Callable[[Row], None]
CALLS = {
    "peaks": "gpu_timing",
    "time_files": "gpu_timing",
    "train": "gpu_training",
    "make": "gpu_models",
    "reference": "gpu_checks",
    "check": "gpu_checks",
    "swap": "gpu_checks",
}
"""The module of each job's function, which takes `emit` and its arguments by name."""
NO_CARD = {"CUDA_VISIBLE_DEVICES": ""}
_LONGEST = 300


@dataclass(frozen=True, kw_only=True)
class Job:
    """A call in a process of its own; `skip` says in one sentence why it is not made."""

    part: str
    name: str
    call: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    skip: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a job gave. `fault` says in one line why it ended early or was skipped; empty when it was done."""

    part: str
    name: str
    rows: tuple[Row, ...] = ()
    fault: str = ""
    skipped: bool = False
    took_s: float = 0.0


def run_job(job: Job, limit_s: float) -> Outcome:
    """Run a job in a process of its own for at most `limit_s`."""
    if job.skip:
        return Outcome(part=job.part, name=job.name, fault=job.skip, skipped=True)
    clock = WallClock()
    began_s = clock.now_s()
    with tempfile.TemporaryDirectory() as folder:
        rows_file = Path(folder) / "rows.jsonl"
        command = [
            sys.executable,
            "-m",
            "benchmarks.gpu_child",
            job.call,
            json.dumps(dict(job.arguments)),
            str(rows_file),
        ]
        fault = _run(command, {**os.environ, **job.environment}, limit_s)
        rows = read_rows(rows_file)
    return Outcome(part=job.part, name=job.name, rows=rows, fault=fault, took_s=clock.now_s() - began_s)


def read_rows(file: Path) -> tuple[Row, ...]:
    """Read the rows of a job; the last may be half written."""
    rows: list[Row] = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        with contextlib.suppress(ValueError):
            rows.append(json.loads(line))
    return tuple(rows)


def _run(command: list[str], environment: Mapping[str, str], limit_s: float) -> str:
    """Return why the process did not end well, in one line."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=dict(environment),
        text=True,
        errors="replace",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _, said = process.communicate(timeout=max(limit_s, 1.0))
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return f"stopped at its limit of {limit_s:.0f} s"
    return ended(process.returncode, said)


def ended(code: int, said: str) -> str:
    """Return in one line how a process ended; empty when it ended well."""
    if code == 0:
        return ""
    if code < 0:
        return f"crashed with {signal.Signals(-code).name}"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else f"ended with code {code}"
    return last.removeprefix("error: ")[:_LONGEST]


def main() -> int:
    call, arguments, rows_file = sys.argv[1], json.loads(sys.argv[2]), Path(sys.argv[3])
    with rows_file.open("a", encoding="utf-8") as stream:

        def emit(row: Row) -> None:
            stream.write(json.dumps(row) + "\n")
            stream.flush()

        getattr(importlib.import_module(f"benchmarks.{CALLS[call]}"), call)(emit, **arguments)
    return 0


if __name__ == "__main__":
    run_main(main)
