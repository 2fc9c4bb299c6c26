"""Training with reconstruction losses and two discriminators, of frames and of sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import TrainingError
from training.core import distributed
from training.core.precision import reduced
from training.data.reader import Batch
from training.data.windows import Segment, WindowTiming
from training.families.registry import family
from training.loop.config import TrainConfig
from training.loop.trainer import StepLosses, Trainer
from training.losses.adaptive_augmentation import heldout_sequences
from training.losses.adversarial import AdversarialLosses, Sound, kinds_of
from training.losses.feature_loss import FeatureLoss
from training.losses.losses import detail_loss, motion_energy_loss, motion_loss
from training.losses.perceptual import PerceptualLoss

# B streams, T frames, W window samples, F features, C colours, H W rows and columns


@dataclass(frozen=True, slots=True)
class Played:
    """What the generator makes of a batch's sound, beside the batch's frames: whole frames or the same part of both."""

    real_BTCHW: Tensor
    fake_BTCHW: Tensor
    features_BTF: Tensor
    next_state: dict[str, Tensor]
    own_terms: Mapping[str, tuple[float, Tensor]] = field(default_factory=dict[str, tuple[float, Tensor]])
    """Losses that the family alone has, by name, each with its weight."""


class AdversarialTrainer(Trainer):
    """The trainer of families whose `loss_config` is `LossConfig`; the family builds the discriminators."""

    @classmethod
    def networks_of(cls, config: TrainConfig) -> Mapping[str, nn.Module]:
        return _named(adversarial_losses(config, torch.device("cpu")).discriminators)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return _named(self.adversarial.discriminators)

    @property
    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return _named(self.adversarial.optimisers)

    def build_losses(self) -> None:
        config = self.config
        self.adversarial = adversarial_losses(config, self.device)
        self.adversarial.mean_of_processes = distributed.mean
        weights = Path(config.losses.perceptual_weights)
        self.perceptual = PerceptualLoss(weights).to(self.device) if config.losses.perceptual > 0 else None
        self.feature_loss = self._feature_loss()
        if config.losses.overfitting_target > 0:
            longest = max(self._overfitting_segments(), key=lambda segment: segment.frame_range.count)
            timing = WindowTiming.of(self.model)
            heldout = heldout_sequences(longest.clip, longest.frame_range, config.sequence_frames, timing)
            self.adversarial.hold_out(heldout[0], self.features(heldout[1]))

    def _feature_loss(self) -> FeatureLoss | None:
        losses = self.config.losses
        return FeatureLoss(losses.feature_network, losses.feature_weights, self.device) if losses.features > 0 else None

    def _overfitting_segments(self) -> Sequence[Segment]:
        """Return what overfitting is measured on. Raises TrainingError for a new run without a tuning part."""
        if self.footage.tuning:
            return self.footage.tuning
        if not self.is_resumed:
            raise TrainingError(
                f"losses.overfitting_target is {self.config.losses.overfitting_target:g}, and no clip has a tuning part to "
                "measure it on: give a longer clip, set clip.tuning_share to 0.1, or set overfitting_target to 0."
            )
        # Runs of the version before have no tuning part and go on as they began.
        return self.footage.validation

    def reconstruction_loss(self, fake_BTCHW: Tensor, real_BTCHW: Tensor) -> Tensor:
        """Return the weighted sum of all losses without a discriminator; L1 where every weight is 0."""
        terms = self._reconstruction_terms(fake_BTCHW, real_BTCHW)
        weighted = [weight * loss for weight, loss in terms.values() if weight > 0]
        return torch.stack(weighted).sum() if weighted else terms["l1"][1]

    def played(self, batch: Batch) -> Played:
        """Run the generator on a batch, from `self.state`."""
        real_BTCHW, audio_BTW = batch.real_BTCHW.to(self.device), batch.audio_BTW.to(self.device)
        noise = self._noise(audio_BTW.shape[1])
        fake_BTCHW, features_BTF, next_state = self.model.clip(audio_BTW, noise, self.state)
        return Played(real_BTCHW, fake_BTCHW, features_BTF, next_state)

    def losses(self, batch: Batch) -> StepLosses:
        played = self.played(batch)
        real_BTCHW, fake_BTCHW = played.real_BTCHW, played.fake_BTCHW
        logged: dict[str, Tensor] = {}
        weighted = self._reconstruction_terms(fake_BTCHW, real_BTCHW) | dict(played.own_terms)
        if self.config.losses.adversarial_at(self.iteration):
            frame = self.random_state.integer(real_BTCHW.shape[1])
            sound = None
            if self.adversarial.takes_sound:
                sound = Sound(played.features_BTF, self.features(self.reader.other_moment()))
            logged = self.adversarial.learn(real_BTCHW, fake_BTCHW, frame, self.random_state, sound)
            weighted |= self.adversarial.generator_terms(real_BTCHW, fake_BTCHW, frame, self.random_state, sound)
        return StepLosses(weighted, logged, played.next_state, (fake_BTCHW.detach(), real_BTCHW))

    def tensors_of_losses(self) -> dict[str, Tensor]:
        return self.adversarial.tensors()

    def restore_losses(self, tensors: Mapping[str, Tensor]) -> None:
        self.adversarial.restore(tensors)

    def _noise(self, steps: int) -> dict[str, Tensor]:
        drawn = self.model.draw_noise(self.random_state.streams, steps, self.random_state.generator)
        return {name: values[self.random_state.own] for name, values in drawn.items()}

    def features(self, audio_BTW: Tensor) -> Tensor:
        """Return the features [B, T, F] of sound windows."""
        return self.model.front_end(audio_BTW.to(self.device).flatten(0, 1)).unflatten(0, audio_BTW.shape[:2])

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
            with reduced(self.config.precision, self.device):
                distance = self.perceptual(fake_BTCHW.flatten(0, 1), real_BTCHW.flatten(0, 1))
            terms["perceptual"] = (losses.perceptual, distance)
        if self.feature_loss is not None:
            distance = self.feature_loss(fake_BTCHW.flatten(0, 1), real_BTCHW.flatten(0, 1))
            terms["features"] = (losses.features, distance)
        return terms


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


def _named(by_kind: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{kind}_discriminator": value for kind, value in by_kind.items()}
