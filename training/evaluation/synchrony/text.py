"""The measurement as tables for a terminal, and as plain values for a JSON file."""

from __future__ import annotations

import math
from collections.abc import Sequence

from training.evaluation.synchrony.classifier_figures import ACCURACY, SCORE
from training.evaluation.synchrony.figures import Figure, defined
from training.evaluation.synchrony.suite import MeasuredFilm, Measurement

LONGEST_NAME = 30
LEGEND = (
    "floor: the same film with its sound from other moments (sync accuracy: by chance); ceiling: the reference with its own sound;\n"
    "offset: how late the sound comes, by this measure; undefined: the film is too short for it, silent, equally loud or without onsets"
)
CURVE_LEGEND = (
    "the mean over the films with the sound moved earlier by the offset: a measure that can be trusted is highest at 0\n"
    "in time: the share of stretches that the classifier prefers in time, half by chance"
)


def report(measurement: Measurement) -> str:
    """Return the tables, and what is to be said about the films."""
    blocks = [_table(measurement), LEGEND, _curves(measurement), CURVE_LEGEND]
    notices = [notice for film in (*measurement.references, *measurement.films) for notice in film.notices]
    if not measurement.references:
        notices.append("There is no ceiling: give the real film with --reference.")
    if not measurement.classifier:
        notices.append("AVSync score, RelSync and sync accuracy are not measured: give a classifier with --classifier.")
    return "\n\n".join([*blocks, "\n".join(dict.fromkeys(notices))])


def _table(measurement: Measurement) -> str:
    labels = measurement.labels()
    rows: list[list[str]] = []
    for film in measurement.films:
        rows += _rows(film, labels)
    if len(measurement.films) > 1:
        rows.append([f"mean of {len(measurement.films)}", *(_value(measurement.mean(label)) for label in labels)])
    for film in measurement.references:
        ceiling, *others = _rows(film, labels)
        rows += [[f"ceiling {ceiling[0]}", *ceiling[1:]], *others]
    return _aligned(["", *labels], rows)


def _rows(film: MeasuredFilm, labels: Sequence[str]) -> list[list[str]]:
    figures = [film.figures.get(label) for label in labels]
    return [
        [film.path.name, *("" if figure is None else _value(figure.value) for figure in figures)],
        ["  floor", *("" if figure is None else _floor(figure) for figure in figures)],
        ["  offset", *("" if figure is None or not figure.curve else _offset(figure) for figure in figures)],
    ]


def _value(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "undefined"


def _floor(figure: Figure) -> str:
    if not math.isfinite(figure.floor_mean):
        return "undefined"
    spread = f" ± {figure.floor_deviation:.3f}" if math.isfinite(figure.floor_deviation) else ""
    return f"{figure.floor_mean:.3f}{spread}"


def _offset(figure: Figure) -> str:
    return f"{figure.best_offset_s:+.2f} s" if math.isfinite(figure.best_offset_s) else "none"


def _curves(measurement: Measurement) -> str:
    """Return the mean curve of each measure over the films that have one; offsets of the first film's rates."""
    labels = [label for label in measurement.labels() if label != ACCURACY and _mean_curve(measurement, label)]
    curves = {label: _mean_curve(measurement, label) for label in labels}
    headings = ["offset s", *labels]
    if SCORE in curves:
        headings.append("in time")
        curves["in time"] = _mean_preferred(measurement)
    offsets = sorted({offset for curve in curves.values() for offset in curve})
    rows = [
        [f"{offset:+.2f}", *(f"{curve[offset]:.3f}" if offset in curve else "" for curve in curves.values())]
        for offset in offsets
    ]
    return _aligned(headings, rows) if rows else "No measure has a curve over offsets."


def _mean_curve(measurement: Measurement, label: str) -> dict[float, float]:
    return _mean([dict(zip(f.offsets_s, f.curve, strict=True)) for f in _known(measurement, label)])


def _mean_preferred(measurement: Measurement) -> dict[float, float]:
    return _mean(
        [
            dict(zip(film.classified.score.offsets_s, film.classified.preferred, strict=True))
            for film in measurement.films
            if film.classified is not None
        ]
    )


def _known(measurement: Measurement, label: str) -> list[Figure]:
    found = [film.figures[label] for film in measurement.films if label in film.figures]
    return [figure for figure in found if figure.curve and all(map(math.isfinite, figure.curve))]


def _mean(curves: Sequence[dict[float, float]]) -> dict[float, float]:
    """Return the mean at each offset, which is rounded so that equal ones are one."""
    values: dict[float, list[float]] = {}
    for curve in curves:
        for offset, value in curve.items():
            values.setdefault(round(offset, 3) + 0.0, []).append(value)
    return {offset: sum(each) / len(each) for offset, each in values.items()}


def _aligned(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [[text[:LONGEST_NAME] for text in row] for row in (headings, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    lines = []
    for row in cells:
        first, *others = [
            cell.ljust(width) if not at else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join([first, *others]).rstrip())
    return "\n".join(lines)


def values(measurement: Measurement) -> dict[str, object]:
    """Return everything measured for a JSON file; None is undefined."""
    return {
        "classifier": measurement.classifier,
        "films": [_film_values(film) for film in measurement.films],
        "references": [_film_values(film) for film in measurement.references],
        "mean": {label: defined(measurement.mean(label)) for label in measurement.labels()},
    }


def _film_values(film: MeasuredFilm) -> dict[str, object]:
    found: dict[str, object] = {
        "file": str(film.path),
        "fps": film.film.fps,
        "frames": film.film.frames,
        "onsets": len(film.film.onsets_s),
        "figures": {label: _figure_values(figure) for label, figure in film.figures.items()},
        "notices": list(film.notices),
    }
    if film.classified is not None:
        classified = film.classified
        found["classifier"] = {
            "stretches": classified.stretches,
            "preferred_in_time": list(classified.preferred),
            "sync_accuracy_200_ms": defined(classified.loose_accuracy),
            "sync_accuracy_200_ms_floor": defined(classified.loose_accuracy_floor),
        }
    return found


def _figure_values(figure: Figure) -> dict[str, object]:
    return {
        "value": defined(figure.value),
        "floor_mean": defined(figure.floor_mean),
        "floor_deviation": defined(figure.floor_deviation),
        "best_offset_s": defined(figure.best_offset_s),
        "offsets_s": [round(offset, 6) for offset in figure.offsets_s],
        "curve": [defined(value) for value in figure.curve],
    }
