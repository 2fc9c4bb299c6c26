"""The teacher's autoencoder as features of live frames."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.training.diffusion.avsyncd.published_folder import write_folder
from training.core.named_functions import load_function
from training.diffusion.avsyncd.published import VAE
from training.diffusion.stable_diffusion import open_vae
from training.distillation.command import TEACHER_NETWORK
from training.losses.feature_loss import FeatureLoss

CPU = torch.device("cpu")


def test_features_are_the_means_of_the_latents(tmp_path: Path) -> None:
    file = write_folder(tmp_path) / VAE
    features = load_function(TEACHER_NETWORK, "--feature-network")(file)
    assert callable(features)
    frames = torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(0)) * 2.0 - 1.0
    vae = open_vae(file, CPU, torch.float32)
    expected = vae.encode(frames).latent_dist.mean * vae.config.scaling_factor
    torch.testing.assert_close(features(frames), expected)
    # Sides that are no multiples are filled up, not cut.
    assert features(frames[:, :, :7, :11]).shape == expected.shape


def test_they_lead_frames_to_others(tmp_path: Path) -> None:
    loss = FeatureLoss(TEACHER_NETWORK, str(write_folder(tmp_path) / VAE), CPU)
    random = torch.Generator().manual_seed(0)
    real, fake = (torch.rand(1, 3, 8, 8, generator=random) for _ in range(2))
    fake.requires_grad_()
    before = loss(fake, real)
    assert loss(real, real) == 0.0
    (gradient,) = torch.autograd.grad(before, fake)
    assert loss(fake.detach() - 0.05 * gradient / gradient.abs().max(), real) < before
