"""What AVSyncD is trained for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import DDPMScheduler
from torch import Tensor

from benchmarks.avsyncd_cases import drawn
from tests.training.diffusion.avsyncd.published_folder import SHAPE
from training.diffusion.avsyncd.objective import (
    NOISE_STEPS,
    Draws,
    draw,
    noise_loss,
    signal_shares,
    train_what_is_added,
)
from training.diffusion.avsyncd.sampling import Given
from training.diffusion.avsyncd.transformer import Conditions
from training.diffusion.avsyncd.unet import VideoUNet

LATENTS = drawn("latents", 3, 4, 5, 2, 2)
GIVEN = Given(
    torch.zeros(3, 1, 1), torch.zeros(3, 1, 1), torch.full((3, 5, 1, 1), 10.0), torch.full((3, 5, 1, 1), 20.0)
)
DRAWS = Draws(torch.tensor([0, 500, 999]), drawn("noise", 3, 4, 5, 2, 2), torch.tensor([True, False, True]))


class Watching:
    """Keeps what it is given, and gives noise that is off by a half in the first frame and by a quarter in the others."""

    latents: Tensor
    conditions: Conditions

    def __call__(self, latents: Tensor, timestep: Tensor, conditions: Conditions) -> Tensor:
        self.latents, self.conditions = latents, conditions
        found = DRAWS.noise + 0.25
        found[:, :, 0] += 0.25
        return found


def test_the_schedule_is_that_of_diffusers() -> None:
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    torch.testing.assert_close(signal_shares(), scheduler.alphas_cumprod, rtol=1e-5, atol=0.0)


def test_the_first_frame_is_clean_and_counts_nothing() -> None:
    unet = Watching()
    assert noise_loss(unet, LATENTS, GIVEN, DRAWS).item() == pytest.approx(0.25**2)
    assert torch.equal(unet.latents[:, :, 0], LATENTS[:, :, 0])
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    noisy = scheduler.add_noise(LATENTS, DRAWS.noise, DRAWS.timestep_B)
    torch.testing.assert_close(unet.latents[:, :, 1:], noisy[:, :, 1:])


def test_some_videos_have_no_sound() -> None:
    unet = Watching()
    noise_loss(unet, LATENTS, GIVEN, DRAWS)
    assert unet.conditions.sound_BFVD[:, 0, 0, 0].tolist() == [10.0, 20.0, 10.0]


def test_draws() -> None:
    random = torch.Generator().manual_seed(0)
    many = draw(torch.zeros(4000, 1, 1, 1, 1), random)
    assert 0.17 < 1.0 - many.keeps_sound_B.float().mean() < 0.23
    assert (int(many.timestep_B.min()), int(many.timestep_B.max())) == (0, NOISE_STEPS - 1)
    assert draw(LATENTS, random, sound_dropout=0.0).keeps_sound_B.all()
    assert not draw(LATENTS, random, sound_dropout=1.0).keeps_sound_B.any()
    first, again = (draw(LATENTS, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first.noise, again.noise)


def test_only_what_is_added_learns() -> None:
    """A few steps on one video: the loss falls, and Stable Diffusion's own weights stay as they are."""
    torch.manual_seed(0)
    unet = VideoUNet(SHAPE)
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    optimiser = torch.optim.AdamW(train_what_is_added(unet), lr=3e-3)
    latents, given = (
        LATENTS[:1],
        Given(
            drawn("text", 1, 3, 16), drawn("null", 1, 3, 16), drawn("sound", 1, 5, 4, 32), drawn("none", 1, 5, 4, 32)
        ),
    )
    draws = replace(draw(latents, torch.Generator().manual_seed(1)), timestep_B=torch.tensor([300]))
    losses = []
    for _ in range(30):
        loss = noise_loss(unet, latents, given, draws)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    moved = {name for name, value in unet.state_dict().items() if not torch.equal(value, before[name])}
    assert moved
    assert all("_temp" in name or "_audio" in name for name in moved)
