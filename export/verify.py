"""Play a model file and its checkpoint side by side with real sound and report the differences.

    python -m export.verify CHECKPOINT MODEL [--backend NAME] [--sound FILE] [--steps N]

Each side carries its own states. The report goes beside the model, into MODEL.verify.json and MODEL.verify.png. The exit code is 2
when a frame is further off than the file's precision allows, or when the model was not exported from the checkpoint.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.core.argument_parser import ArgumentParser
from engine.core.errors import ModelFileError, run_main
from engine.core.printable import print_line
from engine.model.backends.selection import AUTO, backend_names, open_backend
from export.precision.half_storage import holds_half_weights, round_weights
from export.targets.layers import take_stored_textures
from export.verification.graph import StepGraph
from export.verification.sound import made_sound, read_real_sound
from export.verification.verdict import check_belongs, compare, write_report
from training.core.rate import at_rate
from training.loop.checkpoint import chosen_checkpoint, load_generator

DEFAULT_STEPS = 64
MOST_TEXTURE_LEVELS = 3.0
"""Mean difference of a texture in the file from that of the checkpoint: what JPEG takes away."""


def main() -> int:
    parser = ArgumentParser(prog="python -m export.verify", description="Compare a model file with its checkpoint.")
    parser.add_argument("checkpoint", type=Path, help="checkpoint or run folder that the model was exported from")
    parser.add_argument("model", type=Path, help="model file")
    parser.add_argument(
        "--backend", default=AUTO, choices=backend_names(), help="backend that plays the model (default auto)"
    )
    parser.add_argument(
        "--sound", type=Path, metavar="FILE", help="sound or video file, repeated (default: a synthetic sound)"
    )
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS, help=f"steps to compare (default {DEFAULT_STEPS})")
    arguments = parser.parse_args()
    if arguments.steps < 1:
        parser.error(f"--steps is {arguments.steps}; at least 1 is needed")
    backend = open_backend(arguments.model, arguments.backend)
    loaded = load_generator(chosen_checkpoint(arguments.checkpoint).folder)
    if backend.card.trained_fps:
        loaded = replace(loaded, model=at_rate(loaded.model, round(backend.card.fps)))
    check_belongs(backend.card, loaded, arguments.model, arguments.checkpoint)
    rate_hz = loaded.model.sample_rate_hz
    sound = read_real_sound(arguments.sound, rate_hz) if arguments.sound else made_sound(rate_hz)
    rounded = holds_half_weights(arguments.model)
    if rounded:
        round_weights(loaded.model)
    texture_levels = take_stored_textures(loaded.model, arguments.model, backend.card.layers)
    check_textures(texture_levels, arguments.model, arguments.checkpoint)
    inputs = [spec.name for spec in (*backend.card.controls, *backend.card.fixed_controls)]
    graph = StepGraph(loaded.model, backend.card.batch, inputs)
    verdict = compare(graph, backend, backend.card, sound, arguments.steps)
    facts = {
        "model": arguments.model.name,
        "checkpoint": str(arguments.checkpoint),
        "backend": backend.description,
        "sound": sound.name,
        "steps": arguments.steps,
        "checkpoint_rounded_to_16_bits": rounded,
        "textures_differ_by_levels": texture_levels,
    }
    report, plot = write_report(verdict, facts, arguments.model)
    verdict.check(arguments.model)
    last = verdict.curve[-1]
    print_line(
        f"{arguments.model}: {backend.description}, {verdict.precision}, {arguments.steps} steps of {sound.name}"
    )
    print_line(
        f"frames: worst {verdict.worst_psnr_db:.1f} dB, at the last step {last.psnr_db:.1f} dB; states {last.state_max:.1e}"
    )
    for name, value in verdict.output_max.items():
        print_line(f"  {name}: largest difference {value:.2g}")
    print_line(f"report: {report}, {plot}")
    return 0


def check_textures(levels: float, model: Path, checkpoint: Path) -> None:
    """Raise ModelFileError where the textures of a file are further from its checkpoint's than storing them explains."""
    if levels > MOST_TEXTURE_LEVELS:
        raise ModelFileError(
            f"{model}: its textures are {levels:.1f} of 255 levels from those of {checkpoint}; at most {MOST_TEXTURE_LEVELS:g} was "
            "expected of storing. Export the checkpoint again."
        )


if __name__ == "__main__":
    run_main(main)
