"""Curves along a sequence: MSE, PSNR and SSIM at each frame position, a column of panels for each part of the clip.

The ceiling is left out: real video one frame late does not depend on the position, and would leave the others no room.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from training.evaluation.plots import STYLE, row_colours, row_style
from training.evaluation.positions import Curve, Series
from training.evaluation.results import Evaluation, Row, direction
from training.evaluation.sequences import HELD_OUT, TRAINED
from training.losses.quality import MSE, PSNR, SSIM

LABELS = (MSE, PSNR, SSIM)
TITLES = {HELD_OUT: "held-out sound", TRAINED: "trained part, looped"}
SMOOTHING = 1 / 50
"""Curves are drawn as running means over this share of the longest one: what is narrower could not be seen."""


def draw_positions(evaluation: Evaluation) -> Any:
    """Return a matplotlib figure: parts of the clip across, figures down."""
    parts = list(dict.fromkeys(part for part, _ in evaluation.columns()))
    colours = row_colours(evaluation)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            len(LABELS), len(parts), figsize=(6.8 * len(parts), 9.6), squeeze=False, sharex="col", sharey="row"
        )
        for panels, label in zip(axes, LABELS, strict=True):
            for panel, part in zip(panels, parts, strict=True):
                _panel(panel, evaluation, part, label, colours)
            panels[0].set_ylabel(f"{label}, {direction(label)}", color="#444444")
        for panel, part in zip(axes[0], parts, strict=True):
            panel.set_title(TITLES[part], pad=22)
            _count_rollouts(panel, evaluation, part)
        for panel in axes[-1]:
            panel.set_xlabel(f"frames since the initial state, at {evaluation.about['fps']} a second")
        handles = [_handle(row, colours) for row in _drawn(evaluation)]
        figure.legend(handles=handles, loc="lower center", ncols=3, frameon=False)
        figure.tight_layout(rect=(0, 0.3 * -(-len(handles) // 3) / figure.get_figheight(), 1, 1), h_pad=1.4, w_pad=2.0)
    return figure


def _drawn(evaluation: Evaluation) -> list[Row]:
    return [row for row in evaluation.rows if row.kind != "ceiling"]


def _panel(panel: Any, evaluation: Evaluation, part: str, label: str, colours: dict[str, str]) -> None:
    rows = [(row, row.positions[part][label]) for row in _drawn(evaluation) if part in row.positions]
    longest = max(int(curve.position[-1]) for _, curve in rows)
    for row, curve in rows:
        _curve(panel, row, curve, longest, row_style(row, colours))
    panel.margins(x=0.01)
    if label == MSE:
        panel.set_ylim(bottom=0.0)


def _curve(panel: Any, row: Row, curve: Curve, longest: int, style: dict[str, Any]) -> None:
    """Draw each stretch with the same number of sequences by itself, for a generator with a band of one deviation."""
    line = {"color": style["color"], "linewidth": style["linewidth"], "alpha": style["alpha"]}
    step = int(np.diff(curve.position[:2]).max(initial=1))
    half = round(longest * SMOOTHING / 2 / step)
    for run in curve.runs():
        position, mean = curve.position[run], smoothed(curve.mean[run], half)
        if row.kind == "mean frame":
            line["linestyle"] = (0, (1, 1.5))
        # SSIM is measured at every 8th position alone.
        mark = "o" if len(position) == 1 or step > 1 else ""
        panel.plot(position, mean, marker=mark, markersize=3.5, zorder=3 if row.kind == "model" else 2, **line)
        if row.kind == "model" and curve.rollouts[run][0] > 1:
            deviation = smoothed(curve.deviation[run], half)
            panel.fill_between(
                position, mean - deviation, mean + deviation, color=style["color"], alpha=0.13, linewidth=0
            )


def smoothed(values: Series, half: int) -> Series:
    """Return running means over up to `half` values on each side, fewer towards the ends."""
    sums = np.cumsum([0.0, *values])
    places = np.arange(len(values))
    reach = np.minimum(half, np.minimum(places, places[::-1]))
    return (sums[places + reach + 1] - sums[places - reach]) / (2 * reach + 1)


def _count_rollouts(panel: Any, evaluation: Evaluation, part: str) -> None:
    """Write above the panel how many sequences reach which positions, in full for the first stretch."""
    curve = next(row.positions[part][MSE] for row in evaluation.rows if row.kind == "model")
    for number, run in enumerate(curve.runs()):
        count = int(curve.rollouts[run][0])
        noun = "" if number else " sequence" if count == 1 else " sequences"
        first = float(curve.position[run][0])
        panel.annotate(
            f"{count}{noun}",
            (first, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3 if number else 0, 5),
            textcoords="offset points",
            fontsize=8,
            color="#777777",
        )
        if number:
            panel.axvline(first - 0.5, color="#bbbbbb", linewidth=0.8, linestyle=(0, (2, 3)), ymax=1.04, clip_on=False)


def _handle(row: Row, colours: dict[str, str]) -> Line2D:
    style = row_style(row, colours)
    dotted = (0, (1, 1.5)) if row.kind == "mean frame" else "-"
    line = {"color": style["color"], "linewidth": style["linewidth"], "alpha": style["alpha"]}
    return Line2D([], [], linestyle=dotted, label=row.name, **line)
