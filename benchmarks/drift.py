"""The drift of model files from float32 over a long show.

    python -m benchmarks.drift CHECKPOINT FLOAT32.onnx MODEL [MODEL ...] --sound FILE [--steps 20000] [--plot drift.png]

FLOAT32.onnx stands in for torch, which takes several times as long. Their equality is measured first and recorded.
All files are played with the same repeated sound and noise, each carrying its own states.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.record import append_record, print_table
from engine.core.errors import ModelFileError, run_main
from engine.model.backends.selection import AUTO, backend_names, open_backend
from engine.model.card import Drift, ModelCard
from export.verification.drift import difference, draw_drift, drift_record, measure_drift, spread_steps
from export.verification.graph import StepGraph
from export.verification.players import SoundInputs, TorchPlayer
from export.verification.sound import read_real_sound
from export.verification.verdict import check_belongs
from training.core.streaming import StreamingModel
from training.loop.checkpoint import load_generator

STAND_IN_STEPS = (1, 64)
STAND_IN_LIMIT = 1e-3


def graph_of(model: StreamingModel, card: ModelCard) -> StepGraph:
    """Return the graph with the controls that a model file has."""
    return StepGraph(model, controls=[spec.name for spec in (*card.controls, *card.fixed_controls)])


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the drift of model files over many steps.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("float32", type=Path, help="float32 file of the checkpoint")
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL")
    parser.add_argument("--sound", type=Path, required=True, metavar="FILE")
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--backend", default=AUTO, choices=backend_names())
    parser.add_argument("--plot", type=Path, default=Path("drift.png"), metavar="FILE.png")
    arguments = parser.parse_args()
    loaded = load_generator(arguments.checkpoint)
    sound = read_real_sound(arguments.sound, loaded.model.sample_rate_hz)
    backends = {path: open_backend(path, arguments.backend, threads=1) for path in arguments.models}
    for path, backend in backends.items():
        check_belongs(backend.card, loaded, path, arguments.checkpoint)

    exact_file = open_backend(arguments.float32, "onnx-cpu", threads=1)
    graph = graph_of(loaded.model, exact_file.card)
    equal = measure_drift(graph, TorchPlayer(graph), exact_file, sound, STAND_IN_STEPS)
    if not equal[-1].state_max <= STAND_IN_LIMIT:
        raise ModelFileError(
            f"{arguments.float32} is {equal[-1].state_max:.2g} from its checkpoint after {STAND_IN_STEPS[-1]} steps and cannot "
            f"stand in for it; give a float32 file exported without --half."
        )
    curves: dict[Path, list[Drift]] = {path: [] for path in backends}
    sampled, model = {*spread_steps(arguments.steps), 1, 64, 1000}, loaded.model
    # Each file has the controls that its export kept.
    graphs = {path: graph_of(model, backend.card) for path, backend in backends.items()}
    sound_inputs = {path: SoundInputs(each, sound) for path, each in graphs.items()}
    exact_inputs = SoundInputs(graph, sound)
    exact_state, states = exact_file.initial_state(), {path: each.initial_state() for path, each in backends.items()}
    for k in range(arguments.steps):
        expected = exact_file.step(exact_inputs.at(k).with_states(exact_state))
        exact_state = expected.next_state
        for path, backend in backends.items():
            came = backend.step(sound_inputs[path].at(k).with_states(states[path]))
            states[path] = came.next_state
            if k + 1 in sampled:
                curves[path].append(difference(k + 1, expected, came))
        if sys.stderr.isatty() and k % 100 == 0:
            print(f"\r{k} of {arguments.steps}", end="", file=sys.stderr)
    names = {path: f"{backend.card.precision}, {backend.name}" for path, backend in backends.items()}
    arguments.plot.write_bytes(
        draw_drift({names[path]: curve for path, curve in curves.items()}, f"{model.config.name}: drift from float32")
    )
    for path, curve in curves.items():
        figures = {"precision": backends[path].card.precision, "sound": sound.name, "drift": drift_record(curve)}
        figures["stand_in_for_torch"] = drift_record(equal)
        append_record("drift", figures, backend=backends[path].name, model=model.config.name)
        last = curve[-1]
        print_table(
            [names[path], "PSNR dB", "levels", "states"],
            [
                [f"step {d.step}", d.psnr_db, d.frame_max, d.state_max]
                for d in curve
                if d.step in {1, 64, 1000, last.step}
            ],
        )
    return 0


if __name__ == "__main__":
    run_main(main)
