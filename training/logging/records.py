"""stats.jsonl: losses, validations and events of a run, one JSON object a line.

{"iteration": 50, "elapsed_s": 22.3, "learning_rate": 0.001, "l1": 0.135, "motion": 0.087}      mean losses since the last
{"iteration": 1000, "elapsed_s": 430.1, "validation": {"l1": 0.09, "mean_frame_l1": 0.128, …}}  the held-out part
{"iteration": 0, "elapsed_s": 0.0, "at": "2026-01-31 12:00:00", "event": "started", …}          what happened
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.core.atomic_files import append_bytes, write_text
from engine.core.structured import parse_json

Record = dict[str, Any]


def read_stats(path: Path) -> list[Record]:
    """Return the records of a file, oldest first; lines that are torn or no records are left out, as is a missing file."""
    if not path.is_file():
        return []
    found: list[Record] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = parse_json(line)
        except ValueError:
            continue
        if isinstance(record, dict) and isinstance(record.get("iteration"), int):
            found.append(record)
    return found


def append_record(path: Path, record: Mapping[str, Any]) -> None:
    """Append one line, or nothing at all. Raises OSError."""
    append_bytes(path, (json.dumps(record) + "\n").encode())


def cut_back(path: Path, iteration: int, validated: int | None = None) -> None:
    """Forget the losses after `iteration`, the validations after `validated` (default the same) and torn lines. Raises OSError.

    Events stay; what is forgotten is made again by a run that goes on from a checkpoint.
    """

    def kept(record: Record) -> bool:
        last = validated if "validation" in record and validated is not None else iteration
        return "event" in record or record["iteration"] <= last

    if path.is_file():
        write_text(path, "".join(json.dumps(record) + "\n" for record in read_stats(path) if kept(record)))
