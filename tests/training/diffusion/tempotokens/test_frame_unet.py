"""The 3D UNet with a context for each frame. Its numbers are compared with the original's in test_against_original.py."""

from __future__ import annotations

import pytest
import torch

from benchmarks.tempotokens_tiny import UNET, WIDTH, draw_weights
from training.diffusion.tempotokens import published
from training.diffusion.tempotokens.frame_unet import FrameUNet

FRAMES = 3


@pytest.fixture(scope="module")
def unet() -> FrameUNet:
    return FrameUNet(draw_weights(published.unet_from(UNET), 4))


def drawn(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_where_all_frames_have_one_context_it_is_the_library_s_unet(unet: FrameUNet) -> None:
    latents, one = drawn(2, 4, FRAMES, 8, 8), drawn(2, 5, WIDTH, seed=2)
    expected = unet.unet(latents, 7, encoder_hidden_states=one).sample
    found = unet(latents, 7, one[:, None].expand(-1, FRAMES, -1, -1))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_every_frame_sees_its_own_context(unet: FrameUNet) -> None:
    latents, given = drawn(1, 4, FRAMES, 8, 8), drawn(1, FRAMES, 5, WIDTH, seed=2)
    whole = unet(latents, 7, given)
    for frame in range(FRAMES):
        other = given.clone()
        other[:, frame] += 1.0
        assert (unet(latents, 7, other) - whole)[:, :, frame].abs().max() > 1e-3


@torch.no_grad()
def test_contexts_leave_nothing_behind(unet: FrameUNet) -> None:
    latents, one = drawn(1, 4, FRAMES, 8, 8), drawn(1, 5, WIDTH, seed=2)
    before = unet.unet(latents, 7, encoder_hidden_states=one).sample
    unet(latents, 7, drawn(1, FRAMES, 5, WIDTH, seed=3))
    assert torch.equal(unet.unet(latents, 7, encoder_hidden_states=one).sample, before)
