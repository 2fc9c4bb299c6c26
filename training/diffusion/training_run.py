"""The run around what learns: iterations until the last one or until it is asked to stop, losses, checkpoints, and what is alike on all devices.

Under torchrun several processes learn together, by the means of `training.core.distributed`: each takes its share of an iteration's
batches, gradients and losses are averaged, and the first process alone writes and speaks.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from safetensors import SafetensorError
from torch import nn

from engine.core.atomic_files import append_bytes, atomic_file, sweep
from engine.core.errors import TrainingError
from engine.core.printable import print_line
from engine.core.small_files import read_lines
from engine.core.stop_signals import StopRequest, on_stop_signals
from training.core import distributed

LOSSES = "losses.jsonl"


class Learns(Protocol):
    """A network while it learns."""

    iteration: int

    @property
    def network(self) -> nn.Module:
        """What learns."""
        ...

    def save(self, folder: Path) -> Path:
        """Write `folder`/checkpoint-N, and return it. Raises OSError."""
        ...


@dataclass(frozen=True, slots=True)
class RunPlan:
    """How far a run goes and what it leaves."""

    run_folder: Path
    inside: str
    """Where in it the checkpoints lie."""
    iterations: int
    checkpoint_every: int
    after_saving: Callable[[Path], object] = lambda newest: None

    @property
    def checkpoints(self) -> Path:
        return self.run_folder / self.inside


def run(learner: Learns, learn: Callable[[], float], plan: RunPlan) -> bool:
    """Learn until the last iteration; tell whether it was reached. Ctrl-C and SIGTERM end the run after an iteration, with a checkpoint.

    `learn` does one iteration and returns its loss. Raises TrainingError where nothing can be written.
    """
    is_saving = False
    # A second Ctrl-C leaves at once, but not while a checkpoint is written.
    stop = StopRequest(is_interruptible=lambda: not is_saving)

    def save(loss: float) -> None:
        nonlocal is_saving
        distributed.check_weights(learner.network)
        if not distributed.first():
            return
        is_saving = True
        newest = learner.save(plan.checkpoints)
        plan.after_saving(newest)
        is_saving = False
        print_line(f"{newest}: loss {loss:.4f}")

    try:
        if distributed.first():
            _begin(plan, learner.iteration)
        with on_stop_signals(stop.ask):
            while learner.iteration < plan.iterations:
                loss = learn()
                if distributed.first():
                    line = json.dumps({"iteration": learner.iteration, "loss": loss})
                    append_bytes(plan.run_folder / LOSSES, f"{line}\n".encode())
                is_last = learner.iteration == plan.iterations
                _, stopping = distributed.agree(0.0, stop.is_set())
                if is_last or stopping or learner.iteration % plan.checkpoint_every == 0:
                    save(loss)
                if stopping and not is_last:
                    print_line(f"stopped after iteration {learner.iteration}; the same command with --resume goes on")
                    return False
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"Cannot write to {plan.run_folder} ({getattr(error, 'strerror', None) or error}); free some space or choose another --run-folder."
        ) from error
    return True


def iterations_told(learner: Learns, iterations: int) -> str:
    """Return which iterations are before a run, in words."""
    if learner.iteration >= iterations:
        return f"all of its {iterations} iterations are done; give more of them to go on"
    return f"from iteration {learner.iteration + 1} to {iterations}"


def check_alike(learner: Learns, configuration: object, clips: object) -> None:
    """Give all processes the weights of the first. Raises TrainingError where they would not learn the same."""
    distributed.check_alike("configuration", configuration)
    distributed.check_alike("list of clips", clips)
    distributed.check_alike("iteration to begin with", learner.iteration)
    distributed.start_alike(learner.network)


def _begin(plan: RunPlan, iteration: int) -> None:
    """Make the folders, without what a killed process left there and without losses of iterations that are done again."""
    plan.checkpoints.mkdir(parents=True, exist_ok=True)
    sweep(plan.checkpoints)
    losses = plan.run_folder / LOSSES
    if not losses.exists():
        return
    kept = [line for line in read_lines(losses) if _iteration_of(line) <= iteration]
    with atomic_file(losses) as partial:
        partial.write_text("".join(kept), encoding="utf-8")


def _iteration_of(line: str) -> float:
    """Return the iteration in a line of losses; endless for a line that is none."""
    try:
        content: Any = json.loads(line)
        return float(content["iteration"])
    except (ValueError, TypeError, KeyError):
        return float("inf")
