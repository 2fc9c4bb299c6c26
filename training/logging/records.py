"""Log records in stats.jsonl: losses, validations and events of a run, one JSON object per line.

{"iteration": 50, "elapsed_s": 22.3, "learning_rate": 0.001, "l1": 0.135, "motion": 0.087}      mean losses since the last record
{"iteration": 1000, "elapsed_s": 430.1, "validation": {"l1": 0.09, "mean_frame_l1": 0.128, …}}  the held-out part
{"iteration": 0, "elapsed_s": 0.0, "at": "2026-01-31 12:00:00", "event": "started", …}          an event
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.core.atomic_files import append_bytes, write_text
from engine.core.structured import parse_json
from training.loop.run_folder import STATS_FILE

Record = dict[str, Any]


def read_records(path: Path) -> list[Record]:
    """Return the records of a file, oldest first, without incomplete and foreign lines; an empty list for a missing file."""
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
    """Append one complete line or nothing. Raises OSError."""
    append_bytes(path, (json.dumps(record) + "\n").encode())


def drop_after(path: Path, iteration: int, validated: int | None = None) -> None:
    """Remove losses after `iteration`, validations after `validated` (default: the same) and incomplete lines. Raises OSError.

    Events stay. A run that resumes from a checkpoint writes the removed records again.
    """

    def stays(record: Record) -> bool:
        last = validated if "validation" in record and validated is not None else iteration
        return "event" in record or record["iteration"] <= last

    if path.is_file():
        write_text(path, "".join(json.dumps(record) + "\n" for record in read_records(path) if stays(record)))


def concluded(run_folder: Path, iteration: int) -> bool:
    """Tell whether the run finished after that many iterations, with its last validation."""
    ends = [record for record in read_records(run_folder / STATS_FILE) if record.get("event") == "finished"]
    return any(record["iteration"] == iteration for record in ends)
