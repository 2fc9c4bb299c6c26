"""One self-contained HTML page: curves, tables and contact sheets, nothing fetched from anywhere."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import cv2
import numpy as np

from engine.core.errors import TrainingError
from training.evaluation.evaluator import Sheet
from training.evaluation.held_out_synchrony import SynchronyRow
from training.evaluation.results import EXPLANATIONS, Evaluation, OutsideRow, Spread, direction
from training.evaluation.text import outside_extent, synchrony_extent, synchrony_lines

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1c1c; max-width: 1180px; margin: 2.5rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .3rem; } h3 small, .quiet { color: #6b6b6b; font-weight: normal; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .86rem; }
.wide { overflow-x: auto; } th, td { padding: .28rem .8rem; text-align: right; vertical-align: top; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } thead th { border-bottom: 1px solid #bbb; font-weight: 600; }
tbody tr { border-bottom: 1px solid #eee; } td.first, th.first { border-left: 1px solid #ccc; }
td small { display: block; color: #8a8a8a; font-weight: normal; font-size: .74rem; line-height: 1.15; }
tr.model td, tr.outside td { background: #eef5fb; font-weight: 600; } tr.outside ~ tr.model td { background: none; font-weight: 400; }
tr.floor td { color: #7a4a12; } tr.ceiling td { color: #1a7f37; }
img { max-width: 100%; display: block; } .sheet { display: grid; gap: 3px; align-items: center; margin: .3rem 0 1.4rem; }
.sheet span { font-size: .8rem; } .sheet .time { text-align: center; color: #6b6b6b; } .sheet img { width: 100%; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dt { font-weight: 600; } dd { margin: 0; }
"""


def page(evaluation: Evaluation, by_length_svg: bytes, by_position_svg: bytes, sheets: Sequence[Sheet]) -> str:
    """Return the page."""
    about = evaluation.about
    body = [
        f"<h1>{escape(', '.join(about['names']))}</h1>",
        f"<p class=quiet>{escape(about['clip'])} · {about['frames']} frames at {about['fps']} a second, the last "
        f"{about['held_out_frames']} held out · {about['image_size']} pixels · commit {escape(about['commit'])}</p>",
        "<h2>Over sequence length</h2>",
        _image("figures over sequence length", by_length_svg),
        "<h2>Along a sequence</h2><p class=quiet>The figures of each frame by its position. Bands show one deviation over the "
        "sequences; where fewer sequences go on, the curve starts again. positions.csv holds the values.</p>",
        _image("figures at each frame position", by_position_svg),
        "<h2>Rows</h2><dl>",
        *(f"<dt>{escape(row.name)}</dt><dd>{escape(EXPLANATIONS[row.kind])}</dd>" for row in evaluation.rows),
        "</dl>",
        _notes(evaluation),
        "<h2>Contact sheets</h2>",
        *map(_sheet, sheets),
        "<h2>Figures</h2><p class=quiet>mean ± deviation over sequences; one sequence alone has no deviation. Compare within "
        "a column: Fréchet distances of few frames are larger.</p>",
        *(_table(evaluation, label) for label in evaluation.labels()),
    ]
    if evaluation.synchrony:
        body.append(f"<h2>Synchrony</h2><p class=quiet>{escape(synchrony_extent(evaluation.synchrony))}.</p>")
        body.append(_synchrony(evaluation.synchrony))
    if evaluation.outside:
        body.append(
            f"<h2>Sound from outside the clip</h2><p class=quiet>{escape(outside_extent(about['foreign']))}. The frames of each piece "
            "are compared with frames spread over the clip. foreign.csv lists every piece.</p>"
        )
        body.append(_outside(evaluation.outside_table()))
    title = escape("Evaluation of " + ", ".join(about["names"]))
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    return head + "\n".join(body) + "</html>\n"


def _image(about: str, drawn_svg: bytes) -> str:
    return f'<img alt="{about}" src="data:image/svg+xml;base64,{base64.b64encode(drawn_svg).decode()}">'


def _notes(evaluation: Evaluation) -> str:
    notes = [*evaluation.missing, *evaluation.notices]
    return "<ul class=quiet>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>" if notes else ""


def _table(evaluation: Evaluation, label: str) -> str:
    columns = [column for column in evaluation.columns() if any(row.get(*column, label) for row in evaluation.rows)]
    firsts = {next(column for column in columns if column[0] == part) for part, _ in columns}
    spans = [(part, sum(p == part for p, _ in columns)) for part in dict.fromkeys(part for part, _ in columns)]
    parts = "".join(
        f'<th class=first colspan={span} style="text-align:left">{escape(part)}</th>' for part, span in spans
    )
    lengths = "".join(f"<th{_first(column, firsts)}>{column[1]}</th>" for column in columns)
    rows = []
    for row in evaluation.rows:
        spreads = [(column, row.get(*column, label)) for column in columns]
        cells = "".join(f"<td{_first(column, firsts)}>{_figure(spread)}</td>" for column, spread in spreads)
        rows.append(f'<tr class="{row.kind}"><td>{escape(row.name)}</td>{cells}</tr>')
    return (
        f"<h3>{escape(label)} <small>{direction(label)}</small></h3><div class=wide><table><thead><tr><th></th>{parts}</tr>"
        f"<tr><th>frames</th>{lengths}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _figure(spread: Spread | None) -> str:
    if spread is None:
        return ""
    mean, _, deviation = spread.text().partition(" ± ")
    return f"{mean}<small>± {deviation}</small>" if deviation else mean


def _first(column: tuple[str, int], firsts: set[tuple[str, int]]) -> str:
    return " class=first" if column in firsts else ""


def _outside(rows: Sequence[OutsideRow]) -> str:
    labels = list(rows[0].figures)
    head = "".join(f"<th>{escape(label)}</th>" for label in labels)
    lines = [
        f'<tr class="{row.kind}"><td>{escape(row.name)}</td>'
        + "".join(f"<td>{_figure(row.figures[n])}</td>" for n in labels)
        + "</tr>"
        for row in rows
    ]
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _synchrony(rows: list[SynchronyRow]) -> str:
    labels = list(rows[0].values)
    head = "".join(f"<th>{escape(label)}</th>" for label in labels)
    lines = [
        f"<tr><td>{escape(name)}</td>" + "".join(f"<td>{values[label]}</td>" for label in labels) + "</tr>"
        for name, values in synchrony_lines(rows)
    ]
    return (
        f"<div class=wide><table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _sheet(sheet: Sheet) -> str:
    columns = len(sheet.times_s)
    cells = ["<span></span>", *(f"<span class=time>{time:.1f} s</span>" for time in sheet.times_s)]
    for name, frames in sheet.rows:
        cells.append(f"<span>{escape(name)}</span>")
        cells += [f'<img alt="" src="data:image/png;base64,{_png(frame)}">' for frame in frames]
    return (
        f"<h3>{escape(sheet.title)}</h3><div class=sheet style='grid-template-columns: 9rem repeat({columns}, 1fr)'>"
        f"{''.join(cells)}</div>"
    )


def _png(frame_HWC: np.ndarray) -> str:
    fine, encoded = cv2.imencode(".png", np.ascontiguousarray(frame_HWC[:, :, ::-1]))
    if not fine:
        raise TrainingError(
            "A frame of the contact sheet could not be encoded; check the installation of opencv-python."
        )
    return base64.b64encode(encoded.tobytes()).decode()
