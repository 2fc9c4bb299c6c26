"""The verdict on a model file: its differences from the checkpoint, the bounds of its precision, and the report."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.core.atomic_files import write_bytes, write_text
from engine.core.errors import ModelFileError
from engine.model.card import Drift, ModelCard, Provenance, StateSpec
from engine.model.layers import ROLES
from engine.model.step import Step
from export.verification.drift import difference, draw_drift, drift_record, farthest, play_both, spread_steps
from export.verification.graph import StepGraph
from export.verification.players import Player, TorchPlayer
from export.verification.sound import RealSound
from training.core.layered import LayeredModel
from training.core.streaming import StreamingModel
from training.loop.checkpoint import LoadedGenerator

LEAST_PSNR_DB = {"float32": 60.0, "float16": 45.0, "bfloat16": 38.0, "int8": 35.0}
"""Of the worst frame compared: what the shipped model and the paper's reach, less a margin for other clips."""
LEAST_COMPOSED_PSNR_DB = 50.0
"""Of composed frames, in any precision that must reach more: the engine rounds textures before it lights them, and torch does not."""
SETTLED_STEP = 8
"""Files in fewer bits are judged from this step on: in the first frames after a reset they are further off."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The differences between a model file and its checkpoint."""

    precision: str
    curve: tuple[Drift, ...]
    """At steps spread evenly on a logarithmic scale."""
    output_max: dict[str, float]
    """Largest difference of each output and each state over all steps; `frame` in levels of 255."""
    composed: bool = False
    """Whether the model is layered."""

    @property
    def judged(self) -> tuple[Drift, ...]:
        """The part of the curve that counts."""
        settled = tuple(drift for drift in self.curve if drift.step >= SETTLED_STEP)
        return self.curve if self.precision == "float32" or not settled else settled

    @property
    def least_psnr_db(self) -> float:
        least_db = LEAST_PSNR_DB[self.precision]
        return min(least_db, LEAST_COMPOSED_PSNR_DB) if self.composed else least_db

    @property
    def worst_psnr_db(self) -> float:
        return min(drift.psnr_db for drift in self.judged)

    def check(self, model: Path) -> None:
        """Raise ModelFileError when a frame is worse than the precision allows, or a value is not finite."""
        least_db = self.least_psnr_db
        faulty = [name for name, value in self.output_max.items() if not math.isfinite(value)]
        if faulty:
            raise ModelFileError(f"{model} gives values that are not finite in {', '.join(faulty)}; export it again.")
        if self.worst_psnr_db < least_db:
            worst = min(self.judged, key=lambda drift: drift.psnr_db)
            raise ModelFileError(
                f"{model} differs too much from its checkpoint: its frame at step {worst.step} has {worst.psnr_db:.1f} dB, "
                f"and {self.precision} must reach {least_db:g} dB; export it again, in more bits or calibrated on the sound of the show."
            )


def compare(graph: StepGraph, player: Player, card: ModelCard, sound: RealSound, steps: int) -> Verdict:
    """Play `steps` steps with float32 torch and with `player`."""
    sampled = set(spread_steps(steps))
    curve: list[Drift] = []
    output_max: dict[str, float] = {}

    def note(step: int, expected: Step, came: Step) -> None:
        found = difference(step, expected, came)
        apart = {"frame": found.frame_max, "features": farthest(expected.features_F, came.features_F)}
        apart |= {name: farthest(value, came.next_state[name]) for name, value in expected.next_state.items()}
        for name, value in apart.items():
            output_max[name] = max(output_max.get(name, 0.0), value)
        if step in sampled:
            curve.append(found)

    play_both(graph, TorchPlayer(graph), player, sound, steps, note)
    return Verdict(card.precision, tuple(curve), output_max, card.layers is not None)


def check_belongs(card: ModelCard, loaded: LoadedGenerator, model: Path, checkpoint: Path) -> None:
    """Raise ModelFileError, naming the first difference, unless the file was made from this checkpoint."""
    made = loaded.model
    left_out = {effect.name for effect in card.left_out}
    pairs: dict[str, tuple[object, object]] = {
        "name": (card.name, made.name),
        "family": (card.family, made.family),
        "sample rate": (card.sample_rate_hz, made.sample_rate_hz),
        "window": (card.window_samples, made.window_samples),
        "hop": (card.hop_samples, made.hop_samples),
        "frame size": (f"{card.width}x{card.height}", str(made.frame_size)),
        "set of textures": (_textures(card), _made_textures(made)),
        "states": (
            card.states,
            tuple(StateSpec(name=name, shape=shape) for name, shape in made.state_shapes().items()),
        ),
        "noises": (card.noises, made.noise_specs()),
        "controls": (card.controls, tuple(c for c in made.control_specs() if c.name not in left_out)),
        "training": (_training(card.provenance), _training(loaded.provenance)),
    }
    for what, (ours, theirs) in pairs.items():
        if ours != theirs:
            raise ModelFileError(
                f"{model} was not made from {checkpoint}: its {what} is {ours}, the checkpoint's is {theirs}; "
                "give the checkpoint it was exported from."
            )


def _textures(card: ModelCard) -> str:
    """Return the sizes of the textures and the fields that compose them, in words."""
    if card.layers is None:
        return "none"
    sizes = [f"{texture.width}x{texture.height}" for texture in card.layers.textures]
    return _in_words(sizes, [role for role in ROLES if getattr(card.layers, role)])


def _made_textures(model: StreamingModel) -> str:
    if not isinstance(model, LayeredModel):
        return "none"
    sizes = [f"{levels.shape[-1]}x{levels.shape[-2]}" for levels in model.texture_levels]
    return _in_words(sizes, [role for role in ROLES if role in model.field_shapes()])


def _in_words(sizes: Sequence[str], roles: Sequence[str]) -> str:
    return f"{', '.join(sizes)} with {', '.join(roles)}"


def _training(provenance: Provenance) -> tuple[str, str, int]:
    return provenance.source, provenance.config, provenance.iterations


def write_report(verdict: Verdict, facts: dict[str, Any], model: Path) -> tuple[Path, Path]:
    """Write the JSON and the plot beside the model. Raises ModelFileError when they cannot be written."""
    report, plot = (model.with_name(f"{model.name}.verify.{kind}") for kind in ("json", "png"))
    values = {
        **facts,
        "precision": verdict.precision,
        "least_psnr_db": verdict.least_psnr_db,
        "worst_psnr_db": verdict.worst_psnr_db,
        "largest_difference": {
            name: value if math.isfinite(value) else None for name, value in verdict.output_max.items()
        },
        "drift": [
            {key: value if math.isfinite(value) else None for key, value in drift.items()}
            for drift in drift_record(verdict.curve)
        ],
    }
    try:
        write_text(report, json.dumps(values, indent=1))
        write_bytes(plot, draw_drift({facts["backend"]: verdict.curve}, f"{model.name} against its checkpoint"))
    except OSError as error:
        raise ModelFileError(f"Cannot write {report} or {plot}: {error.strerror}; copy the model elsewhere.") from error
    return report, plot
