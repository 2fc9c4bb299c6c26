"""Make a model repository for NVIDIA's Triton Inference Server of a model file.

    python -m export.to_triton MODEL.onnx -o REPOSITORY

The server then plays as many rooms as are wanted, each as a sequence whose states it keeps. The folder holds the
configuration, the model as version 1, initial states that are not zero, and a README with a client. See docs/rooms.md.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from engine.core.atomic_files import atomic_folder
from engine.core.errors import ConfigError, ModelFileError, run_main
from engine.model.card import ModelCard
from engine.model.file import read_checked_card
from export.targets.triton.config import (
    IDLE_S,
    MODEL_FILE,
    SEQUENCES,
    Service,
    config_text,
    initial_state_files,
    model_name,
)
from export.targets.triton.guide import guide_text

VERSION = "1"


def write_repository(model: Path, repository: Path, service: Service) -> ModelCard:
    """Write the folder `repository`, whole or not at all, and return the model's card.

    Raises ModelFileError for a file that is no model file, ConfigError for a folder that holds something already or cannot be
    written.
    """
    if model.is_file() and model.suffix != ".onnx":
        raise ModelFileError(
            f"{model} is not an ONNX model file, and the server plays nothing else here; "
            "give the .onnx file that export.to_onnx wrote."
        )
    card = read_checked_card(model)
    if repository.exists() and (not repository.is_dir() or any(repository.iterdir())):
        raise ConfigError(
            f"{repository} already exists and is not an empty folder; choose another place with -o or remove it."
        )
    try:
        with atomic_folder(repository) as unfinished:
            _fill(unfinished, model, card, service)
    except OSError as error:
        raise ConfigError(f"Cannot write {repository}: {error.strerror}; choose another place with -o.") from error
    return card


def _fill(folder: Path, model: Path, card: ModelCard, service: Service) -> None:
    of_model = folder / model_name(card)
    (of_model / VERSION).mkdir(parents=True)
    shutil.copyfile(model, of_model / VERSION / MODEL_FILE)
    (of_model / "config.pbtxt").write_text(config_text(card, service), encoding="utf-8")
    for name, content in initial_state_files(card).items():
        (of_model / "initial_state").mkdir(exist_ok=True)
        (of_model / "initial_state" / name).write_bytes(content)
    (folder / "README.md").write_text(guide_text(card, service), encoding="utf-8")


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
    parser = argparse.ArgumentParser(
        prog="python -m export.to_triton", description="Make a model repository for Triton Inference Server."
    )
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="model file written by export.to_onnx")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="REPOSITORY", help="folder to make")
    parser.add_argument(
        "--sequences", type=_positive, default=SEQUENCES, help=f"rooms at once (default {SEQUENCES}); more have to wait"
    )
    parser.add_argument(
        "--idle-s",
        type=_seconds,
        default=IDLE_S,
        help=f"a room that sends nothing has left after this (default {IDLE_S:g})",
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "gpu"),
        default="auto",
        help="where the server runs the model (default auto)",
    )
    parser.add_argument("--threads", type=_positive, default=0, help="threads of a step on the processor")
    arguments = parser.parse_args()
    service = Service(
        sequences=arguments.sequences, idle_s=arguments.idle_s, device=arguments.device, threads=arguments.threads
    )
    card = write_repository(arguments.model, arguments.output, service)
    print(f"{arguments.output}: '{model_name(card)}' for up to {service.sequences} rooms at once; see README.md there")
    return 0


if __name__ == "__main__":
    run_main(main)
