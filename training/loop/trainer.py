"""One iteration of training: consecutive sequences with carried state, the losses of a family, averaged weights."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import TrainingError, UserError
from training.core import distributed
from training.core.compilation import compile_parts
from training.core.device import choose_device
from training.core.precision import compute_in
from training.core.random_state import RandomState
from training.core.run_state import finite, follow, optimiser_tensors, prefixed, restore_optimiser, under
from training.data.footage import Footage
from training.data.reader import SequenceReader
from training.data.video import Clip
from training.data.windows import WindowTiming
from training.families.family import build_model
from training.families.registry import family
from training.loop.checkpoint import Checkpoint, check_same_shape, load_weights
from training.loop.config import TrainConfig
from training.loop.tuning import mean_loss
from training.loop.validation import Validation, validate_segments
from training.losses.quality import quality_of

# B streams, C colours, H W rows and columns

LOWEST_RATE = 0.05


class Diverged(TrainingError):
    """A loss is no longer a finite number; the weights are those before it."""


@dataclass(frozen=True, slots=True)
class StepLosses:
    """The losses of one iteration, before the generator's optimiser takes its step."""

    weighted: Mapping[str, tuple[float, Tensor]]
    """Weight and loss of the generator by name; one of weight 0 is logged only."""
    logged: Mapping[str, Tensor]
    """Further numbers for the log by name, such as the losses of discriminators."""
    next_state: dict[str, Tensor]
    frames: tuple[Tensor, Tensor] | None = None
    """Generated and real frames [B, T, 3, H, W] in [-1, 1], from which the log's quality figures are computed."""


class Trainer(ABC):
    """All networks and optimisers of a run and the state that resuming needs; `step()` is one iteration.

    A subclass brings the losses and whatever networks are trained beside the generator (`AdversarialTrainer` has two
    discriminators). What a family changes: `build_reader`, `build_losses`, `networks`, `optimisers`, `losses`, `validate`,
    `reconstruction_loss`, `tensors_of_losses`, `restore_losses` and `networks_of`.
    """

    def __init__(self, config: TrainConfig, footage: Footage | Clip, resume: Checkpoint | None = None) -> None:
        """A single clip is split here. Raises TrainingError for a clip that is too short, a device that is absent or a checkpoint that does not fit."""
        if not isinstance(footage, Footage):
            footage = Footage.of([footage], config.sequence_frames, config.clip.tuning_share)
        self.config, self.footage, self.is_resumed = config, footage, resume is not None
        self.device = choose_device(config.device)
        torch.manual_seed(config.seed)
        streams = config.sequences_per_batch
        first, own = distributed.own_streams(streams)
        self.random_state = RandomState(config.seed, streams, first, own)
        self.model = build_model(config.model)
        self.mean_CHW = footage.mean_frame()
        if resume is None:
            self.start_model()
        self.model.to(self.device)
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        optimiser = config.optimiser
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=optimiser.lr_generator, betas=optimiser.betas)
        compute_in(config.precision, self.device, self.model)
        if config.compile:
            compile_parts(self.model)
        self.reader = self.build_reader()
        self.build_losses()
        self.state = self.model.initial_state(own)
        self.iteration = 0
        if resume is not None:
            self._restore(resume)
        self._join()

    def start_model(self) -> None:
        """Start the generator's weights at the clips."""
        self.model.start_from(self.footage.spread_frames())

    def _join(self) -> None:
        """Join the processes of a distributed run; does nothing in a single process."""
        distributed.check_alike("configuration", self.config.to_dict())
        clips = [segment.clip for segment in self.footage.training]
        distributed.check_alike("clip", [(clip.frames_NHWC.shape, clip.sound_checksum()) for clip in clips])
        networks = self.networks.values()
        for network in (self.model, *networks):
            distributed.share_batch_norms(network)
        for optimiser in self.optimisers.values():
            distributed.average_before_steps(optimiser)
        distributed.start_alike(self.model, self.average, *networks)

    @classmethod
    def networks_of(cls, config: TrainConfig) -> Mapping[str, nn.Module]:
        """Build the networks beside the generator with fresh weights, to describe a run. Raises TrainingError."""
        return {}

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """The networks trained beside the generator, by the name that their weights have in a checkpoint."""
        return {}

    @property
    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """The optimisers of `networks`; all have the learning rate `optimiser.lr_discriminator`."""
        return {}

    def build_reader(self) -> Any:
        """Return the reader of the training segments: `next()` gives a batch, `tensors` and `restore` its position.

        Of a batch the trainer itself reads `restarted_B` alone; the rest is between the reader and `losses`. By default it
        holds frames and their sound windows.
        """
        timing, config = WindowTiming.of(self.model), self.config
        return SequenceReader(
            self.footage.training, timing, config.sequence_frames, config.augmentation, self.random_state
        )

    @abstractmethod
    def build_losses(self) -> None:
        """Build losses, networks and optimisers, once; everything else of the trainer but the state is there."""

    @abstractmethod
    def losses(self, batch: Any) -> StepLosses:
        """Run the generator on a batch from `self.state`, and train `networks`.

        A statistic that decides something must be averaged by `distributed.mean`, or the processes decide differently.
        """

    def tensors_of_losses(self) -> dict[str, Tensor]:
        """Return everything that resuming needs of `build_losses`, for a checkpoint."""
        return {}

    def restore_losses(self, tensors: Mapping[str, Tensor]) -> None:  # noqa: B027  (many have nothing to restore)
        """Continue from the tensors of a whole checkpoint."""

    @property
    def learning_rate(self) -> float:
        """The generator's, as of the last step."""
        return self.optimiser.param_groups[0]["lr"]

    def step(self, progress: float = 0.0) -> dict[str, Tensor]:
        """Train on the next sequence of every stream and return the losses by name; `progress` is the share of the budget used.

        The iterations that a log record ends with also return the quality of their own batch (QUALITY).
        Raises Diverged when a loss is no finite number.
        """
        self._set_learning_rates(progress)
        batch = self.reader.next()
        self._restart(batch.restarted_B)
        self.model.train()
        found = self.losses(batch)
        terms = {**found.logged, **{name: loss.detach() for name, (_, loss) in found.weighted.items()}}
        terms |= self._quality(found.frames)
        terms = distributed.mean_terms(terms)
        if not finite(terms):
            raise Diverged(_diverged(terms, self.iteration))
        self.state = {name: value.detach() for name, value in found.next_state.items()}
        self.optimiser.zero_grad(set_to_none=True)
        losses = [weight * loss for weight, loss in found.weighted.values() if weight > 0]
        if losses:
            torch.stack(losses).sum().backward()
            distributed.average_gradients(self.model.parameters())
            if self.config.optimiser.gradient_limit > 0:
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optimiser.gradient_limit)
            self.optimiser.step()
        self.iteration += 1
        follow(self.average, self.model, self.config.optimiser.ema_decay, self.iteration)
        return terms

    def begin(  # noqa: B027  (most have nothing to do)
        self, is_stopping: Callable[[], bool], budget_used: Callable[[], float] = lambda: 0.0
    ) -> None:
        """Do what a run does before its first iteration; leave early when asked to stop.

        `budget_used` tells the share of the run's budget that is used up, 0 … 1: some of it is for the iterations.
        """

    def validate(self, limit_s: float | None = None) -> Validation:
        """Play the held-out part, its leading `limit_s` seconds or whole, with the averaged generator."""
        held_out, steps = self.footage.validation, self.config.sequence_frames
        return validate_segments(self.average, held_out, self.mean_CHW, steps, limit_s)

    def tuning_loss(self) -> float | None:
        """Return the averaged generator's loss on the tuning part, by which the best checkpoint is chosen; None without that part."""
        tuning, steps = self.footage.tuning, self.config.sequence_frames
        return mean_loss(self.average, tuning, steps, self.reconstruction_loss) if tuning else None

    def reconstruction_loss(self, fake_BTCHW: Tensor, real_BTCHW: Tensor) -> Tensor:
        """Return the loss of `tuning_loss` for frames in [-1, 1]; by default L1."""
        return functional.l1_loss(fake_BTCHW, real_BTCHW)

    def checkpoint(self, elapsed_s: float) -> Checkpoint:
        """Return the state for resuming. All processes must call it; raises TrainingError when their weights differ."""
        distributed.check_weights(self.model, *self.networks.values())
        return Checkpoint(self.config, self.iteration, elapsed_s, dict(self.average.state_dict()), self._tensors())

    def _quality(self, frames: tuple[Tensor, Tensor] | None) -> dict[str, Tensor]:
        """Return the quality of this batch's frames where a log record is due: they are there already, so it costs little."""
        interval = self.config.intervals.log
        if frames is None or interval <= 0 or (self.iteration + 1) % interval:
            return {}
        return quality_of(*frames)

    def _restart(self, fresh_B: Tensor) -> None:
        """Give streams that restart the initial state."""
        initial, fresh_B = self.model.initial_state(len(fresh_B)), fresh_B.to(self.device)
        for name, carried in self.state.items():
            self.state[name] = torch.where(fresh_B.view(-1, *[1] * (carried.dim() - 1)), initial[name], carried)

    def _set_learning_rates(self, progress: float) -> None:
        optimiser, share = self.config.optimiser, 1.0
        if optimiser.lr_decay == "cosine":
            share = LOWEST_RATE + (1.0 - LOWEST_RATE) * 0.5 * (1.0 + math.cos(math.pi * progress))
        for group in self.optimiser.param_groups:
            group["lr"] = share * optimiser.lr_generator
        for beside in self.optimisers.values():
            for group in beside.param_groups:
                group["lr"] = share * optimiser.lr_discriminator

    def _tensors(self) -> dict[str, Tensor]:
        # The names are those of the first checkpoints; renaming them would make old runs unreadable.
        return {
            **prefixed("generator", self.model.state_dict()),
            **prefixed("generator_optimiser", optimiser_tensors(self.optimiser)),
            **self.tensors_of_losses(),
            **prefixed("lanes", self.reader.tensors()),
            **prefixed("state", distributed.all_streams(self.state)),
            "random": self.random_state.state(),
        }

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Go on where a checkpoint was taken. Raises TrainingError for one that lacks a tensor or holds another."""
        try:
            self._take(checkpoint)
        except UserError:
            raise
        # What torch and the parts of a run say to tensors that they did not write.
        except (LookupError, ValueError, TypeError, AttributeError, RuntimeError) as error:
            raise TrainingError(
                f"{checkpoint.folder} does not hold all that resuming needs ({' '.join(str(error).split())[:200]}); it is damaged, or "
                f"another version of the family '{self.config.model.family}' wrote it: use an older checkpoint of the run, or start a new "
                f"run from its weights with --from {checkpoint.folder} --run-folder NEW."
            ) from error

    def _take(self, checkpoint: Checkpoint) -> None:
        where = checkpoint.folder
        check_same_shape(checkpoint.config, self.config, where)
        saved = checkpoint.training
        load_weights(self.average, checkpoint.generator, where)
        load_weights(self.model, under("generator", saved), where)
        restore_optimiser(self.optimiser, under("generator_optimiser", saved))
        self.restore_losses(saved)
        if self.reader.restore(under("lanes", saved)):
            own = {name: value[self.random_state.own].to(self.device) for name, value in under("state", saved).items()}
            if {name: value.shape for name, value in own.items()} != {
                n: value.shape for n, value in self.state.items()
            }:
                raise ValueError("its states are those of another model")
            self.state = own
        self.random_state.restore(saved["random"])
        self.iteration = checkpoint.iterations


def build_trainer(config: TrainConfig, footage: Footage | Clip, resume: Checkpoint | None = None) -> Trainer:
    """Return the trainer of the configuration's family. Raises TrainingError as `Trainer`."""
    return family(config.model.family).trainer(config, footage, resume)


def _diverged(terms: dict[str, Tensor], iteration: int) -> str:
    name = next(name for name, value in terms.items() if not value.isfinite())
    return f"The loss '{name}' is {float(terms[name])} after {iteration} iterations and training stopped"
