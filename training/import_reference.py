"""Import a generator that was trained with the original code of its family.

    python -m training.import_reference WEIGHTS.pth CONFIG.yaml -o CHECKPOINT

CONFIG is one of this project's training configurations with the same shape (configs/train/paper-128.yaml is the full model of
the original). torch's weights-only loader reads the weights, so nothing in the file is executed.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from engine.core.argument_parser import ArgumentParser
from engine.core.errors import TrainingError, run_main
from engine.core.printable import print_line
from training.core.weight_reading import read_tensors
from training.families.registry import family
from training.loop.checkpoint import save_generator
from training.loop.config import load_train_config
from training.loop.run_folder import is_checkpoint


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict. Raises TrainingError for a file that is missing, damaged or holds more than tensors."""
    try:
        return read_tensors(path)
    except OSError as error:
        raise TrainingError(f"Cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise TrainingError(
            f"{path} is not a file of weights that torch can read safely ({error}; a state dict was expected). Pickled modules become one as "
            "docs/families.md says."
        ) from error


def main(words: list[str] | None = None) -> int:
    about = (__doc__ or "").split("\n")[0]
    parser = ArgumentParser(prog="python -m training.import_reference", description=about)
    parser.add_argument("weights", type=Path, metavar="WEIGHTS.pth")
    parser.add_argument("config", type=Path, metavar="CONFIG.yaml")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="CHECKPOINT")
    arguments = parser.parse_args(words)
    if arguments.output.exists() and not is_checkpoint(arguments.output):
        raise TrainingError(f"{arguments.output} exists and is no checkpoint; choose another place with -o.")
    config = load_train_config(arguments.config)
    model = family(config.model.family).convert_original(load_weights(arguments.weights), config.model)
    save_generator(arguments.output, model, config, iterations=0)
    print_line(
        f"{arguments.output}: {sum(p.numel() for p in model.parameters()):,} weights of the original's shape '{config.model.name}'"
    )
    return 0


if __name__ == "__main__":
    run_main(main)
