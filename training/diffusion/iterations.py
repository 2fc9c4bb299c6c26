"""The iterations of a run that learns: their random numbers, their steps, and the checkpoints that are named after them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.core.errors import TrainingError
from training.core import distributed

CHECKPOINT = "checkpoint-"


def random_source(seed: int, iteration: int, purpose: str) -> torch.Generator:
    """Return a source of random numbers for one purpose in one iteration: a run that goes on draws what it would have drawn."""
    return torch.Generator().manual_seed(zlib.crc32(f"{seed} {iteration} {purpose}".encode()))


def check_optimiser(betas: tuple[float, float], weight_decay: float) -> None:
    """Raise TrainingError for what Adam does not take."""
    if not all(0.0 <= beta < 1.0 for beta in betas) or not 0.0 <= weight_decay < float("inf"):
        raise TrainingError(
            f"betas are {betas[0]:g} and {betas[1]:g}, and weight_decay {weight_decay:g}; two numbers from 0 to below 1, and one of at "
            "least 0, were expected."
        )


def take_step(
    optimiser: torch.optim.Optimizer,
    parameters: Sequence[nn.Parameter],
    gradient_limit: float,
    loss: float,
    iteration: int,
) -> float:
    """Change the weights by the gradients of `loss`, scaled down to `gradient_limit`; return the loss.

    Of several processes both are averaged first. Raises TrainingError, and changes nothing, if loss or gradients are no numbers.
    """
    loss = distributed.mean(torch.tensor(loss, dtype=torch.float64)).item()
    distributed.average_gradients(parameters)
    length = nn.utils.clip_grad_norm_(parameters, gradient_limit).item()
    for what, value in (("loss", loss), ("length of the gradient", length)):
        if not abs(value) < float("inf"):
            raise TrainingError(
                f"The {what} of iteration {iteration} is {value}; a number was expected. Go on from the last checkpoint with a lower "
                "learning_rate."
            )
    optimiser.step()
    return loss


def checkpoint_place(folder: Path, iteration: int) -> Path:
    """Return where the checkpoint after an iteration lies."""
    return folder / f"{CHECKPOINT}{iteration}"


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, the newest last."""
    found = [place for place in folder.glob(f"{CHECKPOINT}*") if place.name.removeprefix(CHECKPOINT).isdecimal()]
    return sorted(found, key=number_of)


def number_of(place: Path) -> int:
    """Return the iteration of a checkpoint."""
    return int(place.name.removeprefix(CHECKPOINT))


def read_checkpoint(place: Path, *names: str) -> list[dict[str, Tensor]]:
    """Return the tensors in files of a checkpoint. Raises TrainingError where one is damaged."""
    try:
        return [load_file(place / name) for name in names]
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{place} cannot be read ({error}); delete it to go on from the one before.") from error


def checkpoint_to_resume(run_folder: Path, inside: str, resume: bool) -> Path | None:
    """Return the newest checkpoint of a run, which lie in its folder `inside`, for a command that goes on; None for a new run.

    Raises TrainingError for a new run in the folder of another one, and for going on where there is no checkpoint.
    """
    found = checkpoints(run_folder / inside)
    if found and not resume:
        raise TrainingError(f"{run_folder} holds a run; add --resume to go on, or choose another --run-folder.")
    if resume and not found:
        raise TrainingError(f"{run_folder} holds no checkpoint to go on from; leave out --resume.")
    return found[-1] if found else None
