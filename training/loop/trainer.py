"""One iteration of training: consecutive sequences with carried state, reconstruction and adversarial losses, averaged weights."""

from __future__ import annotations

import copy
import math
import zlib
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from engine.core.errors import TrainingError
from training.core import distributed
from training.core.compilation import compile_parts
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
from training.loop.validation import Validation, validate_segments
from training.losses.adaptive_augmentation import heldout_sequences
from training.losses.adversarial import AdversarialLosses, Sound, kinds_of
from training.losses.losses import detail_loss, motion_energy_loss, motion_loss
from training.losses.perceptual import PerceptualLoss

# B streams, T frames, W window samples, C colours, H W rows and columns

LOWEST_RATE = 0.05


class Diverged(TrainingError):
    """A loss is no longer a finite number; the weights are those before it."""


class Trainer:
    """All networks and optimisers of a run and the state that resuming needs; `step()` is one iteration."""

    def __init__(self, config: TrainConfig, footage: Footage | Clip, resume: Checkpoint | None = None) -> None:
        """A single clip is split here. Raises TrainingError for a clip that is too short, a device that is absent or a checkpoint that does not fit."""
        if not isinstance(footage, Footage):
            footage = Footage.of([footage], config.sequence_frames)
        self.config, self.footage = config, footage
        self.device = choose_device(config.device)
        torch.manual_seed(config.seed)
        streams = config.sequences_per_batch
        first, own = distributed.own_streams(streams)
        self.random_state = RandomState(config.seed, streams, first, own)
        self.model = build_model(config.model)
        self.mean_CHW = footage.mean_frame()
        if resume is None:
            self.model.start_from(footage.spread_frames())
        self.model.to(self.device)
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        optimiser = config.optimiser
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=optimiser.lr_generator, betas=optimiser.betas)
        self.adversarial = adversarial_losses(config, self.device)
        weights = Path(config.losses.perceptual_weights)
        self.perceptual = PerceptualLoss(weights).to(self.device) if config.losses.perceptual > 0 else None
        compute_in(config.precision, self.device, self.model, self.perceptual)
        if config.compile:
            compile_parts(self.model)
        timing = WindowTiming.of(self.model)
        self.reader = SequenceReader(
            footage.training, timing, config.sequence_frames, config.augmentation, self.random_state
        )
        if config.losses.overfitting_target > 0:
            longest = max(footage.validation, key=lambda segment: segment.frame_range.count)
            heldout = heldout_sequences(longest.clip, longest.frame_range, config.sequence_frames, timing)
            self.adversarial.hold_out(heldout[0], self._features(heldout[1]))
        self.state = self.model.initial_state(own)
        self.iteration = 0
        if resume is not None:
            self._restore(resume)
        self._join()

    def _join(self) -> None:
        """Join the processes of a distributed run; does nothing in a single process."""
        distributed.check_alike("configuration", self.config.to_dict())
        clips = [segment.clip for segment in self.footage.training]
        distributed.check_alike("clip", [(clip.frames_NHWC.shape, zlib.crc32(clip.sound_S)) for clip in clips])
        discriminators = self.adversarial.discriminators.values()
        for network in (self.model, *discriminators):
            distributed.share_batch_norms(network)
        for optimiser in self.adversarial.optimisers.values():
            distributed.average_before_steps(optimiser)
        distributed.start_alike(self.model, self.average, *discriminators)
        self.adversarial.mean_of_processes = distributed.mean

    @property
    def learning_rate(self) -> float:
        """The generator's, as of the last step."""
        return self.optimiser.param_groups[0]["lr"]

    def step(self, progress: float = 0.0) -> dict[str, Tensor]:
        """Train on the next sequence of every stream and return the losses by name; `progress` is the share of the budget used.

        Raises Diverged when a loss is no finite number.
        """
        self._set_learning_rates(progress)
        batch = self.reader.next()
        real_BTCHW, audio_BTW = batch.real_BTCHW.to(self.device), batch.audio_BTW.to(self.device)
        self._restart(batch.restarted_B)
        self.model.train()
        noise = self._noise(audio_BTW.shape[1])
        fake_BTCHW, features_BTF, following = self.model.clip(audio_BTW, noise, self.state)
        terms: dict[str, Tensor] = {}
        weighted = self._reconstruction_terms(fake_BTCHW, real_BTCHW)
        if self.config.losses.adversarial_at(self.iteration):
            frame = self.random_state.integer(real_BTCHW.shape[1])
            sound = (
                Sound(features_BTF, self._features(self.reader.other_moment()))
                if self.adversarial.takes_sound
                else None
            )
            terms |= self.adversarial.learn(real_BTCHW, fake_BTCHW, frame, self.random_state, sound)
            weighted |= self.adversarial.generator_terms(fake_BTCHW, frame, self.random_state, sound)
        terms |= {name: loss.detach() for name, (_, loss) in weighted.items()}
        terms = distributed.mean_terms(terms)
        if not finite(terms):
            raise Diverged(_diverged(terms, self.iteration))
        self.state = {name: value.detach() for name, value in following.items()}
        self.optimiser.zero_grad(set_to_none=True)
        losses = [weight * loss for weight, loss in weighted.values() if weight > 0]
        if losses:
            torch.stack(losses).sum().backward()
            distributed.average_gradients(self.model.parameters())
            if self.config.optimiser.gradient_limit > 0:
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optimiser.gradient_limit)
            self.optimiser.step()
        self.iteration += 1
        follow(self.average, self.model, self.config.optimiser.ema_decay, self.iteration)
        return terms

    def validate(self, limit_s: float | None = None) -> Validation:
        """Play the held-out part, its leading `limit_s` seconds or whole, with the averaged generator."""
        held_out, steps = self.footage.validation, self.config.sequence_frames
        return validate_segments(self.average, held_out, self.mean_CHW, steps, limit_s)

    def checkpoint(self, elapsed_s: float) -> Checkpoint:
        """Return the state for resuming. All processes must call it; raises TrainingError when their weights differ."""
        distributed.check_weights(self.model, *self.adversarial.discriminators.values())
        return Checkpoint(self.config, self.iteration, elapsed_s, dict(self.average.state_dict()), self._tensors())

    def _noise(self, steps: int) -> dict[str, Tensor]:
        drawn = self.model.draw_noise(self.random_state.streams, steps, self.random_state.generator)
        return {name: values[self.random_state.own] for name, values in drawn.items()}

    def _features(self, audio_BTW: Tensor) -> Tensor:
        return self.model.front_end(audio_BTW.to(self.device).flatten(0, 1)).unflatten(0, audio_BTW.shape[:2])

    def _restart(self, fresh_B: Tensor) -> None:
        """Give streams that restart the initial state."""
        initial, fresh_B = self.model.initial_state(len(fresh_B)), fresh_B.to(self.device)
        for name, carried in self.state.items():
            self.state[name] = torch.where(fresh_B.view(-1, *[1] * (carried.dim() - 1)), initial[name], carried)

    def _reconstruction_terms(self, fake_BTCHW: Tensor, real_BTCHW: Tensor) -> dict[str, tuple[float, Tensor]]:
        """Return weight and loss of all terms without a discriminator; the L1 always, for the log."""
        losses = self.config.losses
        terms = {"l1": (losses.l1, functional.l1_loss(fake_BTCHW, real_BTCHW))}
        for name, weight, loss in (
            ("motion", losses.motion, motion_loss),
            ("motion_energy", losses.motion_energy, motion_energy_loss),
            ("detail", losses.detail, detail_loss),
        ):
            if weight > 0:
                terms[name] = (weight, loss(fake_BTCHW, real_BTCHW))
        if self.perceptual is not None:
            distance = self.perceptual(fake_BTCHW.flatten(0, 1), real_BTCHW.flatten(0, 1))
            terms["perceptual"] = (losses.perceptual, distance)
        return terms

    def _set_learning_rates(self, progress: float) -> None:
        optimiser, share = self.config.optimiser, 1.0
        if optimiser.lr_decay == "cosine":
            share = LOWEST_RATE + (1.0 - LOWEST_RATE) * 0.5 * (1.0 + math.cos(math.pi * progress))
        for group in self.optimiser.param_groups:
            group["lr"] = share * optimiser.lr_generator
        self.adversarial.set_learning_rate(share * optimiser.lr_discriminator)

    def _tensors(self) -> dict[str, Tensor]:
        # The names are those of the first checkpoints; renaming them would make old runs unreadable.
        return {
            **prefixed("generator", self.model.state_dict()),
            **prefixed("generator_optimiser", optimiser_tensors(self.optimiser)),
            **self.adversarial.tensors(),
            **prefixed("lanes", self.reader.tensors()),
            **prefixed("state", distributed.all_streams(self.state)),
            "random": self.random_state.state(),
        }

    def _restore(self, checkpoint: Checkpoint) -> None:
        where = checkpoint.folder
        check_same_shape(checkpoint.config, self.config, where)
        saved = checkpoint.training
        load_weights(self.average, checkpoint.generator, where)
        load_weights(self.model, under("generator", saved), where)
        restore_optimiser(self.optimiser, under("generator_optimiser", saved))
        self.adversarial.restore(saved)
        if self.reader.restore(under("lanes", saved)):
            self.state = {
                name: value[self.random_state.own].to(self.device) for name, value in under("state", saved).items()
            }
        self.random_state.restore(saved["random"])
        self.iteration = checkpoint.iterations


def build_trainer(config: TrainConfig, footage: Footage | Clip, resume: Checkpoint | None = None) -> Trainer:
    """Return the trainer of the configuration's family. Raises TrainingError as `Trainer`."""
    return family(config.model.family).trainer(config, footage, resume)


def adversarial_losses(config: TrainConfig, device: torch.device) -> AdversarialLosses:
    """Return the adversarial losses with the discriminators of the family. Raises TrainingError for shapes that cannot be."""
    kinds = kinds_of(config.losses)
    build = family(config.model.family).build_discriminators
    return AdversarialLosses(
        config.losses,
        build(config.model, config.discriminator, kinds, config.sequence_frames) if kinds else {},
        device,
        learning_rate=config.optimiser.lr_discriminator,
        betas=config.optimiser.betas,
        precision=config.precision,
    )


def choose_device(name: str) -> torch.device:
    """Return the device; `auto` takes CUDA when there is one. Raises TrainingError when CUDA is demanded and absent."""
    if name == "cuda" and not torch.cuda.is_available():
        raise TrainingError(
            "device is 'cuda', but torch finds no CUDA device; use --device cpu or install torch for CUDA."
        )
    device = torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
    if device.type == "cuda":
        device = torch.device("cuda", distributed.device_number(torch.cuda.device_count()))
        torch.cuda.set_device(device)
        # TF32 is exact enough for training and several times faster.
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    return device


def _diverged(terms: dict[str, Tensor], iteration: int) -> str:
    name = next(name for name, value in terms.items() if not value.isfinite())
    return f"The loss '{name}' is {float(terms[name])} after {iteration} iterations and training stopped"
