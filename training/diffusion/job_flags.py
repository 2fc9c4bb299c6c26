"""The flags that all renderings have alike, as values; and what is told and checked before one begins."""

from __future__ import annotations

import math
import random
from argparse import ArgumentParser, Namespace

import torch

from engine.core.errors import TrainingError
from training.diffusion.cost import GIB, free_bytes
from training.diffusion.render_family import PRECISIONS, RenderFamily, RenderJob, RenderPlan

LARGEST_SIDE = 4096
SIDE_STEP = 8
"""Sides of a frame are multiples of it: of an autoencoder's pixels a latent."""
MOST_SEED = 2**32
MOST_STEPS = 1000


def add_job_arguments(parser: ArgumentParser, family: RenderFamily | None) -> None:
    """Declare the flags, with the defaults of a family."""
    for name, metavar in (("width", "PIXELS"), ("height", "PIXELS"), ("steps", "N")):
        default: int | None = getattr(family, name) if family else None
        told = f"default {default}" if family else "default: the family's"
        parser.add_argument(f"--{name}", type=int, metavar=metavar, default=default, help=told)
    parser.add_argument("--seed", type=int, metavar="N", help="the same clip again; default: drawn, and told")
    parser.add_argument(
        "--precision", choices=tuple(PRECISIONS), help="default float16 on a graphics card, else float32"
    )
    parser.add_argument("--save-memory", action="store_true", help="less at once on the device, and so slower")
    parser.add_argument("--most-memory", type=float, metavar="GIB", help="limit; default: what the device has")


def job_of(arguments: Namespace, sound_s: float, device: torch.device) -> RenderJob:
    """Return the common flags as values. Raises TrainingError for those out of range."""
    for side in ("width", "height"):
        value = getattr(arguments, side)
        if not 0 < value <= LARGEST_SIDE or value % SIDE_STEP:
            raise TrainingError(
                f"--{side} is {value}; a multiple of {SIDE_STEP} up to {LARGEST_SIDE} was expected, e.g. 384."
            )
    if not 1 <= arguments.steps <= MOST_STEPS:
        raise TrainingError(
            f"--steps is {arguments.steps}; from 1 to {MOST_STEPS}, which is how many the models were trained with, were expected."
        )
    if arguments.most_memory is not None and not 0.0 < arguments.most_memory < math.inf:
        raise TrainingError(f"--most-memory is {arguments.most_memory:g}; a positive number of GiB was expected.")
    seed = random.randrange(MOST_SEED) if arguments.seed is None else arguments.seed
    if not 0 <= seed < MOST_SEED:
        raise TrainingError(f"--seed is {seed}; a whole number from 0 to {MOST_SEED - 1} was expected.")
    precision = arguments.precision or ("float16" if device.type == "cuda" else "float32")
    if device.type == "cpu" and precision == "float16":
        raise TrainingError("--precision float16 needs a graphics card; use float32 or bfloat16 on the processor.")
    return RenderJob(
        weights=arguments.weights,
        sound_s=sound_s,
        width=arguments.width,
        height=arguments.height,
        steps=arguments.steps,
        seed=seed,
        device=device,
        kind=PRECISIONS[precision],
        save_memory=arguments.save_memory,
    )


def check_text(flag: str, text: str) -> None:
    """Raise TrainingError for what a tokenizer cannot read: bytes on a command line that are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TrainingError(
            f"{flag} holds a byte that is no UTF-8 at its character {error.start + 1}; write it in UTF-8."
        ) from error


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 90.0:
        return f"{max(seconds, 1.0):.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 5400.0 else f"{seconds / 3600.0:.1f} h"


def memory_told(plan: RenderPlan, job: RenderJob, keeps: bool = False) -> str:
    """Return how much memory a rendering takes, in words; with `keeps`, all networks stay for the next one."""
    kind = str(job.kind).removeprefix("torch.")
    weight_bytes = plan.weight_bytes + keeps * plan.kept_bytes
    return (
        f"{(weight_bytes + plan.peak_bytes) / GIB:.2f} GiB in {kind} on {job.device}: {weight_bytes / GIB:.2f} of weights "
        f"and {plan.peak_bytes / GIB:.2f} beside them"
    )


def can_keep(plan: RenderPlan, job: RenderJob, most_gib: float | None) -> bool:
    """Tell whether there is memory to keep all networks for the next rendering."""
    there = _memory_bytes(job, most_gib)
    return there is None or plan.weight_bytes + plan.kept_bytes + plan.peak_bytes <= there


def check_memory(plan: RenderPlan, job: RenderJob, most_gib: float | None) -> None:
    """Raise TrainingError where the plan needs more memory than there is."""
    there = _memory_bytes(job, most_gib)
    needed = plan.weight_bytes + plan.peak_bytes
    if there is None or needed <= there:
        return
    ways = [f"lower {plan.lower}"]
    ways += [] if job.save_memory else ["add --save-memory"]
    ways += ["choose --precision bfloat16"] if job.kind == torch.float32 else []
    raise TrainingError(
        f"This rendering needs {needed / GIB:.2f} GiB and {job.device} has {there / GIB:.2f} GiB; {', or '.join(ways)}."
    )


def _memory_bytes(job: RenderJob, most_gib: float | None) -> int | None:
    return free_bytes(job.device) if most_gib is None else round(most_gib * GIB)
