"""The mapper learns; all other networks stay as they are (arXiv 2309.16429, section 3; loss and figures are those of the original's code).

All random numbers of an iteration follow from the seed and its number, so a run that goes on from a checkpoint does what one does that
was never interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from engine.core.atomic_files import atomic_folder
from engine.core.errors import TrainingError
from training.core import distributed
from training.core.run_state import optimiser_tensors, restore_optimiser
from training.diffusion.iterations import (
    check_optimiser,
    checkpoint_place,
    number_of,
    random_source,
    read_checkpoint,
    take_step,
)
from training.diffusion.state_dicts import misfit
from training.diffusion.tempotokens.audio_mapper import AudioMapper
from training.diffusion.tempotokens.frame_contexts import Prompt, contexts
from training.diffusion.tempotokens.frame_unet import FrameUNet

# F frames, C channels of latents, H W rows and columns, N tokens of the sound, I their channels

WEIGHTS, OPTIMISER = "learned_embeds.safetensors", "optimiser.safetensors"


@dataclass(frozen=True, slots=True)
class Piece:
    """As much of a clip as has one token a frame."""

    latents_1CFHW: Tensor
    features_1NI: Tensor
    """What the audio encoder says of its sound."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """What does not learn."""

    unet: FrameUNet
    text_encoder: nn.Module
    prompt: Prompt
    """Of pseudo-tokens alone."""
    alphas_cumprod_T: Tensor
    """How much of the power is signal at each time step."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Learning:
    """How it learns; the defaults are those of the original's configurations."""

    learning_rate: float = 1e-5
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    token_weight: float = 0.01
    """Of the mean size of the frames' tokens in the loss."""
    gradient_limit: float = 1.0
    """Longest gradient; a longer one is scaled down to it."""
    seed: int = 64

    def __post_init__(self) -> None:
        check_optimiser(self.betas, self.weight_decay)
        if not self.learning_rate > 0.0 or not self.gradient_limit > 0.0 or not self.token_weight >= 0.0:
            raise TrainingError(
                f"learning_rate is {self.learning_rate:g}, gradient_limit {self.gradient_limit:g} and token_weight "
                f"{self.token_weight:g}; two positive numbers and one of at least 0 were expected."
            )


def mapper_loss(
    frozen: Frozen, mapper: AudioMapper, piece: Piece, draws: tuple[Tensor, Tensor], token_weight: float
) -> Tensor:
    """Return the mean square of what is wrong with the predicted noise, and `token_weight` times the mean size of the frames' tokens.

    `draws` are the time step [1] and the noise, of the latents' shape.
    """
    pseudo_1FPC = mapper(piece.features_1NI)
    given_FLD = contexts(frozen.text_encoder, frozen.prompt, pseudo_1FPC[0])
    wrong = noise_loss(frozen.unet, frozen.alphas_cumprod_T, piece.latents_1CFHW, given_FLD[None], draws)
    return wrong + token_weight * pseudo_1FPC[:, :, 0].abs().mean()


def noise_loss(
    unet: FrameUNet,
    alphas_cumprod_T: Tensor,
    latents_BCFHW: Tensor,
    contexts_BFLD: Tensor,
    draws: tuple[Tensor, Tensor],
) -> Tensor:
    """Return the mean square of what is wrong with the predicted noise; `draws` are the time steps [B] and the noise."""
    timestep_B, noise = draws
    share = alphas_cumprod_T[timestep_B].view(-1, 1, 1, 1, 1)
    noisy = share.sqrt() * latents_BCFHW + (1.0 - share).sqrt() * noise
    return functional.mse_loss(unet(noisy, timestep_B, contexts_BFLD).float(), noise)


class MapperTraining:
    """The mapper while it learns: its weights, its optimiser and the number of the iteration, which is all that a run has to remember."""

    def __init__(self, frozen: Frozen, mapper: AudioMapper, learning: Learning) -> None:
        self.mapper, self.learning, self.iteration = mapper.requires_grad_(True), learning, 0
        self._frozen = frozen
        self._optimiser = torch.optim.AdamW(
            mapper.parameters(), lr=learning.learning_rate, betas=learning.betas, weight_decay=learning.weight_decay
        )

    @property
    def network(self) -> AudioMapper:
        return self.mapper

    def random(self, purpose: str) -> torch.Generator:
        """Return a source of random numbers for one purpose in the iteration that comes."""
        return random_source(self.learning.seed, self.iteration, purpose)

    def learn(self, pieces: Sequence[Piece]) -> float:
        """Do one iteration with the mean gradient of the pieces, and return the mean loss. Raises TrainingError if it is no number.

        Of several processes each is given its share; all draw all numbers, and so the processes learn what one would.
        """
        random, total = self.random("noise"), 0.0
        every = [
            (int(torch.randint(2**31, (), generator=random)), draw(piece, self._frozen, random))
            for piece in (*pieces,) * distributed.processes()
        ]
        own = every[distributed.rank() * len(pieces) :]
        self._optimiser.zero_grad(set_to_none=True)
        with torch.random.fork_rng():
            for piece, (seed, draws) in zip(pieces, own, strict=False):
                # What the mapper drops.
                torch.manual_seed(seed)
                loss = mapper_loss(self._frozen, self.mapper, piece, draws, self.learning.token_weight) / len(pieces)
                loss.backward()
                total += loss.item()
        parameters = list(self.mapper.parameters())
        total = take_step(self._optimiser, parameters, self.learning.gradient_limit, total, self.iteration + 1)
        self.iteration += 1
        return total

    def save(self, folder: Path) -> Path:
        """Write `folder`/checkpoint-N, and return it. The mapper in it can be rendered with. Raises OSError."""
        place = checkpoint_place(folder, self.iteration)
        with atomic_folder(place) as inside:
            save_file({name: value.contiguous() for name, value in self.mapper.state_dict().items()}, inside / WEIGHTS)
            save_file(optimiser_tensors(self._optimiser), inside / OPTIMISER)
        return place

    def resume(self, place: Path) -> None:
        """Go on from a checkpoint that `save` wrote. Raises TrainingError where it is damaged or of another mapper."""
        weights, moments = read_checkpoint(place, WEIGHTS, OPTIMISER)
        if wrong := misfit(self.mapper.state_dict(), weights):
            raise TrainingError(f"{place} {wrong}: it is of another mapper than this run; start a new one.")
        self.mapper.load_state_dict(weights)
        restore_optimiser(self._optimiser, moments)
        self.iteration = number_of(place)


def draw(piece: Piece, frozen: Frozen, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw a time step and noise, on the processor, so that a seed means the same on every device."""
    device = piece.latents_1CFHW.device
    timestep_1 = torch.randint(len(frozen.alphas_cumprod_T), (1,), generator=random)
    return timestep_1.to(device), torch.randn(piece.latents_1CFHW.shape, generator=random).to(device)
