"""Guidance, what a frame sees of the sound, and the denoising loop."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.avsyncd_cases import SCHEDULERS, drawn
from engine.core.errors import TrainingError
from training.diffusion.avsyncd.sampling import Given, Guidance, denoise, guided_noise, seen_tokens
from training.diffusion.avsyncd.transformer import Conditions
from training.diffusion.imagebind_audio import ImageBindAudioConfig, segment_mask

TEXT, NULL_TEXT, SOUND, NO_SOUND = 1.0, 2.0, 10.0, 20.0
GIVEN = Given(
    torch.full((1, 1, 1), TEXT),
    torch.full((1, 1, 1), NULL_TEXT),
    torch.full((1, 1, 1, 1), SOUND),
    torch.full((1, 1, 1, 1), NO_SOUND),
)


class Listed:
    """Noise that tells by its value what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, float]] = []

    def __call__(self, latents: Tensor, timestep: Tensor, conditions: Conditions) -> Tensor:
        text, sound = float(conditions.text_BKD.mean()), float(conditions.sound_BFVD.mean())
        self.asked.append((text, sound))
        return torch.full_like(latents, text * sound**2)


def noise(text: float, sound: float) -> float:
    return text * sound**2


@pytest.mark.parametrize(
    ("guidance", "expected", "count"),
    [
        ((1.0, 1.0), noise(TEXT, SOUND), 1),
        ((1.0, 4.0), noise(TEXT, NO_SOUND) + 4 * (noise(TEXT, SOUND) - noise(TEXT, NO_SOUND)), 2),
        ((3.0, 1.0), noise(NULL_TEXT, SOUND) + 3 * (noise(TEXT, SOUND) - noise(NULL_TEXT, SOUND)), 2),
        (
            (3.0, 4.0),
            noise(NULL_TEXT, NO_SOUND)
            + 3 * (noise(TEXT, NO_SOUND) - noise(NULL_TEXT, NO_SOUND))
            + 4 * (noise(TEXT, SOUND) - noise(TEXT, NO_SOUND)),
            3,
        ),
    ],
)
def test_guidance(guidance: tuple[float, float], expected: float, count: int) -> None:
    unet, latents = Listed(), torch.zeros(1, 4, 2, 1, 1)
    found = guided_noise(unet, latents, torch.tensor(5), GIVEN, Guidance(text=guidance[0], sound=guidance[1]))
    torch.testing.assert_close(found, torch.full_like(latents, expected))
    assert len(unet.asked) == count, "what has no weight is not computed"


@pytest.mark.parametrize(
    ("wrong", "name"),
    [({"text": 0.5}, "text"), ({"sound": 0.0}, "audio"), ({"sound": float("nan")}, "audio"), ({"sound": 1e9}, "audio")],
)
def test_guidance_out_of_range_is_refused(wrong: dict[str, float], name: str) -> None:
    with pytest.raises(TrainingError, match=f"The {name} guidance is .*; from 1"):
        Guidance(**wrong)


def test_seen_tokens_give_what_the_mask_gives() -> None:
    mask = segment_mask(ImageBindAudioConfig(), 12)
    tokens, queries = drawn("tokens", 2, 229, 8), drawn("queries", 2, 12, 6, 8)
    seen = seen_tokens(tokens, mask)
    assert seen.shape == (2, 12, 25, 8)
    under_mask = functional.scaled_dot_product_attention(
        queries, tokens[:, None].expand(-1, 12, -1, -1), tokens[:, None].expand(-1, 12, -1, -1), attn_mask=mask[:, None]
    )
    torch.testing.assert_close(functional.scaled_dot_product_attention(queries, seen, seen), under_mask)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_first_frame_stays_and_the_others_do_not(name: str) -> None:
    scheduler, told = SCHEDULERS[name](), list[tuple[int, int]]()
    scheduler.set_timesteps(3)
    first, start = drawn("first", 1, 4, 2, 2), drawn("noise", 1, 4, 5, 2, 2)
    given = replace(GIVEN, sound_BFVD=torch.zeros(1, 6, 1, 1), null_sound_BFVD=torch.zeros(1, 6, 1, 1))
    found = denoise(Listed(), scheduler, first, start, given, Guidance(), lambda *done: told.append(done))
    assert torch.equal(found[:, :, 0], first)
    assert (found[:, :, 1:] - start).abs().min() > 0.0
    assert told == [(number, len(scheduler.timesteps)) for number in range(1, len(scheduler.timesteps) + 1)]


@pytest.mark.parametrize("name", SCHEDULERS)
def test_noise_that_is_told_truly_leads_to_the_clip(name: str) -> None:
    """Where the model knows the clip, the last step gives it, whatever the scheduler."""
    scheduler = SCHEDULERS[name]()
    scheduler.set_timesteps(50)
    clip = drawn("clip", 1, 4, 4, 2, 2)

    def knowing(latents: Tensor, timestep: Tensor, conditions: Conditions) -> Tensor:
        share = scheduler.alphas_cumprod[int(timestep)]
        return (latents - share.sqrt() * clip) / (1 - share).sqrt()

    given = replace(GIVEN, sound_BFVD=torch.zeros(1, 4, 1, 1))
    found = denoise(knowing, scheduler, clip[:, :, 0], drawn("start", 1, 4, 3, 2, 2), given, Guidance(sound=1.0))
    torch.testing.assert_close(found, clip, atol=0.1, rtol=0.0)
