"""Curves over sequence length, one panel for each figure: every generator beside floor, ceiling and mean frame."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from engine.core.errors import TrainingError
from training.evaluation.results import Evaluation, Row, direction
from training.evaluation.sequences import HELD_OUT, TRAINED

# Colours for colour-blind readers (Okabe and Ito) for the generators, fixed colours for the reference rows.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
REFERENCE_COLOURS = {"ceiling": "#1a7f37", "other moment": "#999999", "mean frame": "#444444"}
MARKS = {"ceiling": "^", "other moment": "x", "mean frame": "_"}
LOGARITHMIC = ("MSE", "ST-LPIPS", "LPIPS")
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "svg.hashsalt": "fluid",
}


def draw(evaluation: Evaluation) -> Any:
    """Return a matplotlib figure with all panels."""
    labels, lengths = evaluation.labels(), sorted({length for _, length in evaluation.columns()})
    wide = 3 if len(labels) > 4 else 2
    tall = -(-len(labels) // wide)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(tall, wide, figsize=(5.0 * wide, 3.3 * tall + 1.2), squeeze=False)
        colours = row_colours(evaluation)
        for panel, label in zip(axes.flat, labels, strict=False):
            _panel(panel, evaluation, label, colours, lengths)
        for panel in axes.flat[len(labels) :]:
            panel.set_axis_off()
        handles = _legend(evaluation, colours)
        spare = axes.flat[len(labels) :]
        if len(spare):
            spare[0].legend(handles=handles, loc="center left", frameon=False, labelspacing=0.7, handlelength=2.8)
            figure.tight_layout(h_pad=2.0, w_pad=2.0)
        else:
            figure.legend(handles=handles, loc="lower center", ncols=3, frameon=False)
            figure.tight_layout(rect=(0, 0.3 * -(-len(handles) // 3) / figure.get_figheight(), 1, 1))
    return figure


def row_colours(evaluation: Evaluation) -> dict[str, str]:
    """Return the colour of each generator, and of its floor."""
    models = [row.name for row in evaluation.rows if row.kind == "model"]
    found = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(models)}
    # A floor row has the colour of its generator.
    floors = {
        row.name: next(found[n] for n in models if row.name.startswith(f"{n},"))
        for row in evaluation.rows
        if row.kind == "floor"
    }
    return found | floors


def _legend(evaluation: Evaluation, colours: dict[str, str]) -> list[Line2D]:
    """Return a handle for each row and for each part of the clip."""
    handles = []
    for row in evaluation.rows:
        style = row_style(row, colours)
        handles.append(Line2D([], [], markersize=6, markerfacecolor=style["color"], label=row.name, **style))
    named = {HELD_OUT: "solid: held-out sound", TRAINED: "dashed, hollow: trained part, looped"}
    for part in dict.fromkeys(part for part, _ in evaluation.columns()):
        fill = "#666666" if part == HELD_OUT else "white"
        line = "-" if part == HELD_OUT else "--"
        handles.append(
            Line2D([], [], color="#666666", linestyle=line, marker="o", markerfacecolor=fill, label=named[part])
        )
    return handles


def row_style(row: Row, colours: dict[str, str]) -> dict[str, Any]:
    """Return colour, width, mark and opacity of a row's line."""
    return {
        "color": colours.get(row.name) or REFERENCE_COLOURS[row.kind],
        "linewidth": 2.2 if row.kind == "model" else 1.2,
        "marker": MARKS.get(row.kind, "o"),
        "alpha": 1.0 if row.kind == "model" else 0.5 if row.kind == "floor" else 0.8,
    }


def _panel(panel: Any, evaluation: Evaluation, label: str, colours: dict[str, str], lengths: list[int]) -> None:
    drawn = False
    for row in evaluation.rows:
        for part in (HELD_OUT, TRAINED):
            drawn |= _curve(panel, row, part, label, colours)
    panel.set_title(label)
    panel.set_xscale("log", base=2)
    panel.set_xlim(lengths[0] / 1.3, lengths[-1] * 1.3)
    panel.set_xticks(lengths, [str(length) for length in lengths])
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xlabel("frames generated from the initial state")
    panel.set_ylabel(direction(label), color="#666666")
    if drawn and label.startswith(LOGARITHMIC):
        panel.set_yscale("log")


def _curve(panel: Any, row: Row, part: str, label: str, colours: dict[str, str]) -> bool:
    """Draw one row of one part, with a band of one deviation for a generator; return False when there is no value."""
    points = [(n, spread) for n in sorted(row.figures.get(part, {})) if (spread := row.get(part, n, label))]
    if not points:
        return False
    style = row_style(row, colours)
    panel.plot(
        [n for n, _ in points],
        [spread.mean for _, spread in points],
        linestyle="-" if part == HELD_OUT else (0, (4, 2)),
        markersize=6,
        markerfacecolor=style["color"] if part == HELD_OUT else "white",
        **style,
    )
    if row.kind == "model":
        _band(panel, [(n, s.mean, s.deviation) for n, s in points if s.deviation is not None], label, style["color"])
    return True


def _band(panel: Any, points: list[tuple[int, float, float]], label: str, colour: str) -> None:
    # A logarithmic axis cannot go below zero: the band ends at a tenth of the mean.
    low = [max(mean - d, mean / 10.0) if label.startswith(LOGARITHMIC) else mean - d for _, mean, d in points]
    high = [mean + d for _, mean, d in points]
    panel.fill_between([n for n, _, _ in points], low, high, color=colour, alpha=0.15, linewidth=0)


def write_png(path: Path, figure: Any) -> None:
    """Write the figure. Raises TrainingError when it cannot be written."""
    try:
        figure.savefig(path, dpi=110, metadata={"Software": None})
    except OSError as error:
        raise TrainingError(f"Cannot write {path} ({error.strerror}); choose another folder with --out.") from error


def svg(figure: Any) -> bytes:
    """Return the figure as SVG, the same at every call."""
    buffer = io.BytesIO()
    with plt.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
