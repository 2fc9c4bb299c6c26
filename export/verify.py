"""Play a model file and its checkpoint side by side with real sound and say how far apart they are.

    python -m export.verify CHECKPOINT MODEL [--backend NAME] [--sound FILE] [--steps N]

Each side carries its own states. MODEL.verify.json and MODEL.verify.png are written beside the model; the exit code is 2 when a
picture is further off than the file's precision allows, or when model and checkpoint do not belong together.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from engine.core.atomic_files import write_bytes, write_text
from engine.core.errors import ModelFileError, run_main
from engine.model.backends.backend import Backend
from engine.model.backends.selection import AUTO, backend_names, open_backend
from engine.model.card import Drift, ModelCard, Provenance, StateSpec
from engine.model.noise import draw_noise
from export.drift import difference, draw_drift, drift_record, farthest, play_both, spread_steps
from export.graph import StepGraph
from export.half_storage import round_weights
from export.precision.carried import NOISE_SEED, Player, Seen, TorchPlayer
from export.precision.sound import RealSound, made_sound, read_real_sound
from training.loop.checkpoint import LoadedGenerator, load_generator

# T audio samples

LEAST_PSNR_DB = {"float32": 60.0, "float16": 45.0, "bfloat16": 38.0, "int8": 35.0}
"""Of the worst picture compared; from what the shipped and the paper's model reach, less a margin for other clips."""
SETTLED_STEP = 8
"""Files of fewer bits are judged from here on: from the zero state, a frame or two after a reset, they are further off."""
DEFAULT_STEPS = 64


class BackendPlayer:
    """A model file, played as in a show."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._shapes = {info.name: info.shape for info in backend.card.inputs()}
        self._controls: dict[str, Any] = {
            spec.name: np.full(self._shapes[spec.name], spec.default, np.float32) for spec in backend.card.controls
        }
        self._state = backend.initial_state()

    def step(self, window_T: NDArray[np.float32], k: int) -> Seen:
        noise = draw_noise(self._backend.card.noises, NOISE_SEED, k)
        given = {name: self._for_all_rooms(name, value) for name, value in {"audio": window_T, **noise}.items()}
        came = self._backend.step(given.pop("audio"), self._controls, given, self._state)
        self._state = came.next_state
        return Seen(came.pixels_HWC, came.features_F, dict(came.next_state))

    def _for_all_rooms(self, name: str, value: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.array(np.broadcast_to(value, self._shapes[name]))


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far a model file is from its checkpoint."""

    precision: str
    curve: tuple[Drift, ...]
    """At steps spread evenly over their logarithm."""
    output_max: dict[str, float]
    """Largest difference of each output and each state over all steps; `frame` in levels of 255."""

    @property
    def judged(self) -> tuple[Drift, ...]:
        """The part of the curve that counts."""
        settled = tuple(drift for drift in self.curve if drift.step >= SETTLED_STEP)
        return self.curve if self.precision == "float32" or not settled else settled

    @property
    def worst_psnr_db(self) -> float:
        return min(drift.psnr_db for drift in self.judged)

    def check(self, model: Path) -> None:
        """Raise ModelFileError when a picture is worse than the precision allows, or a number is none."""
        least_db = LEAST_PSNR_DB[self.precision]
        strange = [name for name, value in self.output_max.items() if not math.isfinite(value)]
        if strange:
            raise ModelFileError(f"{model} gives values that are not finite in {', '.join(strange)}; export it again.")
        if self.worst_psnr_db < least_db:
            worst = min(self.judged, key=lambda drift: drift.psnr_db)
            raise ModelFileError(
                f"{model} is not faithful: its picture at step {worst.step} has {worst.psnr_db:.1f} dB against the checkpoint, "
                f"and {self.precision} should reach {least_db:g} dB; export it again, in more bits or calibrated on the show's sound."
            )


def compare(graph: StepGraph, player: Player, card: ModelCard, sound: RealSound, steps: int) -> Verdict:
    """Play `steps` steps with float32 torch and with `player`."""
    sampled = set(spread_steps(steps))
    curve: list[Drift] = []
    output_max: dict[str, float] = {}

    def note(step: int, expected: Seen, came: Seen) -> None:
        found = difference(step, expected, came)
        apart = {"frame": found.frame_max, "features": farthest(expected.features_F, came.features_F)}
        apart |= {name: farthest(value, came.states[name]) for name, value in expected.states.items()}
        for name, value in apart.items():
            output_max[name] = max(output_max.get(name, 0.0), value)
        if step in sampled:
            curve.append(found)

    play_both(graph, TorchPlayer(graph), player, sound, steps, note)
    return Verdict(card.precision, tuple(curve), output_max)


def check_belongs(card: ModelCard, loaded: LoadedGenerator, model: Path, checkpoint: Path) -> None:
    """Raise ModelFileError, naming the first difference, unless the file was made from this checkpoint."""
    made = loaded.model
    size = made.config.image_size
    pairs: dict[str, tuple[object, object]] = {
        "name": (card.name, made.config.name),
        "family": (card.family, made.config.family),
        "sample rate": (card.sample_rate_hz, made.sample_rate_hz),
        "window": (card.window_samples, made.window_samples),
        "hop": (card.hop_samples, made.hop_samples),
        "picture": ((card.width, card.height), (size, size)),
        "states": (
            card.states,
            tuple(StateSpec(name=name, shape=shape) for name, shape in made.state_shapes().items()),
        ),
        "noises": (card.noises, made.noise_specs()),
        "controls": (card.controls, made.control_specs()),
        "taught": (_taught(card.provenance), _taught(loaded.provenance)),
    }
    for what, (ours, theirs) in pairs.items():
        if ours != theirs:
            raise ModelFileError(
                f"{model} was not made from {checkpoint}: its {what} is {ours}, the checkpoint's is {theirs}; "
                "give the checkpoint it was exported from."
            )


def holds_half_weights(model: Path) -> bool:
    """Say whether the file computes in 32 bits with weights stored in 16 (export.half_storage): the checkpoint is then rounded too."""
    if model.suffix != ".onnx":
        return False
    graph = onnx.ModelProto.FromString(model.read_bytes()).graph
    stored = {constant.name for constant in graph.initializer if constant.data_type == onnx.TensorProto.FLOAT16}
    return any(node.op_type == "Cast" and node.input[0] in stored for node in graph.node)


def _taught(provenance: Provenance) -> tuple[str, str, int]:
    return provenance.source, provenance.config, provenance.iterations


def write_report(verdict: Verdict, facts: dict[str, Any], model: Path) -> tuple[Path, Path]:
    """Write the JSON and the plot beside the model. Raises ModelFileError when they cannot be written."""
    report, plot = (model.with_name(f"{model.name}.verify.{kind}") for kind in ("json", "png"))
    values = {
        **facts,
        "precision": verdict.precision,
        "least_psnr_db": LEAST_PSNR_DB[verdict.precision],
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


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m export.verify", description="Compare a model file with its checkpoint."
    )
    parser.add_argument("checkpoint", type=Path, help="checkpoint or run folder that the model was exported from")
    parser.add_argument("model", type=Path, help="model file")
    parser.add_argument("--backend", default=AUTO, choices=backend_names(), help="what plays the model (default auto)")
    parser.add_argument(
        "--sound", type=Path, metavar="FILE", help="sound or video file, repeated; default: a made sound"
    )
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS, help=f"steps to play (default {DEFAULT_STEPS})")
    arguments = parser.parse_args()
    if arguments.steps < 1:
        parser.error(f"--steps is {arguments.steps}; at least 1 is needed")
    backend = open_backend(arguments.model, arguments.backend)
    loaded = load_generator(arguments.checkpoint)
    check_belongs(backend.card, loaded, arguments.model, arguments.checkpoint)
    rate_hz = loaded.model.sample_rate_hz
    sound = read_real_sound(arguments.sound, rate_hz) if arguments.sound else made_sound(rate_hz)
    rounded = holds_half_weights(arguments.model)
    if rounded:
        round_weights(loaded.model)
    graph = StepGraph(loaded.model, backend.card.rooms)
    verdict = compare(graph, BackendPlayer(backend), backend.card, sound, arguments.steps)
    facts = {
        "model": arguments.model.name,
        "checkpoint": str(arguments.checkpoint),
        "backend": backend.description,
        "sound": sound.name,
        "steps": arguments.steps,
        "checkpoint_rounded_to_16_bits": rounded,
    }
    report, plot = write_report(verdict, facts, arguments.model)
    verdict.check(arguments.model)
    last = verdict.curve[-1]
    print(f"{arguments.model}: {backend.description}, {verdict.precision}, {arguments.steps} steps of {sound.name}")
    print(
        f"pictures: worst {verdict.worst_psnr_db:.1f} dB, at the last step {last.psnr_db:.1f} dB; states {last.state_max:.1e}"
    )
    for name, value in verdict.output_max.items():
        print(f"  {name}: at most {value:.2g} apart")
    print(f"report: {report}, {plot}")
    return 0


if __name__ == "__main__":
    run_main(main)
