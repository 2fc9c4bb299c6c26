"""Curves along a sequence: MSE, PSNR and SSIM at each frame position, a column of panels for each part of the clip."""

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
SMOOTHED_FROM, SMOOTHING = 128, 1 / 32
"""Longer stretches are drawn as running means, over this share of their length."""


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
        handles = [_handle(row, colours) for row in evaluation.rows]
        figure.legend(handles=handles, loc="lower center", ncols=3, frameon=False)
        figure.tight_layout(rect=(0, 0.3 * -(-len(handles) // 3) / figure.get_figheight(), 1, 1), h_pad=1.4, w_pad=2.0)
    return figure


def _panel(panel: Any, evaluation: Evaluation, part: str, label: str, colours: dict[str, str]) -> None:
    for row in evaluation.rows:
        curve = row.positions.get(part, {}).get(label)
        if curve is not None:
            _curve(panel, row, curve, label, row_style(row, colours))
    panel.margins(x=0.01)
    if label == MSE:
        panel.set_yscale("log")


def _curve(panel: Any, row: Row, curve: Curve, label: str, style: dict[str, Any]) -> None:
    """Draw each stretch with the same number of sequences by itself, for a generator with a band of one deviation."""
    line = {"color": style["color"], "linewidth": style["linewidth"], "alpha": style["alpha"]}
    for run in curve.runs():
        position, mean = curve.position[run], smoothed(curve.mean[run])
        if row.kind == "mean frame":
            line["linestyle"] = (0, (1, 1.5))
        mark = "o" if len(position) == 1 else ""
        panel.plot(position, mean, marker=mark, markersize=3, zorder=3 if row.kind == "model" else 2, **line)
        if row.kind == "model" and curve.rollouts[run][0] > 1:
            deviation = smoothed(curve.deviation[run])
            low = np.maximum(mean - deviation, mean / 10.0) if label == MSE else mean - deviation
            panel.fill_between(position, low, mean + deviation, color=style["color"], alpha=0.13, linewidth=0)


def smoothed(values: Series) -> Series:
    """Return the running mean of a long stretch (over fewer values at its ends), and a short one as it is."""
    half = round(len(values) * SMOOTHING / 2) if len(values) >= SMOOTHED_FROM else 0
    if not half:
        return values
    ones = np.ones(2 * half + 1)
    return np.convolve(values, ones, "same") / np.convolve(np.ones_like(values), ones, "same")


def _count_rollouts(panel: Any, evaluation: Evaluation, part: str) -> None:
    """Write above the panel how many sequences reach which positions."""
    curve = next(row.positions[part][MSE] for row in evaluation.rows if row.kind == "model")
    for run in curve.runs():
        count = int(curve.rollouts[run][0])
        middle = float(curve.position[run].mean())
        panel.annotate(
            f"{count} sequences" if count > 1 else "1 sequence",
            (middle, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color="#777777",
        )


def _handle(row: Row, colours: dict[str, str]) -> Line2D:
    style = row_style(row, colours)
    dotted = (0, (1, 1.5)) if row.kind == "mean frame" else "-"
    line = {"color": style["color"], "linewidth": style["linewidth"], "alpha": style["alpha"]}
    return Line2D([], [], linestyle=dotted, label=row.name, **line)
