"""Adversarial losses: the discriminators with their optimisers. D_I scores single frames; D_V scores sequences, their order
and their sound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.core.precision import Precision, reduced
from training.core.random_state import RandomState
from training.core.run_state import optimiser_tensors, prefixed, restore_optimiser, under
from training.losses import adaptive_augmentation
from training.losses.differentiable_augmentation import augment, draw_count
from training.losses.losses import (
    LossConfig,
    fake_loss,
    generator_loss,
    gradient_penalty,
    pairing_loss,
    real_loss,
    slope_penalty,
)

# B sequences, T frames, C colours, H W rows and columns, F sound features, N held-out sequences

IMAGE, VIDEO = "image", "video"
TRAINING, GENERATED, STEPS, HELDOUT, MEASUREMENTS = range(5)
KEPT = 0.8
"""Share of the earlier scores that stays at each measurement: a single one is mostly noise."""
HELDOUT_FRAMES_EVERY = 3


@dataclass(frozen=True, slots=True)
class Sound:
    """The second input of a D_V that takes sound features."""

    own_BTF: Tensor
    """Features of the sequence itself."""
    other_BTF: Tensor
    """Features of another time of the clip."""


def kinds_of(losses: LossConfig) -> tuple[str, ...]:
    """Return the kinds of discriminators whose weight is above 0."""
    weights = {IMAGE: losses.adversarial_image, VIDEO: losses.adversarial_video}
    return tuple(kind for kind, weight in weights.items() if weight > 0)


class AdversarialLosses:
    """The discriminators of a run with their optimisers and augmentation."""

    def __init__(
        self,
        losses: LossConfig,
        discriminators: Mapping[str, nn.Module],
        device: torch.device,
        *,
        learning_rate: float,
        betas: tuple[float, float],
        precision: Precision = "float32",
    ) -> None:
        """`discriminators` by kind (`kinds_of`); they are moved to the device. The video discriminator has the attribute
        `takes_sound`: whether it takes sound features as a second input.
        """
        self.losses, self.device, self.precision = losses, device, precision
        self.discriminators = {kind: discriminator.to(device) for kind, discriminator in discriminators.items()}
        self.takes_sound = VIDEO in self.discriminators and bool(self.discriminators[VIDEO].takes_sound)
        self.weights = {IMAGE: losses.adversarial_image, VIDEO: losses.adversarial_video}
        self.optimisers = {
            kind: torch.optim.Adam(discriminator.parameters(), lr=learning_rate, betas=betas)
            for kind, discriminator in self.discriminators.items()
        }
        self.steps = 0
        """Steps of the discriminators so far."""
        start = 0.0 if losses.overfitting_target > 0 else losses.augment_probability
        self.probabilities = dict.fromkeys(self.discriminators, start)
        """Of each kind of augmentation."""
        self.sums = {name: torch.zeros(5, device=device) for name in self.discriminators}
        """Decaying sums: mean scores of training and generated frames, steps, scores of held-out frames, measurements."""
        self.heldout: tuple[Tensor, Tensor | None] | None = None
        self.mean_of_processes: Callable[[Tensor], Tensor] = lambda tensor: tensor
        """Averages a tensor over all processes, so that all decide alike."""

    def hold_out(self, heldout_NTCHW: Tensor, features_NTF: Tensor) -> None:
        """Give the sequences on which overfitting is measured, the same in every process."""
        self.heldout = heldout_NTCHW.to(self.device), features_NTF.to(self.device) if self.takes_sound else None

    def learn(
        self, real_BTCHW: Tensor, fake_BTCHW: Tensor, frame: int, random_state: RandomState, sound: Sound | None = None
    ) -> dict[str, Tensor]:
        """Train each discriminator once and return its losses by name.

        D_I compares frame number `frame` of both; D_V compares real with generated, with real in another order, and, given
        `sound`, with real beside the sound of another time. At its interval, overfitting is measured too.
        """
        fake_BTCHW = fake_BTCHW.detach()
        terms: dict[str, Tensor] = {}
        if VIDEO in self.discriminators:
            order = random_state.order(real_BTCHW.shape[1]).to(real_BTCHW.device)
            own = () if sound is None else (sound.own_BTF,)
            shown = self.augmented(VIDEO, real_BTCHW, random_state)
            others = {
                "generated": (self.augmented(VIDEO, fake_BTCHW, random_state), *own),
                "order": (shown[:, order], *own),
            }
            if sound is not None:
                others["mismatch"] = (shown, sound.other_BTF)
            terms |= self._learn(VIDEO, (shown, *own), others, random_state)
        if IMAGE in self.discriminators:
            real, fake = (
                self.augmented(IMAGE, x[:, frame : frame + 1], random_state)[:, 0] for x in (real_BTCHW, fake_BTCHW)
            )
            terms |= self._learn(IMAGE, (real,), {"generated": (fake,)}, random_state)
        self.steps += 1
        if self.heldout is not None and self.steps % self.losses.overfitting_interval == 0:
            terms |= self._measure_overfitting(*self.heldout, random_state)
        return terms

    def _learn(
        self, name: str, real: tuple[Tensor, ...], others: Mapping[str, tuple[Tensor, ...]], random_state: RandomState
    ) -> dict[str, Tensor]:
        """Take one step against all of `others`. Each part goes backward by itself, so that one graph is held beside that of `real`."""
        losses, discriminator, optimiser = self.losses, self.discriminators[name], self.optimisers[name]
        kind, penalised = losses.adversarial, self.steps % losses.penalty_interval == 0
        discriminator.requires_grad_(True)
        optimiser.zero_grad(set_to_none=True)
        terms: dict[str, Tensor] = {}
        frames, scores = self._scored(name, real, penalised and losses.r1 > 0)
        training = scores.detach().float().mean()
        # In pairs the loss depends on both sides: its slope by the real scores is collected here, and they go backward last.
        paired = scores.detach().float().requires_grad_(kind == "relativistic")
        side = against_real = torch.zeros((), device=self.device)
        if frames.requires_grad:
            penalty = slope_penalty(scores, frames)
            terms[f"d_{name}_r1"] = penalty.detach()
            side = losses.penalty_interval * losses.r1 * penalty
        if kind != "relativistic":
            # The real side is the same against each of the others, so it is scored once and counted as often.
            against_real = real_loss(kind, scores)
            (len(others) * against_real + side).backward()
        for against, other in others.items():
            generated = against == "generated"
            other_frames, other_scores = self._scored(name, other, penalised and losses.r2 > 0 and generated)
            loss = pairing_loss(paired, other_scores) if kind == "relativistic" else fake_loss(kind, other_scores)
            terms[f"d_{name}_{against}"] = against_real.detach() + loss.detach()
            if other_frames.requires_grad:
                penalty = slope_penalty(other_scores, other_frames)
                terms[f"d_{name}_r2"] = penalty.detach()
                loss = loss + losses.penalty_interval * losses.r2 * penalty
            loss.backward()
            if generated:
                self._add_scores(name, training, other_scores.detach().float().mean())
            if penalised and kind == "wgan-gp":
                penalty = gradient_penalty(discriminator, real, other, random_state.per_stream())
                terms[f"d_{name}_{against}_penalty"] = penalty.detach()
                (losses.penalty_interval * losses.gradient_penalty * penalty).backward()
        if paired.grad is not None:
            ((scores.float() * paired.grad).sum() + side).backward()
        optimiser.step()
        # The generator's step needs gradients through the discriminator, not of its weights.
        discriminator.requires_grad_(False)
        return terms

    def generator_terms(
        self,
        real_BTCHW: Tensor,
        fake_BTCHW: Tensor,
        frame: int,
        random_state: RandomState,
        sound: Sound | None = None,
    ) -> dict[str, tuple[float, Tensor]]:
        """Return weight and loss of the generator against each discriminator; the real frames matter to pairs alone."""
        kind = self.losses.adversarial
        terms: dict[str, tuple[float, Tensor]] = {}
        for name in self.discriminators:
            scores = self._generator_scores(name, fake_BTCHW, frame, random_state, sound)
            if kind == "relativistic":
                with torch.no_grad():
                    real_scores = self._generator_scores(name, real_BTCHW, frame, random_state, sound)
                loss = pairing_loss(scores, real_scores)
            else:
                loss = generator_loss(kind, scores)
            terms[f"g_{name}"] = (self.weights[name], loss)
        return terms

    def _generator_scores(
        self, name: str, frames_BTCHW: Tensor, frame: int, random_state: RandomState, sound: Sound | None
    ) -> Tensor:
        if name == VIDEO:
            own = () if sound is None else (sound.own_BTF,)
            return self._scores(name, self.augmented(VIDEO, frames_BTCHW, random_state), *own)
        return self._scores(name, self.augmented(IMAGE, frames_BTCHW[:, frame : frame + 1], random_state)[:, 0])

    def _scored(self, name: str, given: tuple[Tensor, ...], penalised: bool) -> tuple[Tensor, Tensor]:
        """Return the frames of `given`, which require a gradient where a penalty is taken at them, and the scores."""
        frames = given[0].detach().requires_grad_(penalised)
        return frames, self._scores(name, frames, *given[1:], exact=penalised)

    def _scores(self, name: str, *given: Tensor, exact: bool = False) -> Tensor:
        """Score in the configured precision; `exact` where a penalty derives the derivative."""
        with reduced(self.precision if not exact else "float32", self.device):
            return self.discriminators[name](*given)

    def augmented(self, name: str, frames_BTCHW: Tensor, random_state: RandomState) -> Tensor:
        """Return the frames as the discriminator `name` gets them."""
        kinds = self.losses.augment
        if not kinds:
            return frames_BTCHW
        return augment(frames_BTCHW, kinds, self.probabilities[name], random_state.per_stream(draw_count(kinds)))

    def _add_scores(self, name: str, training: Tensor, generated: Tensor) -> None:
        one, none = torch.ones_like(training), torch.zeros_like(training)
        self.sums[name] += torch.stack([training, generated, one, none, none])

    @torch.no_grad()
    def _measure_overfitting(
        self, heldout_NTCHW: Tensor, features_NTF: Tensor | None, random_state: RandomState
    ) -> dict[str, Tensor]:
        """Measure overfitting, make augmentation one step more or less likely, and return both by name."""
        losses, kinds = self.losses, self.losses.augment
        terms: dict[str, Tensor] = {}
        step = adaptive_augmentation.HIGHEST_PROBABILITY * losses.overfitting_interval / losses.overfitting_ramp
        for name in self.discriminators:
            # The same numbers in every process, for the frames are the same.
            uniform_NK = torch.rand(len(heldout_NTCHW), draw_count(kinds), generator=random_state.generator)
            shown = augment(heldout_NTCHW, kinds, self.probabilities[name], uniform_NK)
            self.sums[name][HELDOUT] += self._heldout_score(name, shown, features_NTF)
            self.sums[name][MEASUREMENTS] += 1.0
            sums = self.mean_of_processes(self.sums[name]).tolist()
            training, generated = sums[TRAINING] / sums[STEPS], sums[GENERATED] / sums[STEPS]
            heldout = sums[HELDOUT] / sums[MEASUREMENTS]
            measured = adaptive_augmentation.overfitting(training, heldout, generated)
            probability = adaptive_augmentation.moved(
                self.probabilities[name], measured, losses.overfitting_target, step
            )
            self.probabilities[name] = probability
            self.sums[name] *= KEPT
            found = {
                "score_training": training,
                "score_heldout": heldout,
                "score_generated": generated,
                "overfitting": measured,
                "augment_probability": probability,
            }
            terms |= {f"{what}_{name}": torch.tensor(value, device=self.device) for what, value in found.items()}
        return terms

    def _heldout_score(self, name: str, shown_NTCHW: Tensor, features_NTF: Tensor | None) -> Tensor:
        """Score sequence by sequence: batch norm should mix no more frames than it does in training."""
        discriminator = self.discriminators[name]
        if name == IMAGE:
            frames = shown_NTCHW[:, ::HELDOUT_FRAMES_EVERY].flatten(0, 1)
            return torch.stack([discriminator(one[None]).float().mean() for one in frames]).mean()
        scores = []
        for number, sequence in enumerate(shown_NTCHW):
            features = () if features_NTF is None else (features_NTF[number : number + 1],)
            scores.append(discriminator(sequence[None], *features).float().mean())
        return torch.stack(scores).mean()

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, moments and the state of the augmentation, by name."""
        # The names are those of the first checkpoints; renaming them would make old runs unreadable.
        saved: dict[str, Tensor] = {"adversary.turns": torch.tensor(self.steps)}
        for name, discriminator in self.discriminators.items():
            saved |= prefixed(f"{name}_discriminator", discriminator.state_dict())
            saved |= prefixed(f"{name}_discriminator_optimiser", optimiser_tensors(self.optimisers[name]))
            saved[f"adversary.{name}_probability"] = torch.tensor(self.probabilities[name], dtype=torch.float64)
            saved[f"adversary.{name}_seen"] = self.mean_of_processes(self.sums[name].clone())
        return saved

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` returned; a discriminator that was not trained then starts fresh."""
        own = under("adversary", tensors)
        self.steps = int(own.get("turns", torch.tensor(0)))
        for name, discriminator in self.discriminators.items():
            weights = under(f"{name}_discriminator", tensors)
            if weights:
                discriminator.load_state_dict(weights)
                restore_optimiser(self.optimisers[name], under(f"{name}_discriminator_optimiser", tensors))
            if f"{name}_seen" in own:
                if self.losses.overfitting_target > 0:
                    self.probabilities[name] = float(own[f"{name}_probability"])
                self.sums[name] = own[f"{name}_seen"].to(self.device)
