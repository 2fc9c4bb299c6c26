"""Figures of an evaluation: rows (who played) by part and length, mean and deviation over sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

RowKind = Literal["ceiling", "passage", "model", "floor", "mean frame"]

EXPLANATIONS: dict[str, str] = {
    "ceiling": "the clip itself, each picture one frame late: as near as real video comes without being the same frames",
    "passage": "real video of another moment, half a clip away: looks right, moves to other sound",
    "model": "the generator, driven by the passage's own sound from its initial state",
    "floor": "the same generator driven by sound of other moments: what it shows without listening",
    "mean frame": "the mean picture of what taught, held still",
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
        """Write three figures of the mean, and the deviation to the same place: 0.0123 ± 0.0045."""
        size = int(np.floor(np.log10(max(abs(self.mean), 1e-4)))) if self.mean else 0
        places = min(max(2 - size, 0), 5)
        tail = "" if self.deviation is None else f" ± {self.deviation:.{places}f}"
        return f"{self.mean:.{places}f}{tail}"


@dataclass(frozen=True, slots=True)
class Row:
    """One player. figures[part][length][label]."""

    name: str
    kind: RowKind
    figures: dict[str, dict[int, dict[str, Spread]]]

    def get(self, part: str, length: int, label: str) -> Spread | None:
        """Return one figure, or None where it was not measured."""
        return self.figures.get(part, {}).get(length, {}).get(label)


@dataclass(frozen=True, slots=True)
class ForeignRow:
    """Frames driven by one kind of sound, against the clip's own frames."""

    name: str
    kind: str
    figures: dict[str, Spread]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that was measured, with what it was measured on."""

    about: dict[str, Any]
    rows: list[Row]
    foreign: dict[str, list[ForeignRow]]
    missing: list[str]
    notices: list[str]

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
        """Return plain values, as the JSON file holds them."""
        return asdict(self)


def direction(label: str) -> str:
    """Say which way is better."""
    return "higher is better" if label.startswith(("PSNR", "SSIM", "synchrony")) else "lower is better"


def summarise(measured: Mapping[int, Sequence[Mapping[str, float]]]) -> dict[int, dict[str, Spread]]:
    """Turn the figures of each sequence by length into means and deviations."""
    found: dict[int, dict[str, Spread]] = {}
    for length, sequences in measured.items():
        names = dict.fromkeys(name for figures in sequences for name in figures)
        found[length] = {name: Spread.of([figures[name] for figures in sequences if name in figures]) for name in names}
    return found
