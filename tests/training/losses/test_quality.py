"""Quality figures of made frames with known results."""

import pytest
import torch

from training.losses.quality import MSE, PSNR, SSIM, pixel_figures, quality_of, similarity


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


def test_figures_equal_those_of_torchmetrics() -> None:
    image = pytest.importorskip("torchmetrics.functional.image")
    torch.manual_seed(0)
    real = torch.rand(3, 3, 24, 40)
    fake = (real + 0.2 * torch.randn_like(real)).clamp(0, 1)
    expected = image.structural_similarity_index_measure(fake, real, data_range=1.0, reduction="none")
    torch.testing.assert_close(similarity(fake, real), expected, atol=1e-6, rtol=1e-5)
    psnr = image.peak_signal_noise_ratio(fake, real, data_range=1.0, reduction="none", dim=(1, 2, 3))
    torch.testing.assert_close(pixel_figures(fake, real)[PSNR], psnr, atol=1e-4, rtol=1e-6)


def test_the_quality_of_sequences_is_that_of_their_frames_in_eight_bits() -> None:
    torch.manual_seed(0)
    real = torch.rand(2, 2, 3, 16, 16) * 2 - 1
    found = quality_of(real + 0.2, real)
    eight_bits = [((frames.flatten(0, 1) + 1) * 127.5).round().clamp(0, 255) / 255 for frames in (real + 0.2, real)]
    expected = {**pixel_figures(*eight_bits), SSIM: similarity(*eight_bits)}
    assert [float(value) for value in found.values()] == pytest.approx([float(v.mean()) for v in expected.values()])
    assert list(found) == ["mse", "psnr_db", "ssim"]


def test_equal_frames_of_the_smallest_size_have_the_best_quality() -> None:
    frames = torch.zeros(1, 2, 3, 8, 8)
    assert [float(value) for value in quality_of(frames, frames).values()] == pytest.approx([0.0, 100.0, 1.0])
