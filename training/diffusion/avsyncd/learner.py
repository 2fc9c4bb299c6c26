"""AVSyncD while it learns: the UNet, its optimiser and the number of the iteration, which is all that a run has to remember.

All random numbers of an iteration follow from the seed and its number, so a run that goes on from a checkpoint does what one does that
was never interrupted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.core.atomic_files import atomic_folder, remove_folder, write_text
from engine.core.errors import TrainingError
from training.core import distributed
from training.core.run_state import optimiser_tensors, restore_optimiser
from training.diffusion.avsyncd.config import written_config
from training.diffusion.avsyncd.objective import SOUND_DROPOUT, draw, noise_loss, train_what_is_added
from training.diffusion.avsyncd.sampling import Given
from training.diffusion.avsyncd.unet import VideoUNet
from training.diffusion.iterations import (
    check_optimiser,
    checkpoint_place,
    checkpoints,
    number_of,
    random_source,
    read_checkpoint,
    take_step,
)
from training.diffusion.state_dicts import misfit

UNET_FILE = "modules/unet/diffusion_pytorch_model.safetensors"
"""In a checkpoint, as the original lays it out."""
OPTIMISER_FILE = "optimiser.safetensors"


@dataclass(frozen=True, kw_only=True, slots=True)
class LearningConfig:
    """How it learns; the defaults are the published ones."""

    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    gradient_limit: float = 1.0
    """Longest gradient; a longer one is scaled down to it."""
    sound_dropout: float = SOUND_DROPOUT
    """Share of the clips that are trained without their sound, for guidance."""
    everything: bool = False
    """Train Stable Diffusion's own weights too."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16: the UNet computes in it, and its weights stay in float32."""
    seed: int = 123

    def __post_init__(self) -> None:
        check_optimiser(self.betas, self.weight_decay)
        if not self.learning_rate > 0.0 or not self.gradient_limit > 0.0 or not 0.0 <= self.sound_dropout <= 1.0:
            raise TrainingError(
                f"learning_rate is {self.learning_rate:g}, gradient_limit {self.gradient_limit:g} and sound_dropout "
                f"{self.sound_dropout:g}; two positive numbers and one from 0 to 1 were expected."
            )


@dataclass(frozen=True, slots=True)
class Batch:
    """Clips that are trained together."""

    latents: Tensor
    """[B, C, F, H, W], the first frame first."""
    given: Given


class Learner:
    """Trains what AVSyncD adds to Stable Diffusion, or everything."""

    def __init__(self, unet: VideoUNet, config: LearningConfig) -> None:
        self.unet, self.config, self.iteration = unet.train(), config, 0
        self._parameters = list(unet.requires_grad_().parameters() if config.everything else train_what_is_added(unet))
        self._optimiser = torch.optim.AdamW(
            self._parameters, lr=config.learning_rate, betas=config.betas, weight_decay=config.weight_decay
        )

    @property
    def network(self) -> VideoUNet:
        return self.unet

    def random(self, purpose: str) -> torch.Generator:
        """Return a source of random numbers for one purpose in the iteration that comes."""
        return random_source(self.config.seed, self.iteration, purpose)

    def learn(self, batches: Sequence[Batch]) -> float:
        """Do one iteration with the mean gradient of the batches, and return the mean loss. Raises TrainingError if it is no number.

        Of several processes each is given its share; all draw all numbers, and so the processes learn what one would.
        """
        random, total = self.random("noise"), 0.0
        every = [
            draw(batch.latents, random, self.config.sound_dropout) for batch in (*batches,) * distributed.processes()
        ]
        own = every[distributed.rank() * len(batches) :]
        self._optimiser.zero_grad(set_to_none=True)
        for batch, draws in zip(batches, own, strict=False):
            reduced = self.config.precision == "bfloat16"
            with torch.autocast(batch.latents.device.type, torch.bfloat16, enabled=reduced):
                loss = noise_loss(self.unet, batch.latents, batch.given, draws) / len(batches)
            loss.backward()
            total += loss.item()
        total = take_step(self._optimiser, self._parameters, self.config.gradient_limit, total, self.iteration + 1)
        self.iteration += 1
        return total

    def save(self, folder: Path) -> Path:
        """Write `folder`/checkpoint-N, and return it. `modules` in it is what rendering takes. Raises OSError."""
        place = checkpoint_place(folder, self.iteration)
        with atomic_folder(place) as inside:
            weights = inside / UNET_FILE
            weights.parent.mkdir(parents=True)
            save_file({name: value.contiguous() for name, value in self.unet.state_dict().items()}, weights)
            write_text(weights.with_name("config.json"), json.dumps(written_config(self.unet.config), indent=2))
            save_file(optimiser_tensors(self._optimiser), inside / OPTIMISER_FILE)
        return place

    def resume(self, place: Path) -> None:
        """Go on from a checkpoint that `save` wrote. Raises TrainingError where it is damaged or of another network."""
        weights, moments = read_checkpoint(place, UNET_FILE, OPTIMISER_FILE)
        if wrong := misfit(self.unet.state_dict(), weights):
            raise TrainingError(f"{place} {wrong}: it is of another network than this run; start a new one.")
        self.unet.load_state_dict(weights)
        restore_optimiser(self._optimiser, moments)
        self.iteration = number_of(place)


def forget_older(folder: Path, newest: Path, milestone_every: int) -> None:
    """Delete the checkpoints before `newest` that are no milestones."""
    for place in checkpoints(folder):
        if number_of(place) < number_of(newest) and number_of(place) % milestone_every:
            remove_folder(place)
