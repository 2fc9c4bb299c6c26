"""Log records in stats.jsonl: losses, validations and events of a run, one JSON object per line.

{"iteration": 50, "elapsed_s": 22.3, "learning_rate": 0.001, "l1": 0.135, "psnr_db": 17.2, …}   mean losses since the last record,
                                                                                               quality of the last training batch
{"iteration": 1000, "elapsed_s": 430.1, "validation": {"l1": 0.09, "mean_frame_l1": 0.128, …}}  the held-out part
{"iteration": 0, "elapsed_s": 0.0, "at": "2026-01-31 12:00:00", "event": "started", …}          an event
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.core.atomic_files import append_bytes, write_text
from engine.core.small_files import read_lines
from engine.core.structured import parse_json
from training.loop.run_folder import STATS_FILE

Record = dict[str, Any]
_LARGEST = 2**53
_FIGURES = {"l1", "mean_frame_l1", "motion_share"}
"""Every validation has these."""


def read_records(path: Path) -> list[Record]:
    """Return the records of a file, oldest first, without incomplete lines and other content; an empty list for a missing file."""
    if not path.is_file():
        return []
    found: list[Record] = []
    for line in read_lines(path):
        try:
            record = parse_json(line)
        except ValueError:
            continue
        if _is_record(record):
            found.append(record)
    return found


def _is_record(record: object) -> bool:
    """Tell whether a decoded line has the keys of its kind, each with a value of the right kind."""
    if not isinstance(record, dict) or not _is_count(record.get("iteration")):
        return False
    elapsed_s = record.get("elapsed_s", 0.0)
    if not _is_number(elapsed_s) or not math.isfinite(elapsed_s):
        return False
    if "event" in record:
        came_from = record.get("from") or []
        texts = (record["event"], *(came_from if isinstance(came_from, list) else [None]))
        return all(isinstance(text, str) for text in texts) and isinstance(record.get("machine", {}), dict)
    if "validation" in record:
        figures = record["validation"]
        return isinstance(figures, dict) and figures.keys() >= _FIGURES and all(map(_is_number, figures.values()))
    return "elapsed_s" in record and all(map(_is_number, record.values()))


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _LARGEST


def _is_number(value: object) -> bool:
    """Tell a number that `float` holds; a loss may be infinite or not a number."""
    return type(value) is float or (type(value) is int and abs(value) <= _LARGEST)


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
