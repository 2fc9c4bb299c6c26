"""Writes docs/gallery.md from the cards of the shipped models and the figures beside their sheets (benchmarks/gallery.py)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.gallery_quality import quality_table
from engine.core.structured import parse_json
from engine.model.backends.selection import read_card
from engine.model.card import ControlSpec, ModelCard
from engine.model.shipped import shipped_models

DOCS = Path(__file__).parent.parent / "docs"
PAGE, GALLERY = DOCS / "gallery.md", DOCS / "pictures/gallery"
SHEET, FILM, CONTROLS, FIGURES = "sheet.jpg", "film.mp4", "controls.jpg", "figures.json"
QUALITY = "quality"
"""Key of the figures that quality_table shows."""

_HEAD = """# Gallery

The models that ship. `python run_live.py --model NAME` plays one, `--gallery` lists them. All were trained on scenes that this project renders from recordings of licence CC0
([training.md](training.md#the-shipped-model-step-by-step)); the sound of the sheets below is in no training clip.

Generated from the model cards and measured figures; do not edit. Make the sheets of a model with the first line, and the page alone with the second:

```
python -m benchmarks.gallery NAME --clip SCENE_UNDER_THE_SAME_SOUND.mp4 --sound HELD_OUT.wav
python -m benchmarks.gallery --page       # --measure: measure the steps again too
```
"""

_QUALITY_HEAD = """## Beside the true scenes

What each model makes of sound that it was not trained on, beside the scene that the same sound moved: ten seconds, frame by frame, with input conditioning. [evaluation.md](evaluation.md#model-files-beside-each-other)
defines each figure; for L1, ST-LPIPS and FD less is better.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A shipped model: its name, its card, and the figures of its sheets, or None before they were made."""

    name: str
    card: ModelCard
    figures: dict[str, Any] | None


def shipped_entries() -> list[Entry]:
    """Return the shipped models. Raises ModelFileError."""
    return [Entry(name, read_card(path), _figures(GALLERY / name / FIGURES)) for name, path in shipped_models().items()]


def gallery_page(entries: Iterable[Entry]) -> str:
    """Return the page."""
    entries = list(entries)
    measured = {entry.name: entry.figures[QUALITY] for entry in entries if entry.figures and QUALITY in entry.figures}
    beside = [f"{_QUALITY_HEAD}\n{quality_table(measured)}"] if measured else []
    return "\n".join([_HEAD, *beside, *map(_section, entries)])


def _figures(path: Path) -> dict[str, Any] | None:
    return parse_json(path.read_text()) if path.exists() else None


def _section(entry: Entry) -> str:
    card, figures = entry.card, entry.figures
    parts = [f"## {entry.name}\n"]
    if figures:
        place = f"pictures/gallery/{entry.name}"
        parts += [
            f"![Moments of the clip above, of the model below, under the same sound]({place}/{SHEET})\n",
            f"Above the clip, below the model, under {figures['sound']}. [Ten seconds with sound]({place}/{FILM}).\n",
        ]
    parts.append(_facts(card, figures))
    if card.controls:
        parts.append(_controls(card.controls))
    if figures and card.controls:
        parts.append(
            f"Each control from its lowest to its highest value, {figures['controls_s']:g} s into the sound:\n\n"
            f"![A row for each control]({place}/{CONTROLS})\n"
        )
    return "\n".join(parts)


def _facts(card: ModelCard, figures: dict[str, Any] | None) -> str:
    window_ms, hop_ms = 1e3 * card.window_samples / card.sample_rate_hz, 1e3 * card.hop_s
    textures = len(card.layers.textures) if card.layers else 0
    kind = f"{card.family}, {textures} stored textures" if textures else card.family
    rows = [
        ("frame", f"{card.width} × {card.height}, {card.fps:.4g} a second"),
        ("sound", f"{window_ms:.0f} ms at {card.sample_rate_hz / 1000:g} kHz, every {hop_ms:.3g} ms"),
        ("family", kind),
        (
            "trained on",
            f"{card.provenance.source}; {card.provenance.licence}; {card.provenance.iterations:,} iterations",
        ),
    ]
    if figures:
        rows.append(("file", f"{figures['file_bytes'] / 1e6:.1f} MB, {card.precision}"))
        rows += _costs(figures)
    return "| | |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in rows)


def _costs(figures: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the cost of a step, and of what machine; a busy one says nothing about it."""
    machine = figures["machine"]
    if machine["load_1min"] is not None and machine["load_1min"] > machine["cores"]:
        return [("a step", "not measured on a quiet machine yet")]
    steps = [
        (f"a step on {_threads(one['threads'])}", f"{one['p50_ms']:.1f} ms, 95 % within {one['p95_ms']:.1f} ms")
        for one in figures["steps"]
    ]
    return [*steps, ("measured on", f"{machine['cores']} cores, {machine['cpu']}, {figures['at'][:10]}")]


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _controls(controls: Sequence[ControlSpec]) -> str:
    rows = "".join(
        f"| `{one.name}` | {one.low:g} to {one.high:g} | {one.default:g} | {one.help} |\n" for one in controls
    )
    return "| control | range | default | what it does |\n|---|---|---|---|\n" + rows


def figures_text(figures: dict[str, Any]) -> str:
    """Return figures as the file holds them."""
    return json.dumps(figures, indent=1) + "\n"
