"""Both discriminators with their optimisers: D_I judges single pictures, D_V sequences and their order."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from training.chance import Chance
from training.config import TrainConfig
from training.families.listen_and_move.discriminator import Discriminator
from training.losses import discriminator_loss, generator_loss, gradient_penalty
from training.run_state import optimiser_tensors, prefixed, restore_optimiser, under

# B sequences, T frames, C colours, H W rows and columns

IMAGE, VIDEO = "image", "video"


class Adversary:
    """The discriminators whose weight is above 0."""

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        """Raises TrainingError for shapes that cannot be."""
        self.losses = config.losses
        size, optimiser = config.model.image_size, config.optimiser
        self.weights: dict[str, float] = {}
        self.discriminators: dict[str, Discriminator] = {}
        for name, weight in ((IMAGE, config.losses.adversarial_image), (VIDEO, config.losses.adversarial_video)):
            if weight > 0:
                frames = config.sequence_frames if name == VIDEO else None
                self.weights[name] = weight
                self.discriminators[name] = Discriminator(config.discriminator, size, frames).to(device)
        self.optimisers = {
            name: torch.optim.Adam(discriminator.parameters(), lr=optimiser.lr_discriminator, betas=optimiser.betas)
            for name, discriminator in self.discriminators.items()
        }

    def learn(self, real_BTCHW: Tensor, fake_BTCHW: Tensor, frame: int, chance: Chance) -> dict[str, Tensor]:
        """Train each discriminator once and return its losses by name.

        D_I compares frame number `frame` of both; D_V compares real with generated and real with real in another order.
        """
        fake_BTCHW = fake_BTCHW.detach()
        terms: dict[str, Tensor] = {}
        if VIDEO in self.discriminators:
            order = chance.order(real_BTCHW.shape[1]).to(real_BTCHW.device)
            shuffled = real_BTCHW[:, order]
            terms |= self._learn(VIDEO, real_BTCHW, {"generated": fake_BTCHW, "order": shuffled}, chance)
        if IMAGE in self.discriminators:
            terms |= self._learn(IMAGE, real_BTCHW[:, frame], {"generated": fake_BTCHW[:, frame]}, chance)
        return terms

    def _learn(self, name: str, real: Tensor, fakes: Mapping[str, Tensor], chance: Chance) -> dict[str, Tensor]:
        discriminator, optimiser = self.discriminators[name], self.optimisers[name]
        discriminator.requires_grad_(True)
        optimiser.zero_grad(set_to_none=True)
        terms: dict[str, Tensor] = {}
        for against, fake in fakes.items():
            loss = discriminator_loss(self.losses.adversarial, discriminator(real), discriminator(fake))
            terms[f"d_{name}_{against}"] = loss.detach()
            if self.losses.adversarial == "wgan-gp":
                penalty = gradient_penalty(discriminator, real, fake, chance.per_lane())
                terms[f"d_{name}_{against}_penalty"] = penalty.detach()
                loss = loss + self.losses.gradient_penalty * penalty
            loss.backward()
        optimiser.step()
        # The generator's turn needs gradients through the discriminator, not of it.
        discriminator.requires_grad_(False)
        return terms

    def generator_terms(self, fake_BTCHW: Tensor, frame: int) -> dict[str, tuple[float, Tensor]]:
        """Return weight and loss of the generator against each discriminator."""
        shown = {IMAGE: fake_BTCHW[:, frame], VIDEO: fake_BTCHW}
        return {
            f"g_{name}": (self.weights[name], generator_loss(self.losses.adversarial, discriminator(shown[name])))
            for name, discriminator in self.discriminators.items()
        }

    def set_learning_rate(self, rate: float) -> None:
        """Set the learning rate of both."""
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = rate

    def tensors(self) -> dict[str, Tensor]:
        """Return weights and moments by name."""
        saved: dict[str, Tensor] = {}
        for name, discriminator in self.discriminators.items():
            saved |= prefixed(f"{name}_discriminator", discriminator.state_dict())
            saved |= prefixed(f"{name}_discriminator_optimiser", optimiser_tensors(self.optimisers[name]))
        return saved

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` returned; a discriminator that was not trained then starts fresh."""
        for name, discriminator in self.discriminators.items():
            weights = under(f"{name}_discriminator", tensors)
            if weights:
                discriminator.load_state_dict(weights)
                restore_optimiser(self.optimisers[name], under(f"{name}_discriminator_optimiser", tensors))
