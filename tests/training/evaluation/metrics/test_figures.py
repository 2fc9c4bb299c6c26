"""Figures of made frames with known results."""

import pytest
import torch

from training.evaluation.metrics.frechet import frechet_distance
from training.evaluation.metrics.paired import MSE, PSNR, pixel_figures, similarity
from training.evaluation.metrics.video_features import pooled_snippets


def test_pixel_figures_of_known_frames() -> None:
    real = torch.full((2, 3, 16, 16), 0.5)
    found = pixel_figures(real + torch.tensor([0.1, 0.0]).view(2, 1, 1, 1), real)
    assert found[MSE].tolist() == pytest.approx([0.01, 0.0])
    assert found[PSNR].tolist() == pytest.approx([20.0, 100.0], rel=1e-4)


def test_similarity_falls_with_noise() -> None:
    torch.manual_seed(0)
    real = torch.rand(1, 3, 16, 16).repeat(2, 1, 1, 1)
    noisy = real + torch.tensor([0.0, 0.3]).view(2, 1, 1, 1) * torch.randn_like(real)
    same, other = similarity(noisy, real).tolist()
    assert same == pytest.approx(1.0)
    assert other < 0.9


def test_frechet_distance_of_known_sets() -> None:
    left = torch.tensor([[-1.0], [1.0]])  # mean 0, deviation √2
    assert frechet_distance(left, 3.0 + 2.0 * left) == pytest.approx(9.0 + 2.0)
    assert frechet_distance(left, left) == pytest.approx(0.0, abs=1e-9)


def test_frechet_distance_does_not_change_under_rotation() -> None:
    """Sets with fewer frames than features are projected first; the distance stays the same."""
    torch.manual_seed(0)
    left, right = torch.randn(40, 12).double(), 1.5 * torch.randn(50, 12).double() + 0.5
    wide = torch.zeros(12, 200).double()
    wide[:, 40:52] = torch.linalg.qr(torch.randn(12, 12).double()).Q
    assert frechet_distance(left @ wide, right @ wide) == pytest.approx(frechet_distance(left, right), rel=1e-6)


def test_pooled_snippets_tell_still_from_moving_frames() -> None:
    still, moving = torch.ones(16, 4), torch.ones(16, 4)
    moving[::2] = 3.0
    snippets = pooled_snippets(still), pooled_snippets(moving)
    assert snippets[0].shape == (5, 8)
    assert snippets[0][:, 4:].abs().max().item() == 0.0
    assert snippets[1][0].tolist() == [2.0] * 8
