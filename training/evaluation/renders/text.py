"""The evaluation of rendered clips as a table for a terminal, and as plain values for a JSON file."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from engine.core.counted import counted
from training.data.video_files import SUFFIXES
from training.evaluation.renders.measure import RenderEvaluation
from training.evaluation.renders.measures import Measure
from training.evaluation.synchrony.figures import defined

LEGEND = (
    "mean ± deviation over the clips for which a measure is defined, or one value for all clips together; undefined is not 0: the clips\n"
    "are too few, too short, silent, equally loud, without onsets or all of one label"
)
UNLIKE = re.compile(rf"\S+(?:{'|'.join(map(re.escape, SUFFIXES))})\b|\d+(?:\.\d+)?")
"""What is not the same in notices of one kind: names of files, and numbers."""
HEADINGS = ("", "rendered", "floor", "ceiling", "better", "clips")


def report(evaluation: RenderEvaluation) -> str:
    """Return the table, what floors and ceilings are, the metrics that could not be measured, and the notices."""
    rows = [_row(measure) for measure in evaluation.measures]
    extent = f"{counted(len(evaluation.clips), 'rendered clip')}, each beside its real one"
    blocks = [f"{extent}\n{_aligned([HEADINGS, *rows])}", LEGEND, _ends(evaluation.measures)]
    for lines in (evaluation.missing, shortened_notices(evaluation.notices)):
        blocks += ["\n".join(lines)] if lines else []
    return "\n\n".join(blocks)


def values(evaluation: RenderEvaluation) -> dict[str, object]:
    """Return everything measured; None is undefined."""
    return {
        "clips": [
            {
                "rendered": str(pair.film.path),
                "real": str(pair.real.path),
                "label": pair.label,
                "fps": pair.film.fps,
                "frames": pair.frames,
            }
            for pair in evaluation.clips
        ],
        "measures": {measure.name: _values(measure) for measure in evaluation.measures},
        "missing": list(evaluation.missing),
        "notices": list(evaluation.notices),
    }


def shortened_notices(notices: Sequence[str]) -> list[str]:
    """Return one notice of each kind, and how many more there are: hundreds of clips have the same to say."""
    kinds: dict[str, list[str]] = {}
    for notice in notices:
        kinds.setdefault(UNLIKE.sub("", notice), []).append(notice)
    return [
        same[0]
        + (f" (The same of {counted(len(same) - 1, 'other clip')}; --json lists them.)" if len(same) > 1 else "")
        for same in kinds.values()
    ]


def _values(measure: Measure) -> dict[str, object]:
    return {
        "value": defined(measure.value),
        "deviation": defined(measure.deviation),
        "floor": defined(measure.floor),
        "floor_is": measure.floor_is,
        "ceiling": defined(measure.ceiling),
        "ceiling_is": measure.ceiling_is,
        "better": measure.better,
        "clips": measure.clips,
        "each": [defined(value) for value in measure.each],
    }


def _row(measure: Measure) -> tuple[str, ...]:
    spread = f" ± {_number(measure.deviation)}" if math.isfinite(measure.deviation) else ""
    numbers = (f"{_number(measure.value)}{spread}", _number(measure.floor), _number(measure.ceiling))
    return (measure.name, *numbers, measure.better, str(measure.clips))


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "undefined"
    return f"{value:.1f}" if abs(value) >= 100.0 else f"{value:.3f}"


def _ends(measures: Sequence[Measure]) -> str:
    """Return what the floors and the ceilings are, each once with its measures."""
    lines = []
    for end in ("floor", "ceiling"):
        by_text: dict[str, list[str]] = {}
        for measure in measures:
            text = measure.floor_is if end == "floor" else measure.ceiling_is
            by_text.setdefault(text, []).append(measure.name.partition(" (")[0])
        lines += [f"{end}: {text} ({', '.join(dict.fromkeys(names))})" for text, names in by_text.items()]
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )
