"""The detail of textures: each band is raised by its gain, and as far as composed frames are softer than the clip."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from training.families.modal.equaliser import equalised, equaliser_gains
from training.losses.sharpness import gradient_energy


def waves(pixels_a_wave: float, amplitude: float = 20.0, side: int = 96) -> torch.Tensor:
    """Return a texture [1, 3, H, W] of upright waves around grey."""
    row_W = 128.0 + amplitude * torch.sin(2.0 * np.pi * torch.arange(side) / pixels_a_wave)
    return row_W.round().to(torch.uint8).expand(1, 3, side, side).clone()


def swing(texture: torch.Tensor) -> float:
    """Return how far the middle of a texture swings around its mean."""
    return float(texture[..., 24:-24, 24:-24].float().std())


@pytest.mark.parametrize(
    ("pixels_a_wave", "scale", "expected"),
    [(2.83, 1, 1.5), (5.66, 1, 1.25), (64.0, 1, 1.0), (5.66, 2, 1.5), (11.3, 2, 1.25), (96.0, 2, 1.0)],
)
def test_each_band_is_raised_by_its_gain_in_pixels_of_the_frame(pixels_a_wave, scale, expected):
    texture = waves(pixels_a_wave)
    raised = equalised(texture, [1.5, 1.25, 1.0, 1.0], scale)
    assert swing(raised) / swing(texture) == pytest.approx(expected, rel=0.06)
    assert float(raised.float().mean()) == pytest.approx(float(texture.float().mean()), abs=0.5)


def test_textures_without_gain_stay_as_they_are():
    texture = torch.randint(0, 256, (2, 3, 33, 40), dtype=torch.uint8)
    assert torch.equal(equalised(texture, [1.0] * 4), texture)


def blurred(textures_NCHW: torch.Tensor) -> list[np.ndarray]:
    """Return frames as a composition makes them that blurs a little."""
    return [cv2.GaussianBlur(t.permute(1, 2, 0).contiguous().numpy(), (0, 0), 0.6) for t in textures_NCHW]


@pytest.fixture
def natural():
    """Textures with detail in every band."""
    noise = np.random.default_rng(3).normal(0.0, 1.0, (2, 128, 128, 3))
    soft = [sum(cv2.GaussianBlur(one, (0, 0), 2.0**k) * 2.0**k for k in range(5)) for one in noise]
    levels = np.stack([128.0 + 20.0 * one / one.std() for one in soft]).round().clip(0, 255).astype(np.uint8)
    return torch.from_numpy(levels).permute(0, 3, 1, 2)


def test_composed_frames_become_as_sharp_as_the_clip(natural):
    clip = [texture.permute(1, 2, 0).numpy() for texture in natural]
    gains = equaliser_gains(blurred, natural, clip, most=4.0)
    real, soft, ours = (
        gradient_energy(frames) for frames in (clip, blurred(natural), blurred(equalised(natural, gains)))
    )
    assert (soft / real)[0] < 0.6
    np.testing.assert_allclose(ours / real, 1.0, atol=0.1)
    assert gains[0] > gains[1] > gains[2] >= 1.0


def test_no_band_is_raised_by_more_than_asked_for_and_none_is_lowered(natural):
    clip = [texture.permute(1, 2, 0).numpy() for texture in natural]
    assert max(equaliser_gains(blurred, natural, clip, most=1.2)) == pytest.approx(1.2)
    soft = [cv2.GaussianBlur(frame, (0, 0), 2.0) for frame in clip]
    assert equaliser_gains(blurred, natural, soft, most=1.2) == [1.0] * 4


def test_a_clip_without_detail_asks_for_none():
    black = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    assert equaliser_gains(blurred, black, [np.zeros((32, 32, 3), np.uint8)], most=1.6) == [1.0] * 4
