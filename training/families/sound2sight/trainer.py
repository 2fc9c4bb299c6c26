"""The trainer of Sound2Sight: each sequence begins with context frames, and the others are predicted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import TrainingError
from training.core import distributed
from training.core.run_state import optimiser_tensors, prefixed, restore_optimiser, under
from training.data.reader import Batch
from training.families.sound2sight.config import Sound2SightLosses
from training.families.sound2sight.discriminator import (
    JointDiscriminator,
    discriminator_loss,
    generator_loss,
)
from training.families.sound2sight.forecast import forecast, nearest_noise, with_own_frames
from training.families.sound2sight.generator import feature_count
from training.families.sound2sight.model import NOISE, Sound2Sight
from training.loop.config import TrainConfig
from training.loop.trainer import StepLosses, Trainer

# B streams, T frames, W window samples, Z latent numbers, C colours, H W rows and columns

DISCRIMINATOR = "joint_discriminator"
MOST_SEEDS = 1 << 31


class Sound2SightTrainer(Trainer):
    """MSE + β KL + the discriminator's part, by a schedule. Sequences are independent of each other."""

    @classmethod
    def networks_of(cls, config: TrainConfig) -> Mapping[str, nn.Module]:
        if not config.losses.adversarial:
            return {}
        shape = config.model.generator
        features = feature_count(shape, config.model.front_end.feature_count)
        size = config.model.frame_size
        return {DISCRIMINATOR: JointDiscriminator(config.discriminator, shape, features, size)}

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        return {} if self.discriminator is None else {DISCRIMINATOR: self.discriminator}

    @property
    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {} if self.discriminator_optimiser is None else {DISCRIMINATOR: self.discriminator_optimiser}

    def build_losses(self) -> None:
        """Raise TrainingError where a process has a single sequence of a batch."""
        built = self.networks_of(self.config)
        self.discriminator = cast("JointDiscriminator | None", built.get(DISCRIMINATOR))
        self.discriminator_optimiser = None
        self.progress = 0.0
        if self.discriminator is not None:
            _, own = distributed.own_streams(self.config.sequences_per_batch)
            if own < 2:
                raise TrainingError(
                    f"sequences_per_batch is {self.config.sequences_per_batch}, {own} for each process; the discriminator needs another "
                    "sequence's sound to compare with: give two or more for each, start fewer processes, or set losses.adversarial to 0."
                )
            self.discriminator.to(self.device)
            optimiser = self.config.optimiser
            self.discriminator_optimiser = torch.optim.Adam(
                self.discriminator.parameters(), lr=optimiser.lr_discriminator, betas=optimiser.betas
            )

    def step(self, progress: float = 0.0) -> dict[str, Tensor]:
        """Train on one batch; see Trainer."""
        self.progress = progress
        return super().step(progress)

    def losses(self, batch: Batch) -> StepLosses:
        model, weights = self._model(), self.config.losses
        # Dropout draws from torch's own numbers, which a checkpoint does not hold.
        torch.manual_seed(self.random_state.integer(MOST_SEEDS))
        real = model.coloured_sequence(batch.real_BTCHW.to(self.device))
        audio_BTW = batch.audio_BTW.to(self.device)
        features_BTF = model.front_end(audio_BTW.flatten(0, 1)).unflatten(0, audio_BTW.shape[:2])
        sounds = model.generator.encode_sound(features_BTF)
        noise = self._noise(real, sounds)
        given = self._given(real, sounds, noise, weights)
        found = forecast(model.generator, real, sounds, noise, given)
        # Summed over the frames, as in the original: β and the schedule are for that.
        steps = real.shape[1] - 1
        error = functional.mse_loss(found.frames_BTCHW, real[:, 1:])
        weighted = {"squared_error": (weights.mse * steps, error), "kl": (weights.kl, found.divergence())}
        logged: dict[str, Tensor] = {}
        weight = weights.adversarial_weight(self.iteration, self.progress)
        if self.discriminator is not None and weight > 0.0:
            logged["d_joint"] = self._learn(real[:, 1:], found.frames_BTCHW.detach(), features_BTF[:, 1:])
            judged = self.discriminator.judge(real[:, 1:], found.frames_BTCHW, features_BTF[:, 1:])
            weighted["g_joint"] = (
                weight * (steps - self.discriminator.config.buffer_frames + 1),
                generator_loss(judged),
            )
        frames = (_shown(found.frames_BTCHW.detach()), _shown(real[:, 1:]))
        return StepLosses(weighted, logged, self.state, frames)

    def reconstruction_loss(self, fake_BTCHW: Tensor, real_BTCHW: Tensor) -> Tensor:
        """Return the mean squared error of frames in [0, 1]."""
        return functional.mse_loss(fake_BTCHW, real_BTCHW) / 4.0

    def tensors_of_losses(self) -> dict[str, Tensor]:
        if self.discriminator is None or self.discriminator_optimiser is None:
            return {}
        moments = optimiser_tensors(self.discriminator_optimiser)
        weights = self.discriminator.state_dict()
        return {**prefixed(DISCRIMINATOR, weights), **prefixed(f"{DISCRIMINATOR}_optimiser", moments)}

    def restore_losses(self, tensors: Mapping[str, Tensor]) -> None:
        if self.discriminator is not None and self.discriminator_optimiser is not None:
            self.discriminator.load_state_dict(under(DISCRIMINATOR, tensors))
            restore_optimiser(self.discriminator_optimiser, under(f"{DISCRIMINATOR}_optimiser", tensors))

    def _model(self) -> Sound2Sight:
        assert isinstance(self.model, Sound2Sight)
        return self.model

    def _noise(self, real: Tensor, sounds: Tensor) -> Tensor:
        """Return the noise of the frames: for every second sequence, that of several draws which comes nearest.

        The others get a single draw, as all do without `nearest_of`: nothing but the sound tells them what comes. If all got the
        nearest one, the noise would say what the sound says as well, and the sound would be left out.
        """
        state, steps = self.random_state, real.shape[1]
        drawn = [
            self.model.draw_noise(state.streams, steps, state.generator)[NOISE][state.own]
            for _ in range(self.config.losses.nearest_of)
        ]
        noise = drawn[0]
        if len(drawn) > 1:
            near = slice(1, None, 2)
            draws = torch.stack(drawn)[:, near]
            noise[near] = nearest_noise(self._model().generator, real[near], sounds[near], draws)
        return noise

    def _given(self, real: Tensor, sounds: Tensor, noise: Tensor, weights: Sound2SightLosses) -> Tensor | None:
        """Return the frames that the generator goes on from, where some are its own; None for teacher forcing."""
        share = weights.scheduled_sampling * min(1.0, max(self.progress, 0.0))
        if not share:
            return None
        with torch.no_grad():
            own = forecast(self._model().generator, real, sounds, noise)
        taken_BT = self.random_state.per_stream(real.shape[1]) < share
        # The context is always real.
        taken_BT[:, : self.config.model.generator.context_frames] = False
        return with_own_frames(real, own, taken_BT.to(real.device))

    def _learn(self, real: Tensor, fake: Tensor, features_BTF: Tensor) -> Tensor:
        """Train the discriminator on one batch and return its loss."""
        assert self.discriminator is not None
        assert self.discriminator_optimiser is not None
        judge = partial(self.discriminator.judge, real, features_BTF=features_BTF)
        loss = discriminator_loss(judge(real), judge(fake))
        self.discriminator_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.discriminator_optimiser.step()
        return loss.detach()


def _shown(frames_BTCHW: Tensor) -> Tensor:
    """Return frames in [0, 1] as RGB in [-1, 1]."""
    return (frames_BTCHW * 2.0 - 1.0).expand(-1, -1, 3, -1, -1)
