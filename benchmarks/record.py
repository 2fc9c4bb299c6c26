"""Records of benchmarks: one JSON object a run, appended to benchmarks/results/NAME.jsonl."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.core.atomic_files import append_bytes
from engine.core.clock import WallClock
from engine.core.machine import describe_machine, load_1min

RESULTS = Path(__file__).parent / "results"


def append_record(name: str, figures: Mapping[str, Any], *, backend: str = "", model: str = "") -> Path:
    """Append one record with time, commit and machine, and return the file."""
    record = {
        "at": WallClock.date(),
        "commit": commit(),
        "machine": {**describe_machine(), "load_1min": load_1min()},
        "backend": backend,
        "model": model,
        **figures,
    }
    path = RESULTS / f"{name}.jsonl"
    append_bytes(path, (json.dumps(record) + "\n").encode())
    return path


def commit() -> str:
    """Return the short commit of the checkout, with "+" when files differ from it; empty outside a checkout."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], cwd=RESULTS.parent, capture_output=True, text=True, check=False
    )
    return described.stdout.strip()


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their headings, in columns; NaN is undefined."""
    cells = [list(headings), *([_shown(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    for row in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def _shown(cell: object) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return "undefined" if math.isnan(cell) else f"{cell:.2f}"
