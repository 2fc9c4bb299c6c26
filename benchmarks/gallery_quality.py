"""How near the frames of a gallery's model come to the true scene under the same sound, and the table of it in docs/gallery.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.clip_part import Extent, compared_format, read_part
from benchmarks.frame_figures import FLICKER, L1, MOTION, SHARPNESS, WAY, FrameFigures
from benchmarks.picture import played_quality, rounded
from engine.model.backends.selection import open_backend
from training.evaluation.frame_metrics import FrameMetrics
from training.evaluation.metrics.extractors import load_extractors
from training.losses.quality import SSIM
from training.losses.sharpness import band_names

LONGEST_S, SHIFTS = 10.0, 3
GOALS = {
    **{f"{SHARPNESS}, {band}": "0.8 to 1.1" for band in band_names()},
    MOTION: "0.8 to 1.1",
    FLICKER: "1.3 at most",
    WAY: "0.8 or more",
}


def measured_quality(path: Path, clip: Path, weights: Sequence[Path] = ()) -> dict[str, Any]:
    """Return the figures of docs/evaluation.md for what a model makes of a clip's sound, by name.

    `weights` are files and folders with those of learned distances; without them these figures are missing.

    Raises MediaError for a clip that cannot be read, ConfigError for one that is too short, BackendError.
    """
    backend = open_backend(path, threads=1)
    part = read_part(clip, compared_format(clip, backend.card, None), Extent(from_s=0.0, longest_s=LONGEST_S), SHIFTS)
    extractors = load_extractors(weights)
    figures = FrameFigures(part, FrameMetrics(extractors, torch.device("cpu"), lambda count: None))
    _, found = played_quality(backend, part, figures, conditioned=True)
    return {name: rounded(value) for name, value in found.items()}


def quality_table(by_model: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the table of all models that were measured: a row for each figure, a column for each model."""
    names = list(by_model)
    rows = [
        f"| {label} | {' | '.join(_shown(by_model[name].get(label)) for name in names)} | {GOALS.get(label, '')} |"
        for label in _labels(list(by_model.values()))
    ]
    heading = f"| | {' | '.join(names)} | goal |\n|---|{'---|' * len(names)}---|\n"
    return heading + "".join(f"{row}\n" for row in rows)


def _labels(measured: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what the table tells, in order: the distances, then what has a goal."""
    known = dict.fromkeys(label for figures in measured for label in figures)
    distances = [label for label in known if label in (L1, SSIM) or label.startswith(("ST-LPIPS", "FD "))]
    return [*distances, *(label for label in GOALS if label in known)]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
