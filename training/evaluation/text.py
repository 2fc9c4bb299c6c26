"""The results as text for a terminal: one table for each figure, with rows down and sequence lengths across."""

from __future__ import annotations

from typing import Any

from engine.core.counted import counted
from training.evaluation.held_out_synchrony import SynchronyRow
from training.evaluation.results import Evaluation, OutsideRow, direction

LEAST_NAME_WIDTH = 24


def report(evaluation: Evaluation) -> str:
    """Return every table, the metrics that could not be measured, and the notices."""
    blocks = [_table(evaluation, label) for label in evaluation.labels()]
    if evaluation.synchrony:
        blocks.append(_synchrony(evaluation.synchrony))
    if evaluation.outside:
        blocks.append(_outside(evaluation.about["foreign"], evaluation.outside_table()))
    notes = [*evaluation.missing, *evaluation.notices]
    return "\n\n".join(blocks + (["\n".join(notes)] if notes else []))


def _table(evaluation: Evaluation, label: str) -> str:
    columns = [column for column in evaluation.columns() if any(row.get(*column, label) for row in evaluation.rows)]
    texts = [
        [spread.text() if (spread := row.get(*column, label)) else "" for column in columns] for row in evaluation.rows
    ]
    widths = [max(5, *(len(row[i]) for row in texts)) for i in range(len(columns))]
    width, parts = _width([row.name for row in evaluation.rows]), ""
    for part in dict.fromkeys(part for part, _ in columns):
        span = sum(w + 2 for (p, _), w in zip(columns, widths, strict=True) if p == part)
        parts += "  " + part[: span - 2].ljust(span - 2)
    lines = [f"{label} ({direction(label)})", " " * width + parts.rstrip()]
    lines.append("frames".ljust(width) + "".join(f"  {n:>{w}}" for (_, n), w in zip(columns, widths, strict=True)))
    for row, cells in zip(evaluation.rows, texts, strict=True):
        values = "".join(f"  {cell:>{w}}" for cell, w in zip(cells, widths, strict=True))
        lines.append((row.name.ljust(width) + values).rstrip())
    return "\n".join(lines)


def _outside(about: dict[str, Any], rows: list[OutsideRow]) -> str:
    labels = list(rows[0].figures)
    width, widths = _width([row.name for row in rows]), [max(len(label), 14) for label in labels]
    lines = [
        f"Sound from outside the clip: {outside_extent(about)}",
        " " * width + "".join(f"  {n:>{w}}" for n, w in zip(labels, widths, strict=True)),
    ]
    for row in rows:
        cells = "".join(f"  {row.figures[n].text():>{w}}" for n, w in zip(labels, widths, strict=True))
        lines.append(row.name.ljust(width) + cells)
    return "\n".join(lines)


def outside_extent(about: dict[str, Any]) -> str:
    """Say how many pieces of which length come from how many files."""
    shortest_s, longest_s = about["seconds"]
    lengths = f"{shortest_s:g} s" if shortest_s == longest_s else f"{shortest_s:g} to {longest_s:g} s"
    files = counted(about["files"], "file")
    return f"{counted(about['pieces'], 'piece')} of {lengths} from {files} in {about['folder']}, mean ± deviation over the pieces"


def _synchrony(rows: list[SynchronyRow]) -> str:
    labels = list(rows[0].values)
    width, widths = _width([row.name for row in rows]), [max(len(label), 9) for label in labels]
    lines = [synchrony_extent(rows), " " * width + "".join(f"  {n:>{w}}" for n, w in zip(labels, widths, strict=True))]
    for name, values in synchrony_lines(rows):
        cells = "".join(f"  {values[n]:>{w}}" for n, w in zip(labels, widths, strict=True))
        lines.append(name.ljust(width) + cells)
    return "\n".join(lines)


def synchrony_extent(rows: list[SynchronyRow]) -> str:
    """Say what the synchrony suite measured."""
    sequences = f"{counted(rows[0].films, 'held-out sequence')} with {rows[0].frames} frames"
    return f"Synchrony suite: {sequences}; floor: with sound from other moments, ceiling: {rows[-1].name}"


def synchrony_lines(rows: list[SynchronyRow]) -> list[tuple[str, dict[str, str]]]:
    """Return the name of each line and its figures in words: a row and its floor."""
    lines: list[tuple[str, dict[str, str]]] = []
    for row in rows:
        for name, figures in ((row.name, row.values), ("  floor", row.floors)):
            lines.append((name, {n: "undefined" if v is None else f"{v:.3f}" for n, v in figures.items()}))
    return lines


def _width(names: list[str]) -> int:
    return max(LEAST_NAME_WIDTH, *map(len, names))
