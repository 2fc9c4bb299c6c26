"""The files of an evaluation: JSON, tables as CSV, curves as PNG, and the page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt

from engine.core.atomic_files import write_text
from engine.core.errors import TrainingError
from training.evaluation.evaluator import Sheet
from training.evaluation.page import page
from training.evaluation.plots import draw, svg, write_png
from training.evaluation.position_plots import draw_positions
from training.evaluation.results import Evaluation

PAGE, RECORD, CURVES = "evaluation.html", "evaluation.json", "curves.png"
POSITIONS, POSITION_CURVES, PIECES = "positions.csv", "positions.png", "foreign.csv"


def make_folder(folder: Path) -> None:
    """Make the folder for the files. Raises TrainingError when that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_written(folder, error) from error


def write_files(folder: Path, evaluation: Evaluation, sheets: Sequence[Sheet]) -> list[str]:
    """Write all files and return their names. Raises TrainingError when they cannot be written."""
    by_length, by_position = draw(evaluation), draw_positions(evaluation)
    texts = {
        PAGE: page(evaluation, svg(by_length), svg(by_position), sheets),
        RECORD: json.dumps(evaluation.record(), indent=1, ensure_ascii=False) + "\n",
        POSITIONS: _csv(_position_lines(evaluation)),
    }
    if evaluation.pieces:
        texts[PIECES] = _csv(_piece_lines(evaluation))
    try:
        for name, text in texts.items():
            write_text(folder / name, text)
    except OSError as error:
        raise _not_written(folder, error) from error
    for name, figure in ((CURVES, by_length), (POSITION_CURVES, by_position)):
        write_png(folder / name, figure)
        plt.close(figure)
    return [*texts, CURVES, POSITION_CURVES]


def _position_lines(evaluation: Evaluation) -> Iterable[Sequence[object]]:
    yield "row", "part", "figure", "position", "mean", "deviation", "sequences"
    for row in evaluation.rows:
        for part, by_label in row.positions.items():
            for label, curve in by_label.items():
                columns = (curve.position, curve.mean, curve.deviation, curve.rollouts)
                for position, mean, deviation, count in zip(*columns, strict=True):
                    spread = f"{deviation:.6g}" if count > 1 else ""
                    yield row.name, part, label, position, f"{mean:.6g}", spread, count


def _piece_lines(evaluation: Evaluation) -> Iterable[Sequence[object]]:
    labels = list(next(iter(evaluation.pieces.values()))[0].figures)
    yield "checkpoint", "file", "start_s", "seconds", *labels
    for name, pieces in evaluation.pieces.items():
        for piece in pieces:
            figures = (f"{piece.figures[label]:.6g}" for label in labels)
            yield name, piece.file, f"{piece.start_s:.3f}", f"{piece.seconds:.3f}", *figures


def _csv(lines: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def _not_written(folder: Path, error: OSError) -> TrainingError:
    return TrainingError(f"Cannot write to {folder} ({error.strerror}); choose another folder with --out.")
