"""Measure how far each control of a model file moves its frames, and write the file with those alone that a person sees.

    python -m export.measure_controls MODEL.onnx [--sound SOUND.wav] [-o MODEL.onnx]

For files whose checkpoint is gone; export.to_onnx does the same for new ones. The graph is not touched: controls that move the frames
too little stay inputs at their defaults, so frames are equal to the bit, and scenes and takes of the file play as before. Controls that
do nothing by themselves, such as freeze_z of Sound2Sight, stay parameters.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from engine.core.argument_parser import ArgumentParser
from engine.core.errors import ModelFileError, run_main
from engine.core.printable import print_line
from engine.model.backends.selection import open_backend
from engine.model.card import ModelCard
from engine.model.control_effect import ControlEffect
from engine.model.file import read_model, sealed
from engine.model.known_models import is_ours
from export.targets.model_file import check_place, write_model_file, write_own_model
from export.verification.control_effects import backend_effects, effect_lines, seen
from export.verification.sound import read_real_sound


def argument_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = ArgumentParser(
        prog="python -m export.measure_controls",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="a model file made by export.to_onnx")
    parser.add_argument("--sound", type=Path, help="sound to measure with (default: a sound made by formula)")
    parser.add_argument("-o", "--output", type=Path, metavar="MODEL.onnx", help="the file to write (default: none)")
    return parser


def with_seen_controls(card: ModelCard, measured: tuple[ControlEffect, ...]) -> ModelCard:
    """Return the card with the controls that are seen as parameters, and the others fixed."""
    every = (*card.controls, *card.fixed_controls)
    names = seen(every, measured)
    return replace(
        card,
        controls=tuple(control for control in every if control.name in names),
        fixed_controls=tuple(control for control in every if control.name not in names),
        control_effects=measured,
    )


def main() -> int:
    arguments = argument_parser().parse_args()
    if arguments.output:
        check_place(arguments.output, ".onnx")
    card, content = read_model(arguments.model)
    if card.batch > 1:
        raise ModelFileError(
            f"{arguments.model} has a batch of {card.batch}, and controls are measured without one; give the file without --batch."
        )
    sound = read_real_sound(arguments.sound, card.sample_rate_hz) if arguments.sound else None
    changed = with_seen_controls(card, backend_effects(open_backend(arguments.model, "onnx-cpu"), sound))
    print_line(*effect_lines(changed))
    if arguments.output:
        write = write_own_model if is_ours(content.sha256) else write_model_file
        write(sealed(content.data, changed), arguments.output)
        print_line(f"{arguments.output}: parameters {', '.join(c.name for c in changed.controls) or 'none'}")
    return 0


if __name__ == "__main__":
    run_main(main)
