"""The training loop: consecutive sequences with carried state, adversaries, average, validation and checkpoints."""

from __future__ import annotations

import copy
import math
import time
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from engine.errors import TrainingError
from training.adversary import Adversary
from training.checkpoint import (
    Checkpoint,
    check_same_shape,
    checkpoint_folder,
    load_weights,
    prune_checkpoints,
    write_checkpoint,
)
from training.config import TrainConfig
from training.data.video import Clip
from training.data.windows import Lanes, WindowTiming, pictures, sound_windows, split
from training.journal import Journal
from training.losses import motion_loss
from training.perceptual import PerceptualLoss
from training.run_state import finite, follow, optimiser_tensors, prefixed, restore_optimiser, under
from training.streaming import build_model
from training.validation import Validation, mean_frame, spread_frames, validate

# B lanes, T frames, W window samples, C colours, H W rows and columns

LOWEST_RATE = 0.05


class Trainer:
    """One run. `run()` trains to the end of the budget; `step()` is one iteration."""

    def __init__(self, config: TrainConfig, clip: Clip, run_folder: Path, resume: Checkpoint | None = None) -> None:
        """Raises TrainingError for a clip that is too short, a device that is absent or a checkpoint that does not fit."""
        self.config, self.clip, self.run_folder = config, clip, run_folder
        self.device = choose_device(config.device)
        torch.manual_seed(config.seed)
        self.random = torch.Generator().manual_seed(config.seed)
        self.training_fold, self.validation_fold = split(clip, config.sequence_frames)
        self.model = build_model(config.model)
        self.mean_CHW = mean_frame(clip, self.training_fold)
        if resume is None:
            self.model.start_from(spread_frames(clip, self.training_fold))
        self.model.to(self.device)
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        optimiser = config.optimiser
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=optimiser.lr_generator, betas=optimiser.betas)
        self.adversary = Adversary(config, self.device)
        weights = Path(config.losses.perceptual_weights)
        self.perceptual = PerceptualLoss(weights).to(self.device) if config.losses.perceptual > 0 else None
        self.lanes = Lanes(self.training_fold, config.sequence_frames, config.sequences_per_batch, self.random)
        self.state = self.model.initial_state(config.sequences_per_batch)
        self.timing = WindowTiming.of(self.model)
        self.iteration, self.elapsed_before_s, self.started_s = 0, 0.0, time.monotonic()
        self.last_checkpoint: Path | None = None
        self.validated: tuple[int, Validation] | None = None
        self.stop_requested = False
        """Set from outside (Ctrl-C) to finish the iteration, write a checkpoint and leave."""
        if resume is not None:
            self._restore(resume)

    @property
    def elapsed_s(self) -> float:
        """Seconds trained, over all resumptions."""
        return self.elapsed_before_s + time.monotonic() - self.started_s

    def progress(self) -> float:
        """Return the share of the budget that is used up, 0 … 1."""
        by_count = self.iteration / self.config.total_iterations
        by_time = 0.0 if self.config.minutes is None else self.elapsed_s / (60.0 * self.config.minutes)
        return min(1.0, max(by_count, by_time))

    def run(self) -> Validation | None:
        """Train to the end of the budget, write a checkpoint and return the last validation; None after `stop_requested`.

        Raises TrainingError, naming the last checkpoint, when a loss is no longer a finite number.
        """
        intervals = self.config.intervals
        self.started_s = time.monotonic()
        with Journal(self.run_folder, self.config.total_iterations, self.iteration) as journal:
            while self.progress() < 1.0 and not self.stop_requested:
                journal.add(self.step(), self.progress(), self.elapsed_s)
                if _due(self.iteration, intervals.log):
                    journal.log(self.iteration, self.elapsed_s, self.optimiser.param_groups[0]["lr"])
                if _due(self.iteration, intervals.checkpoint):
                    self.save()
                if _due(self.iteration, intervals.sample):
                    self._sample(journal)
            journal.log(self.iteration, self.elapsed_s, self.optimiser.param_groups[0]["lr"])
            self.save()
            # Whoever asks to stop wants to leave now.
            return None if self.stop_requested else self._sample(journal)

    def step(self) -> dict[str, Tensor]:
        """Train on the next sequence of every lane and return the losses by name."""
        self._set_learning_rates()
        real_BTCHW, audio_BTW = self._next_batch()
        self.model.train()
        noise = self.model.draw_noise(*audio_BTW.shape[:2], self.random)
        fake_BTCHW, _, following = self.model.clip(audio_BTW, noise, self.state)
        self.state = {name: value.detach() for name, value in following.items()}
        terms: dict[str, Tensor] = {}
        weighted = self._teaching_terms(fake_BTCHW, real_BTCHW)
        if self.config.losses.adversarial_at(self.iteration):
            frame = int(torch.randint(real_BTCHW.shape[1], (1,), generator=self.random))
            terms |= self.adversary.learn(real_BTCHW, fake_BTCHW, frame, self.random)
            weighted |= self.adversary.generator_terms(fake_BTCHW, frame)
        terms |= {name: loss.detach() for name, (_, loss) in weighted.items()}
        if not finite(terms):
            raise TrainingError(self._diverged(terms))
        self.optimiser.zero_grad(set_to_none=True)
        losses = [weight * loss for weight, loss in weighted.values() if weight > 0]
        if losses:
            torch.stack(losses).sum().backward()
            if self.config.optimiser.gradient_limit > 0:
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optimiser.gradient_limit)
            self.optimiser.step()
        self.iteration += 1
        follow(self.average, self.model, self.config.optimiser.ema_decay, self.iteration)
        return terms

    def save(self) -> Path:
        """Write a checkpoint of this iteration, delete the oldest ones, and return its folder."""
        folder = checkpoint_folder(self.run_folder, self.iteration)
        if folder != self.last_checkpoint:
            average = dict(self.average.state_dict())
            write_checkpoint(folder, Checkpoint(self.config, self.iteration, self.elapsed_s, average, self._tensors()))
            prune_checkpoints(self.run_folder, self.config.intervals.checkpoints_kept)
            self.last_checkpoint = folder
        return folder

    def _next_batch(self) -> tuple[Tensor, Tensor]:
        """Return pictures [B, T, C, H, W] and sound [B, T, W], and give lanes that start anew a fresh state."""
        starts, fresh = self.lanes.advance()
        steps = self.config.sequence_frames
        initial = self.model.initial_state(len(starts))
        fresh_B = torch.tensor(fresh, device=self.device)
        for name, carried in self.state.items():
            self.state[name] = torch.where(fresh_B.view(-1, *[1] * (carried.dim() - 1)), initial[name], carried)
        real = torch.stack([pictures(self.clip, start, steps) for start in starts])
        windows = [torch.from_numpy(sound_windows(self.clip.sound_S, start, steps, self.timing)) for start in starts]
        return real.to(self.device), (torch.stack(windows) * self._gains(len(starts))).to(self.device)

    def _gains(self, lanes: int) -> Tensor:
        lowest_db, highest_db = self.config.gain_range_db or (0.0, 0.0)
        if lowest_db == highest_db:
            return torch.full((lanes, 1, 1), 10.0 ** (lowest_db / 20.0))
        gain_db = lowest_db + (highest_db - lowest_db) * torch.rand(lanes, 1, 1, generator=self.random)
        return 10.0 ** (gain_db / 20.0)

    def _teaching_terms(self, fake_BTCHW: Tensor, real_BTCHW: Tensor) -> dict[str, tuple[float, Tensor]]:
        """Return weight and loss of all that needs no adversary; the L1 always, for the record."""
        losses = self.config.losses
        terms = {"l1": (losses.l1, functional.l1_loss(fake_BTCHW, real_BTCHW))}
        if losses.motion > 0:
            terms["motion"] = (losses.motion, motion_loss(fake_BTCHW, real_BTCHW))
        if self.perceptual is not None:
            distance = self.perceptual(fake_BTCHW.flatten(0, 1), real_BTCHW.flatten(0, 1))
            terms["perceptual"] = (losses.perceptual, distance)
        return terms

    def _set_learning_rates(self) -> None:
        optimiser, share = self.config.optimiser, 1.0
        if optimiser.lr_decay == "cosine":
            share = LOWEST_RATE + (1.0 - LOWEST_RATE) * 0.5 * (1.0 + math.cos(math.pi * self.progress()))
        for group in self.optimiser.param_groups:
            group["lr"] = share * optimiser.lr_generator
        self.adversary.set_learning_rate(share * optimiser.lr_discriminator)

    def _sample(self, journal: Journal) -> Validation:
        if self.validated is not None and self.validated[0] == self.iteration:
            return self.validated[1]
        found = validate(self.average, self.clip, self.validation_fold, self.mean_CHW, self.config.sequence_frames)
        journal.sample(self.iteration, self.elapsed_s, found, self.clip, self.validation_fold)
        self.validated = (self.iteration, found)
        return found

    def _diverged(self, terms: dict[str, Tensor]) -> str:
        name = next(name for name, value in terms.items() if not value.isfinite())
        kept = (
            f"the last checkpoint is {self.last_checkpoint}" if self.last_checkpoint else "there is no checkpoint yet"
        )
        return (
            f"The loss '{name}' is {float(terms[name])} after {self.iteration} iterations and training stopped; {kept}. "
            "Lower optimiser.lr_generator and lr_discriminator."
        )

    def _tensors(self) -> dict[str, Tensor]:
        lanes = {"next": torch.tensor(self.lanes.next_B), "fresh": torch.tensor(self.lanes.fresh_B)}
        return {
            **prefixed("generator", self.model.state_dict()),
            **prefixed("generator_optimiser", optimiser_tensors(self.optimiser)),
            **self.adversary.tensors(),
            **prefixed("lanes", lanes),
            **prefixed("state", self.state),
            "random": self.random.get_state(),
        }

    def _restore(self, checkpoint: Checkpoint) -> None:
        check_same_shape(checkpoint.config, self.config, self.run_folder)
        saved = checkpoint.training
        load_weights(self.average, checkpoint.generator, self.run_folder)
        load_weights(self.model, under("generator", saved), self.run_folder)
        restore_optimiser(self.optimiser, under("generator_optimiser", saved))
        self.adversary.restore(saved)
        lanes, state = under("lanes", saved), under("state", saved)
        same_batch = len(lanes["next"]) == self.config.sequences_per_batch
        if same_batch and int(lanes["next"].max()) + self.config.sequence_frames <= self.training_fold.end:
            self.lanes.next_B, self.lanes.fresh_B = lanes["next"].tolist(), lanes["fresh"].tolist()
            self.state = {name: value.to(self.device) for name, value in state.items()}
        self.random.set_state(saved["random"])
        self.iteration, self.elapsed_before_s = checkpoint.iterations, checkpoint.elapsed_s
        self.last_checkpoint = checkpoint_folder(self.run_folder, self.iteration)


def choose_device(name: str) -> torch.device:
    """Return the device; `auto` takes CUDA when there is one. Raises TrainingError when CUDA is demanded and absent."""
    if name == "cuda" and not torch.cuda.is_available():
        raise TrainingError(
            "device is 'cuda', but torch finds no CUDA device; use --device cpu or install torch for CUDA."
        )
    device = torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
    if device.type == "cuda":
        # TF32 is exact enough for training and several times faster.
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    return device


def _due(iteration: int, interval: int) -> bool:
    return interval > 0 and iteration % interval == 0
