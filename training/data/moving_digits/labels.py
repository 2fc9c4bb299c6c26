"""What is known of a clip of moving digits: the truth that a measure of synchrony is tested with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.core.atomic_files import write_text
from engine.core.errors import TrainingError
from engine.core.small_files import read_text
from engine.core.structured import parse_json, plain_values, structure

LARGEST_LABELS_BYTES = 64 << 20
LEGACY = ", legacy"
"""Ends the name of the original's recipe."""

Against = Literal["edge", "obstacle"]
Place = tuple[float, float]
"""Right and down, in pixels, of the top left corner."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounce:
    """A digit turned back: its tone changes in the sound of this frame, and the frame is the first after the turn.

    In the original's recipe the turn is seen in the next frame; a digit that meets edge and obstacle at once has two bounces; and in a frame
    in which the edge is met and the obstacle too, by one digit or by two, no bounce tone sounds.
    """

    frame: int
    time_s: float
    """Where the bounce tone begins; the time stamp of the frame."""
    digit: int
    """Which digit of the clip, from 0."""
    against: Against


@dataclass(frozen=True, kw_only=True, slots=True)
class Obstacle:
    """A white square that appears and stays."""

    frame: int
    """The first frame with it."""
    place: Place
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipLabels:
    """One clip: frame k has the time stamp k / fps and shows the digits after the sound up to (k + 1) / fps."""

    recipe: str
    """M3SO or M3SO-NB; with "legacy" in the original's recipe."""
    seed: int
    number: int
    """Of the clip in its part, from 0."""
    size: int
    fps: int
    sample_rate_hz: int
    digit_size: int
    digits: tuple[int, ...]
    """What is seen and heard, e.g. 3 and 7."""
    places: tuple[tuple[Place, ...], ...]
    """Of each digit in each frame."""
    bounces: tuple[Bounce, ...]
    obstacle: Obstacle | None

    @property
    def is_legacy(self) -> bool:
        """Made with the original's recipe."""
        return self.recipe.endswith(LEGACY)

    @property
    def onsets_s(self) -> tuple[float, ...]:
        """Times at which a bounce tone begins, each once. A bounce in the frame after another goes on with its tone."""
        met: dict[int, set[Against]] = {}
        for bounce in self.bounces:
            met.setdefault(bounce.frame, set()).add(bounce.against)
        frames = sorted(frame for frame, against in met.items() if not (self.is_legacy and len(against) > 1))
        return tuple(frame / self.fps for frame in frames if frame - 1 not in frames)

    def text(self) -> str:
        """Return the labels as JSON, the same for the same labels."""
        return json.dumps(plain_values(self), separators=(",", ":")) + "\n"


def write_labels(path: Path, labels: ClipLabels) -> None:
    """Write a file of labels. Raises OSError."""
    write_text(path, labels.text())


def read_labels(path: Path) -> ClipLabels:
    """Read a file of labels. Raises TrainingError for a file that is missing, damaged or something else."""
    try:
        values = parse_json(read_text(path, LARGEST_LABELS_BYTES))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TrainingError(
            f"{path} holds no labels of moving digits ({reason}); give the JSON beside a clip of training.data.moving_digits."
        ) from error
    return structure(ClipLabels, values, TrainingError, noun="label", before=f"{path}: ")
