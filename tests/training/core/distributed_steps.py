"""What the processes of tests/training/core/test_distributed.py do: torchrun -m tests.training.core.distributed_steps WHAT FOLDER."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.core.errors import TrainingError, run_main
from tests.training.runs import small_config
from training.core import distributed
from training.data.cache import load_clip
from training.loop.checkpoint import read_checkpoint, write_checkpoint
from training.loop.config import TrainConfig
from training.loop.trainer import Trainer, build_trainer
from training.losses.losses import AdversarialKind, LossConfig

# N frames, C channels, H W rows and columns

KINDS: tuple[AdversarialKind, ...] = ("hinge", "wgan-gp")
STREAMS, HALF = 2, 2
CLIP_FILE, CACHE_FOLDER, ONE_FOLDER, TWO_FOLDER = "clip.mp4", "cache", "one", "two"


def config_of(kind: AdversarialKind) -> TrainConfig:
    """Return two streams with both discriminators, batch norm in all networks."""
    losses = LossConfig(adversarial=kind, adversarial_image=0.1, adversarial_video=0.1, l1=1.0, motion=1.0)
    return small_config(losses, sequences_per_batch=STREAMS)


def steps(trainer: Trainer, count: int) -> list[dict[str, float]]:
    """Train and return the losses of every iteration."""
    return [{name: float(value) for name, value in trainer.step().items()} for _ in range(count)]


def keep(trainer: Trainer, folder: Path) -> None:
    """Write a checkpoint, from the first process alone."""
    checkpoint = trainer.checkpoint(0.0)
    if distributed.first():
        write_checkpoint(folder, checkpoint)


def trainer_of(folder: Path, kind: AdversarialKind, resume: Path | None = None) -> Trainer:
    """Begin, or go on from a checkpoint."""
    config = config_of(kind)
    clip = load_clip(folder / CLIP_FILE, config.clip_format(), folder / CACHE_FOLDER)
    return build_trainer(config, clip, read_checkpoint(resume) if resume else None)


def train_in_halves(folder: Path, kind: AdversarialKind, into: Path) -> list[dict[str, float]]:
    """Train four iterations with a checkpoint after two."""
    trainer = trainer_of(folder, kind)
    losses = steps(trainer, HALF)
    keep(trainer, into / kind / "half")
    losses += steps(trainer, HALF)
    keep(trainer, into / kind / "end")
    return losses


def frames_of_all() -> Tensor:
    """Return [N, C, H, W] in double precision, with channels of very different means."""
    frames = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return frames + torch.tensor([0.0, 5.0, -100.0])[:, None, None]


def penalised(norm: nn.Module, frames: Tensor) -> dict[str, Tensor]:
    """Return output, gradient and the gradients of a gradient's square: all that a penalty needs of a batch norm."""
    frames = frames.clone().requires_grad_(True)
    output = norm(frames)
    (gradient,) = torch.autograd.grad(output.tanh().square().sum(), frames, create_graph=True)
    loss = gradient.square().sum()
    loss.backward()
    weight, bias = norm.get_parameter("weight").grad, norm.get_parameter("bias").grad
    assert weight is not None
    assert bias is not None
    assert frames.grad is not None
    return {"output": output.detach(), "gradient": gradient.detach(), "second": frames.grad} | {
        "weight": weight,
        "bias": bias,
    }


def norms() -> dict[str, tuple[nn.Module, Tensor]]:
    """Return batch norms by name, of frames and of single values, with what they take."""
    return {
        "norm": (nn.BatchNorm2d(3).double(), frames_of_all()),
        "norm-of-values": (nn.BatchNorm1d(3).double(), frames_of_all()[:, :, 0, 0]),
    }


def norm_in_both(folder: Path, name: str) -> None:
    norm, values = norms()[name]
    both = nn.Sequential(norm)
    distributed.share_batch_norms(both)
    own = values.chunk(2)[distributed.rank()]
    found = penalised(both[0], own)
    whole = distributed.all_streams({name: found.pop(name) for name in ("output", "gradient", "second")})
    # The loss is a sum over frames, so the whole's gradient is the sum, twice the mean.
    whole |= {name: 2.0 * distributed.mean(value) for name, value in found.items()}
    if distributed.first():
        save_file(
            {**whole, **{f"norm.{k}": v for k, v in both[0].state_dict().items()}}, folder / f"{name}.safetensors"
        )


def refusal(act: Callable[[], object]) -> str:
    """Return the sentence that an act is refused with."""
    try:
        act()
    except TrainingError as error:
        return str(error)
    return "nothing was refused"


def equal(folder: Path) -> int:
    """Train both kinds, go on from what one process left, and look at all that is shared."""
    two = folder / TWO_FOLDER
    found: dict[str, Any] = {"losses": {kind: train_in_halves(folder, kind, two) for kind in KINDS}}
    trainer = trainer_of(folder, KINDS[0], folder / ONE_FOLDER / KINDS[0] / "half")
    keep(trainer, two / "again")
    found["resumed"] = steps(trainer, HALF)
    for name in norms():
        norm_in_both(folder, name)
    number = distributed.rank()
    found["agreed"] = distributed.agree(0.25 * (number + 1), stop=number == 1)
    found["not_finite"] = str(distributed.mean_terms({"l1": torch.tensor(float("nan") if number else 1.0)})["l1"])
    other = nn.Linear(2, 2)
    nn.init.constant_(other.weight, float(number))
    found["refused"] = {
        "streams": refusal(lambda: distributed.own_streams(3)),
        "flags": refusal(lambda: distributed.check_alike("configuration", {"seed": number})),
        "weights": refusal(lambda: distributed.check_weights(other)),
        "devices": refusal(lambda: distributed.device_number(0)),
    }
    distributed.start_alike(other)
    distributed.check_weights(other)
    if distributed.first():
        (folder / "found.json").write_text(json.dumps(found))
    return 0


def fail(folder: Path) -> int:
    """Fail in the second process while the first waits for it."""
    if distributed.rank() == 1:
        raise TrainingError("The second process has failed.")
    while True:
        distributed.agree(0.0, stop=False)


def threads() -> list[str]:
    """Return the names of this process's threads; none where the system has no /proc."""
    return [(thread / "comm").read_text().strip() for thread in Path("/proc/self/task").glob("*")]


def main() -> int:
    """Join the others, act, leave them, and write down which threads are left."""
    folder = Path(sys.argv[2])
    act = {"equal": equal, "fail": fail}[sys.argv[1]]
    code = distributed.together(lambda: act(folder))()
    (folder / f"threads-{os.environ['RANK']}.json").write_text(json.dumps(threads()))
    return code


if __name__ == "__main__":
    torch.set_num_threads(1)
    run_main(main)
