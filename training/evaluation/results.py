"""Figures of an evaluation: rows by part and sequence length, with mean and deviation over sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from training.evaluation.held_out_synchrony import RECORD_KEY, SynchronyRow
from training.evaluation.positions import Curve, Series, curves
from training.evaluation.sequences import TRAINED

RowKind = Literal["ceiling", "other moment", "model", "floor", "mean frame"]

FILE_KEYS = {TRAINED: "taught, looped"}
"""Parts whose key in evaluation.json is older than their name."""
EXPLANATIONS: dict[str, str] = {
    "ceiling": "the clip itself, one frame late: the best result without using the same frames",
    "other moment": "real video, half a clip away: it looks right but moves with other sound",
    "model": "the generator with the sound of the sequence, from its initial state",
    "floor": "the same generator with sound of other moments: its result when the sound does not matter",
    "mean frame": "the mean frame of the trained part, repeated",
}


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and deviation over sequences; the deviation of one sequence is None."""

    mean: float
    deviation: float | None
    sequences: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise at least one value (deviation with n - 1)."""
        return cls(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None, len(values))

    def text(self) -> str:
        """Write the mean with three significant digits and the deviation with as many decimals: 0.0123 ± 0.0045."""
        size = int(np.floor(np.log10(max(abs(self.mean), 1e-4)))) if self.mean else 0
        places = min(max(2 - size, 0), 5)
        tail = "" if self.deviation is None else f" ± {self.deviation:.{places}f}"
        return f"{self.mean:.{places}f}{tail}"


@dataclass(frozen=True, slots=True)
class Measured:
    """One row on one part of one clip."""

    sequences: Mapping[int, Sequence[Mapping[str, float]]]
    """The figures of each sequence, by length."""
    rollouts: Sequence[Mapping[str, Series]]
    """The figures of each frame of each rollout; NaN where not measured."""


@dataclass(frozen=True, slots=True)
class MeasuredRow:
    """One row on one clip, by part."""

    name: str
    kind: RowKind
    parts: dict[str, Measured]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the tables: figures[part][length][label] over sequences, positions[part][label] along them."""

    name: str
    kind: RowKind
    figures: dict[str, dict[int, dict[str, Spread]]]
    positions: dict[str, dict[str, Curve]]

    @classmethod
    def pooled(cls, clips: Sequence[MeasuredRow]) -> Row:
        """Summarise the sequences of the same row on all clips."""
        figures, positions = {}, {}
        for part in dict.fromkeys(part for row in clips for part in row.parts):
            measured = [row.parts[part] for row in clips if part in row.parts]
            lengths = sorted({length for each in measured for length in each.sequences})
            figures[part] = summarise({n: [s for each in measured for s in each.sequences.get(n, ())] for n in lengths})
            positions[part] = curves([rollout for each in measured for rollout in each.rollouts])
        return cls(clips[0].name, clips[0].kind, figures, positions)

    def get(self, part: str, length: int, label: str) -> Spread | None:
        """Return one figure, or None where it was not measured."""
        return self.figures.get(part, {}).get(length, {}).get(label)


@dataclass(frozen=True, slots=True)
class OutsideRow:
    """Frames generated from one kind of sound, compared with the clip's own frames."""

    name: str
    kind: str
    figures: dict[str, Spread]


@dataclass(frozen=True, slots=True)
class PieceFigures:
    """One piece of sound from outside the clip: its file, its place there and the figures of the frames."""

    file: str
    start_s: float
    seconds: float
    figures: dict[str, float]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All results, and the clip, checkpoints and options they belong to."""

    about: dict[str, Any]
    rows: list[Row]
    outside: dict[str, list[OutsideRow]]
    """Rows by checkpoint."""
    pieces: dict[str, list[PieceFigures]]
    """Every piece of sound from outside, by checkpoint."""
    missing: list[str]
    notices: list[str]
    synchrony: list[SynchronyRow]
    """The synchrony suite on the held-out part, the clip's own row last; empty where the sequences are too short."""

    def outside_table(self) -> list[OutsideRow]:
        """Return one row a checkpoint with its references below it; real video and the mean frame are the same for all."""
        table, by_kind = [], {}
        for name, rows in self.outside.items():
            by_kind = {row.kind: row for row in rows}
            table += [
                OutsideRow(name, "outside", by_kind["outside"].figures),
                *(
                    OutsideRow(f"{name}, {by_kind[kind].name}", kind, by_kind[kind].figures)
                    for kind in ("model", "floor")
                ),
            ]
        return [by_kind["ceiling"], *table, by_kind["mean frame"]] if table else []

    def columns(self) -> list[tuple[str, int]]:
        """Return (part, length) in the order of tables."""
        found: dict[tuple[str, int], None] = {}
        for row in self.rows:
            for part, lengths in row.figures.items():
                found.update({(part, length): None for length in lengths})
        order = list(dict.fromkeys(part for part, _ in found))
        return sorted(found, key=lambda column: (order.index(column[0]), column[1]))

    def labels(self) -> list[str]:
        """Return every figure's name in the order of tables."""
        found: dict[str, None] = {}
        for row in self.rows:
            for lengths in row.figures.values():
                for figures in lengths.values():
                    found.update(dict.fromkeys(figures))
        return sorted(found, key=lambda label: label == "synchrony")

    def record(self) -> dict[str, Any]:
        """Return plain values under the keys of evaluation.json, which stay the same in every version."""
        values = asdict(self)
        values["foreign"] = values.pop("outside")
        values[RECORD_KEY] = values.pop("synchrony")
        del values["pieces"]  # They are in foreign.csv.
        for row in values["rows"]:
            del row["positions"]  # They are in positions.csv.
            row["figures"] = {FILE_KEYS.get(part, part): lengths for part, lengths in row["figures"].items()}
        return values


def direction(label: str) -> str:
    """Tell whether higher or lower is better."""
    return "higher is better" if label.startswith(("PSNR", "SSIM", "synchrony")) else "lower is better"


def summarise(measured: Mapping[int, Sequence[Mapping[str, float]]]) -> dict[int, dict[str, Spread]]:
    """Return mean and deviation of each figure over the sequences of each length."""
    found: dict[int, dict[str, Spread]] = {}
    for length, sequences in measured.items():
        names = dict.fromkeys(name for figures in sequences for name in figures)
        found[length] = {name: Spread.of([figures[name] for figures in sequences if name in figures]) for name in names}
    return found
