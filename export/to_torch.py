"""Turn a checkpoint into a program of torch that the backend "torch" plays on the processor or an NVIDIA card.

    python -m export.to_torch CHECKPOINT -o MODEL.pt2 [--compiled [--device cuda]]

The program is the step that export.to_onnx writes, with inputs and outputs by name and with the model card. With --compiled it is
compiled ahead of time (AOTInductor) for this machine: this takes minutes, needs a C++ compiler, and the file plays on equal hardware only.
"""

from __future__ import annotations

import logging
from pathlib import Path

from engine.core.argument_parser import ArgumentParser
from engine.core.errors import run_main
from engine.core.printable import print_line
from export.targets.model_file import check_place
from export.targets.torch.program import export_program
from export.verification.control_effects import effect_lines
from training.loop.checkpoint import chosen_checkpoint, load_generator


def main() -> int:
    parser = ArgumentParser(prog="python -m export.to_torch", description="Turn a checkpoint into a program of torch.")
    parser.add_argument(
        "checkpoint", type=Path, help="checkpoint written by training, or run folder: its best checkpoint"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="MODEL.pt2")
    parser.add_argument(
        "--compiled", action="store_true", help="compile for this machine: takes minutes and needs a C++ compiler"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="device for --compiled (default cpu)")
    arguments = parser.parse_args()
    check_place(arguments.output, ".pt2")
    logging.getLogger("torch").setLevel(logging.ERROR)
    chosen = chosen_checkpoint(arguments.checkpoint)
    print_line(*chosen.lines())
    loaded = load_generator(chosen.folder)
    card = export_program(
        loaded.model, loaded.provenance, arguments.output, arguments.compiled, arguments.device, loaded.training_sound
    )
    megabytes = arguments.output.stat().st_size / 1e6
    print_line(f"{arguments.output}: '{card.name}', {card.width}x{card.height} at {card.fps:g} fps, {megabytes:.1f} MB")
    print_line(*effect_lines(card))
    print_line(
        f"parity with the model over {card.parity.steps} steps: frame {card.parity.frame_max:.1e}, states {card.parity.state_max:.1e}"
    )
    return 0


if __name__ == "__main__":
    run_main(main)
