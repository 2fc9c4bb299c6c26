"""Results of a sweep: one row for each trial, as text, JSON and Markdown."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.core.atomic_files import write_text
from engine.core.errors import TrainingError
from training.logging.records import read_records
from training.loop.run_folder import STATS_FILE
from training.sweeps.plan import Trial

JSON_FILE, MARKDOWN_FILE = "sweep.json", "sweep.md"
COLUMNS = ("trial", "state", "iterations", "minutes", "held-out L1", "mean frame L1", "motion share")


@dataclass(frozen=True, slots=True)
class Row:
    """The state of one trial."""

    trial: str
    clip: str
    config: str
    seed: int
    state: str
    iterations: int
    minutes: float
    validation: dict[str, float]
    """Figures of the last validation; empty when there was none."""
    why: str = ""
    """Reason of a failure."""

    def cells(self) -> list[str]:
        """Return the cells of the table."""
        shown = (self.validation.get(name) for name in ("l1", "mean_frame_l1", "motion_share"))
        numbers = ["" if value is None else f"{value:.4f}" for value in shown]
        return [self.trial, self.state, str(self.iterations), f"{self.minutes:.1f}", *numbers]


def row_of(trial: Trial, state: str, why: str = "") -> Row:
    """Return the row of a trial from the log records of its run."""
    records = read_records(trial.folder / STATS_FILE)
    validations = [record["validation"] for record in records if "validation" in record]
    return Row(
        trial=trial.name,
        clip=trial.clip,
        config=trial.choice,
        seed=trial.config.seed,
        state=state,
        iterations=max((record["iteration"] for record in records), default=0),
        minutes=round(max((record.get("elapsed_s", 0.0) for record in records), default=0.0) / 60.0, 2),
        validation=validations[-1] if validations else {},
        why=why,
    )


def as_text(rows: Sequence[Row]) -> str:
    """Return the table for a terminal."""
    lines = [list(COLUMNS), *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def as_markdown(rows: Sequence[Row]) -> str:
    """Return the table with the best trial of every clip in bold, and the failures."""
    best = {min(of_clip, key=lambda row: row.validation["l1"]).trial for of_clip in _validated_by_clip(rows)}
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    for row in rows:
        cells = row.cells()
        cells[0] = f"**{cells[0]}**" if row.trial in best else cells[0]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "Bold: the smallest held-out L1 of its clip."] if best else []
    lines += [f"\n{row.trial} {row.state}: {row.why}" for row in rows if row.why]
    return "\n".join(lines) + "\n"


def write_tables(folder: Path, rows: Sequence[Row]) -> None:
    """Write JSON and Markdown. Raises TrainingError when they cannot be written."""
    try:
        write_text(folder / JSON_FILE, json.dumps([dataclasses.asdict(row) for row in rows], indent=1) + "\n")
        write_text(folder / MARKDOWN_FILE, as_markdown(rows))
    except OSError as error:
        raise TrainingError(f"Cannot write the table to {folder} ({error.strerror}); free some space.") from error


def _validated_by_clip(rows: Sequence[Row]) -> list[list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        if "l1" in row.validation:
            found.setdefault(row.clip, []).append(row)
    return list(found.values())
