"""The way from noise to latents: windows, guidance, loops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.tempotokens_tiny import SCHEDULER, VAE, draw_weights
from engine.core.errors import TrainingError
from training.diffusion import stable_diffusion
from training.diffusion.tempotokens import published
from training.diffusion.tempotokens.denoising import Sampling, decode, denoise, guided, primes_up_to, windows


class OfContext(nn.Module):
    """Predicts, for each frame, the mean of its context, and half of the latents: no frame sees another."""

    def forward(self, latents_BCFHW: Tensor, _timestep: Tensor, contexts_BFLD: Tensor) -> Tensor:
        return 0.5 * latents_BCFHW + contexts_BFLD.mean(dim=(2, 3))[:, None, :, None, None]


def scheduler() -> Any:
    return published.scheduler_from(SCHEDULER)


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def given(frames: int) -> tuple[Tensor, Tensor]:
    return drawn(frames, 3, 4, seed=2), drawn(1, 3, 4, seed=3)


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("shift", [0, 3, 24, 31])
@pytest.mark.parametrize("frames", [24, 48, 61])
def test_windows_hold_all_frames(frames: int, shift: int, loop: bool) -> None:
    found = windows(frames, 24, shift, loop)
    assert set(torch.cat(found).tolist()) == set(range(frames))
    assert {len(window) for window in found} == {24}
    assert len(found) <= Sampling(loop=loop).windows_per_step(frames)
    if not loop:
        assert all(window.diff().eq(1).all() for window in found)


def test_only_loops_go_over_the_end() -> None:
    assert windows(6, 4, 1, loop=True)[0].tolist() == [5, 0, 1, 2]
    assert [window.tolist() for window in windows(6, 4, 1, loop=False)] == [[0, 1, 2, 3], [2, 3, 4, 5]]
    assert windows(3, 4, 1, loop=True)[0].tolist() == [2, 0, 1]
    assert windows(3, 4, 1, loop=False)[0].tolist() == [0, 1, 2]


def test_shifts_are_primes() -> None:
    assert primes_up_to(24) == [2, 3, 5, 7, 11, 13, 17, 19, 23]
    assert primes_up_to(1) == []


@pytest.mark.parametrize(
    "sampling", [Sampling(steps=4, window_frames=5), Sampling(steps=4, window_frames=5, loop=True)]
)
def test_windows_change_nothing_where_no_frame_sees_another(sampling: Sampling) -> None:
    noise = drawn(1, 4, 13, 2, 2)
    whole = denoise(OfContext(), scheduler(), noise, given(13), replace(sampling, window_frames=13, loop=False))
    parts = denoise(OfContext(), scheduler(), noise, given(13), sampling, shifts=(2, 3))
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-5)


def test_one_context_serves_all_frames() -> None:
    noise, (many, empty) = drawn(1, 4, 3, 2, 2), given(3)
    one = many[:1]
    found = denoise(OfContext(), scheduler(), noise, (one, empty), Sampling(steps=2))
    expected = denoise(OfContext(), scheduler(), noise, (one.expand(3, -1, -1), empty), Sampling(steps=2))
    assert torch.equal(found, expected)


def test_guidance_goes_on_from_the_empty_text_over_the_context() -> None:
    latents, (some, empty), timestep = drawn(1, 4, 3, 2, 2), given(3), torch.tensor(5)
    without = OfContext()(latents, timestep, empty.expand(3, -1, -1)[None])
    with_context = OfContext()(latents, timestep, some[None])
    for apart in (False, True):
        found = guided(OfContext(), latents, timestep, (some, empty), Sampling(guidance=7.0, halves_apart=apart))
        torch.testing.assert_close(found, without + 7.0 * (with_context - without))
    assert torch.equal(guided(OfContext(), latents, timestep, (some, empty), Sampling(guidance=1.0)), with_context)


def test_each_step_tells_what_the_clip_will_be() -> None:
    seen = list[Tensor]()
    last = denoise(OfContext(), scheduler(), drawn(1, 4, 3, 2, 2), given(3), Sampling(steps=3), watch=seen.append)
    assert len(seen) == 3
    assert seen[0].shape == last.shape
    torch.testing.assert_close(seen[-1], last)


@torch.no_grad()
def test_latents_become_frames() -> None:
    vae = draw_weights(stable_diffusion.vae_from(VAE), 2)
    latents = drawn(1, 4, 3, 2, 4)
    frames = decode(vae, latents)
    assert frames.shape == (3, 16, 32, 3)
    assert frames.dtype == torch.uint8
    plain = vae.decode(latents[:, :, 1] / VAE["scaling_factor"]).sample[0].permute(1, 2, 0)
    expected = ((plain.clamp(-1.0, 1.0) + 1.0) * 127.5).floor()
    assert (frames[1].float() - expected).abs().max() <= 1.0


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"steps": 0}, "--steps is 0; at least 1"),
        ({"guidance": 0.5}, "--guidance is 0.5; at least 1"),
        ({"guidance": float("nan")}, "--guidance is nan"),
        ({"window_frames": 0}, "--window-frames is 0"),
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        Sampling(**values)
