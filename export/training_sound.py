"""Write into a model file what its training sound was like, so that a show can bring any sound there.

    python -m export.training_sound MODEL.onnx CLIP -o NEW.onnx

New exports say it themselves; this is for files from before. The graph stays as it is, to the bit: only the card changes.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from engine.core.argument_parser import ArgumentParser
from engine.core.errors import ModelFileError, run_main
from engine.core.printable import print_line
from engine.model.file import read_model, sealed
from engine.model.known_models import is_ours
from engine.model.training_sound import TrainingSound
from export.targets.model_file import write_model_file, write_own_model
from export.verification.sound import read_real_sound
from training.data.training_sound import measured_sound


def argument_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = ArgumentParser(
        prog="python -m export.training_sound",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("model", type=Path, help="model file, an .onnx")
    add("sound", type=Path, metavar="CLIP", help="the clip that the model was trained on, or its sound")
    add("-o", "--output", type=Path, required=True, metavar="NEW.onnx", help="may be the model file itself")
    add("--name", metavar="TEXT", help="what the card calls the sound (default: the clip's title in the card)")
    return parser


def described(model: Path, sound: Path, output: Path, name: str | None = None) -> TrainingSound:
    """Write `output`: the model file with the levels of `sound` in its card. Returns what was measured.

    Raises ModelFileError for a file that is no model file, says it already or cannot be written, TrainingError for a sound that cannot be read.
    """
    card, content = read_model(model)
    if card.training_sound is not None:
        # Also how far training raised its sound, which the clip doesn't tell.
        raise ModelFileError(
            f"The card of {model} already says what its training sound was like ({card.training_sound.sound}); play the file as it "
            "is, or export its checkpoint again."
        )
    played = read_real_sound(sound, card.sample_rate_hz)
    measured = measured_sound(
        [played.sound_T], card.sample_rate_hz, card.hop_samples, name or card.provenance.source or played.name
    )
    # Whether it may play without a first test depends on the graph, which stays.
    write = write_own_model if is_ours(content.sha256) else write_model_file
    write(sealed(content.data, replace(card, training_sound=measured)), output)
    return measured


def main() -> int:
    arguments = argument_parser().parse_args()
    measured = described(arguments.model, arguments.sound, arguments.output, arguments.name)
    print_line(*report(measured, arguments.output))
    return 0


def report(measured: TrainingSound, path: Path) -> list[str]:
    """Return the lines that say what was written."""
    bands = ", ".join(f"{band.low_hz:g}-{band.high_hz:g} Hz {band.loud_db:.0f} dB" for band in measured.bands)
    return [
        f"{path}: loud parts at {measured.loudness_db:.1f} dB, quiet ones at {measured.quiet_db:.1f} dB, peak {measured.peak_db:.1f} dB",
        f"loudest in each band: {bands}",
    ]


if __name__ == "__main__":
    run_main(main)
