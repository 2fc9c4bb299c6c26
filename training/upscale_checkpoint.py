"""Start a model from a smaller one: train at half the size, where a step costs a third, then continue at the full size.

    python -m training.upscale_checkpoint RUN CONFIG.yaml -o FOLDER
    python -m training.train CONFIG.yaml --from FOLDER --run-folder runs/NAME

RUN is the run or checkpoint of the small model. CONFIG is a training configuration that differs in model.image_size alone; the shape stays.
FOLDER then holds the large model as it starts; it can be exported and looked at.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from engine.core.argument_parser import ArgumentParser
from engine.core.errors import TrainingError, run_main
from engine.core.printable import print_line
from training.loop.checkpoint import read_start, write_checkpoint
from training.loop.config import load_train_config
from training.loop.run_folder import checkpoint_folder, checkpoint_folders
from training.loop.upscaling import upscaled


def main(words: list[str] | None = None) -> int:
    parser = ArgumentParser(
        prog="python -m training.upscale_checkpoint",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder or checkpoint of the small model")
    parser.add_argument("config", type=Path, metavar="CONFIG.yaml", help="training configuration of the large model")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="a new run folder")
    arguments = parser.parse_args(words)
    if checkpoint_folders(arguments.output):
        raise TrainingError(f"{arguments.output} holds a run already; choose another place with -o.")
    source, config = read_start(arguments.run), load_train_config(arguments.config)
    checkpoint, copied = upscaled(source, config)
    write_checkpoint(checkpoint_folder(arguments.output, 0), checkpoint)
    sizes = f"{source.config.model.image_size} to {config.model.image_size} pixels"
    print_line(f"{arguments.output}: upscaled from {sizes}, {copied} of {len(checkpoint.generator)} tensors copied")
    print_line(
        f"continue with: python -m training.train {arguments.config} --from {arguments.output} --run-folder runs/NAME"
    )
    return 0


if __name__ == "__main__":
    run_main(main)
