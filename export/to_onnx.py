"""Turn a checkpoint into a model file that the engine plays.

    python -m export.to_onnx CHECKPOINT -o MODEL.onnx
    python -m export.to_onnx CHECKPOINT -o MODEL.onnx --for openvino --precision int8 --calibrate SOUND.wav

Front end, generator and conversion to bytes become one graph; the model card goes into its metadata. The graph is compared with
torch over 64 carried steps first. If the comparison fails, no file is written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.core.argument_parser import ArgumentParser
from engine.core.errors import ModelFileError, run_main
from engine.core.printable import print_line
from engine.model.card import ModelCard
from engine.model.card_limits import MOST_BATCH_SLOTS
from export.precision.choice import PRECISIONS
from export.targets.model_file import check_place
from export.targets.onnx.model import DRIFT_STEPS, Form, export_model
from export.verification.control_effects import effect_lines
from export.verification.rate import measure_rate_difference
from training.core.rate import at_rate
from training.core.streaming import StreamingModel
from training.families.registry import family
from training.families.rewriting import Rewrites
from training.loop.checkpoint import chosen_checkpoint, load_generator

LONG_DRIFT_STEPS = (1, 64, 1000, 20000)


def argument_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = ArgumentParser(
        prog="python -m export.to_onnx", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("checkpoint", type=Path, help="checkpoint written by training, or run folder: its best checkpoint is taken")
    add("-o", "--output", type=Path, required=True, metavar="MODEL.onnx")
    add("--half", action="store_true", help="store weights in 16 bits: half the file size, still computed in 32 bits")
    add("--for", dest="backend", metavar="BACKEND", default="any", help="rewrite the graph for a backend")
    add("--passes", nargs="*", metavar="PASS", help="apply these rewrites instead (docs/inference.md lists them)")
    add("--precision", choices=PRECISIONS, default="float32", help="what the file computes in (default %(default)s)")
    add("--calibrate", type=Path, metavar="SOUND", help="for int8: a recording of the kind of sound in the show")
    add("--batch", type=int, metavar="B", help="sessions that are stepped together (default 1; docs/batching.md)")
    add("--rooms", type=int, metavar="B", help=argparse.SUPPRESS)
    add("--fps", type=int, metavar="N", help="steps a second, as many as in training or more (default: as trained)")
    add("--drift", type=Path, metavar="SOUND", help="measure drift over 20,000 steps of this sound: minutes to hours")
    add(
        "--all-controls", action="store_true",
        help="keep the controls too that move the frames too little to be seen (default: they stay at their default for good)",
    )  # fmt: skip
    return parser


def form_of(arguments: argparse.Namespace, rewrites: Rewrites) -> Form:
    """Return the form that the command line asks for. Raises ModelFileError for a batch size out of range or an unknown --for."""
    if arguments.backend not in ("any", *rewrites.defaults):
        known = ", ".join(("any", *rewrites.defaults))
        raise ModelFileError(f"--for is '{arguments.backend}'; one of {known} was expected.")
    batch = arguments.batch
    if batch is None and arguments.rooms is not None:
        print_line("--rooms is now called --batch; the old name works until the next version.", file=sys.stderr)
        batch = arguments.rooms
    batch = 1 if batch is None else batch
    if not 1 <= batch <= MOST_BATCH_SLOTS:
        raise ModelFileError(f"--batch is {batch}; a whole number from 1 to {MOST_BATCH_SLOTS} was expected.")
    return Form(
        half=arguments.half,
        precision=arguments.precision,
        calibration_sound=arguments.calibrate,
        passes=tuple(
            arguments.passes if arguments.passes is not None else rewrites.defaults.get(arguments.backend, ())
        ),
        # Measured with a warp of 256 x 256: 1.5 ms against 4.7 ms as gathers. ONNX Runtime takes the same time for both.
        grid_sample=arguments.backend == "openvino",
        batch=batch,
        fps=arguments.fps,
        drift_steps=LONG_DRIFT_STEPS if arguments.drift else DRIFT_STEPS,
        drift_sound=arguments.drift,
        all_controls=arguments.all_controls,
    )


def report(card: ModelCard, path: Path) -> list[str]:
    """Return the lines that say what was written."""
    batch = [f"batch of {card.batch}"] if card.batch > 1 else []
    form = ", ".join([card.precision, *batch, *card.passes])
    parity = card.parity
    lines = [
        f"{path}: '{card.name}', {card.width}x{card.height} at {card.fps:.4g} fps, {path.stat().st_size / 1e6:.1f} MB, {form}",
        *effect_lines(card),
        f"parity with torch over {parity.steps} steps: frame {parity.frame_max:.1e}, states {parity.state_max:.1e}",
    ]
    return lines + [
        f"drift at step {drift.step:,}: {drift.psnr_db:.1f} dB, at most {drift.frame_max:.0f} of 255 levels, "
        f"states {drift.state_max:.1e}"
        for drift in card.drift
    ]


def rate_lines(model: StreamingModel, changed: StreamingModel) -> list[str]:
    """Return the lines on what another rate changed."""
    found = measure_rate_difference(model, changed)
    exact = (
        ""
        if found.same_moment is None
        else f"; at the moments that both have, frames differ by {found.same_moment:.2f}"
    )
    return [
        f"rate {changed.fps} a second, trained at {model.fps}: from frame to frame {found.change:.2f} of 255 levels change in the mean "
        f"({found.trained_change:.2f} as trained){exact}",
        f"jitter {found.jitter:.2f} levels from the middle of both neighbours ({found.trained_jitter:.2f} as trained)",
    ]


def main() -> int:
    arguments = argument_parser().parse_args()
    check_place(arguments.output, ".onnx")
    chosen = chosen_checkpoint(arguments.checkpoint)
    print_line(*chosen.lines())
    loaded = load_generator(chosen.folder)
    form = form_of(arguments, family(loaded.model.family).rewrites)
    card = export_model(loaded.model, loaded.provenance, arguments.output, form, loaded.training_sound)
    print_line(*report(card, arguments.output))
    changed = at_rate(loaded.model, form.fps)
    if changed is not loaded.model:
        print_line(*rate_lines(loaded.model, changed))
    return 0


if __name__ == "__main__":
    run_main(main)
