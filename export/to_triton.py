"""Make a model repository for NVIDIA's Triton Inference Server from a model file.

    python -m export.to_triton MODEL.onnx -o REPOSITORY

The server then plays several shows, each as a sequence whose states it keeps. The folder holds the configuration, the model as
version 1, the initial states that are not zero, and a README with a client. See docs/batching.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from engine.core.argument_parser import ArgumentParser
from engine.core.counted import counted
from engine.core.errors import run_main
from engine.core.printable import print_line
from export.targets.triton.config import IDLE_S, SEQUENCES, Service, model_name
from export.targets.triton.repository import write_repository


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"takes a whole number above 0, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1.0 <= seconds <= 86400.0:
        raise argparse.ArgumentTypeError(f"takes seconds from 1 to 86400, not {text!r}")
    return seconds


def main() -> int:
    parser = ArgumentParser(
        prog="python -m export.to_triton", description="Make a model repository for Triton Inference Server."
    )
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="model file written by export.to_onnx")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="REPOSITORY", help="folder to make")
    parser.add_argument(
        "--sequences", type=_positive, default=SEQUENCES, help=f"shows at once (default {SEQUENCES}); further ones wait"
    )
    parser.add_argument(
        "--idle-s",
        type=_seconds,
        default=IDLE_S,
        help=f"seconds without a request after which a show has ended (default {IDLE_S:g})",
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "gpu"),
        default="auto",
        help="where the server runs the model (default auto)",
    )
    parser.add_argument("--threads", type=_positive, default=0, help="threads of one step on the processor")
    arguments = parser.parse_args()
    service = Service(
        sequences=arguments.sequences, idle_s=arguments.idle_s, device=arguments.device, threads=arguments.threads
    )
    card = write_repository(arguments.model, arguments.output, service)
    print_line(
        f"{arguments.output}: '{model_name(card)}' for up to {counted(service.sequences, 'show')} at once; see README.md there"
    )
    return 0


if __name__ == "__main__":
    run_main(main)
