"""Losses against their definitions by hand."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import TrainingError
from training.losses.losses import (
    LossConfig,
    detail_loss,
    fake_loss,
    generator_loss,
    gradient_penalty,
    motion_energy_loss,
    motion_loss,
    pairing_loss,
    real_loss,
    slope_penalty,
)
from training.losses.perceptual import PerceptualLoss

REAL, FAKE = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.5])


def discriminator_loss(kind: str, real: Tensor, fake: Tensor) -> Tensor:
    return real_loss(kind, real) + fake_loss(kind, fake)  # type: ignore[arg-type]


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x))


@pytest.mark.parametrize(
    ("kind", "of_discriminator", "of_generator"),
    [
        ("wgan", -1.25 - 1.25, 1.25),
        ("wgan-gp", -1.25 - 1.25, 1.25),
        ("hinge", 0.25 + 0.75, 1.25),
        ("ls", 0.5 * (1.0 + 0.25) / 2 + 0.5 * (9.0 + 0.25) / 2, 0.5 * (16.0 + 0.25) / 2),
    ],
)
def test_losses_by_hand(kind: str, of_discriminator: float, of_generator: float) -> None:
    assert float(discriminator_loss(kind, REAL, FAKE)) == pytest.approx(of_discriminator)
    assert float(generator_loss(kind, FAKE)) == pytest.approx(of_generator)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["ns", "bce"])
def test_log_losses_take_unbounded_scores(kind: str) -> None:
    expected = -(log_sigmoid(2.0) + log_sigmoid(0.5)) / 2 - (log_sigmoid(3.0) + log_sigmoid(-0.5)) / 2
    assert float(discriminator_loss(kind, REAL, FAKE)) == pytest.approx(expected)
    assert float(generator_loss(kind, FAKE)) == pytest.approx(-(log_sigmoid(-3.0) + log_sigmoid(0.5)) / 2)  # type: ignore[arg-type]
    extreme = torch.tensor([-1e4, 1e4])
    assert discriminator_loss(kind, extreme, extreme).isfinite()


@pytest.mark.parametrize("kind", ["wgan-gp", "wgan", "hinge", "ns", "ls", "bce"])
def test_every_loss_wants_real_high_and_fake_low_and_the_generator_the_opposite(kind: str) -> None:
    real, fake = torch.zeros(4, requires_grad=True), torch.zeros(4, requires_grad=True)
    discriminator_loss(kind, real, fake).backward()
    assert (real.grad <= 0).all()
    assert (fake.grad >= 0).all()
    fake = torch.zeros(4, requires_grad=True)
    generator_loss(kind, fake).backward()  # type: ignore[arg-type]
    assert (fake.grad < 0).all()


@pytest.mark.parametrize("kind", ["wgan-gp", "wgan", "hinge", "ns", "ls", "bce"])
def test_losses_of_half_precision_scores_are_taken_in_float32(kind: str) -> None:
    half = torch.linspace(-3.0, 3.0, 999).bfloat16()
    for loss in (real_loss, fake_loss, generator_loss):
        found = loss(kind, half)  # type: ignore[arg-type]
        assert found.dtype == torch.float32
        assert torch.equal(found, loss(kind, half.float()))  # type: ignore[arg-type]


def test_the_pairing_loss_judges_each_pair_by_its_difference() -> None:
    """Equations 2 and 3 of arXiv 2501.05441 with f(t) = -log(1 + exp(-t)); the pairs' differences are 5 and 0."""
    assert float(pairing_loss(REAL, FAKE)) == pytest.approx(-(log_sigmoid(5.0) + log_sigmoid(0.0)) / 2)
    assert float(pairing_loss(FAKE, REAL)) == pytest.approx(-(log_sigmoid(-5.0) + log_sigmoid(0.0)) / 2)
    # A constant that is added to all scores changes nothing.
    assert float(pairing_loss(REAL + 7.0, FAKE + 7.0)) == pytest.approx(float(pairing_loss(REAL, FAKE)))
    extreme = torch.tensor([-1e4, 1e4])
    assert pairing_loss(extreme, -extreme).isfinite()
    half = torch.linspace(-3.0, 3.0, 999).bfloat16()
    assert torch.equal(pairing_loss(half, -half), pairing_loss(half.float(), -half.float()))


def test_gradient_penalty_of_a_linear_score_is_known() -> None:
    weight = torch.tensor([3.0, 4.0])
    real, fake = torch.randn(6, 2), torch.randn(6, 2)
    penalty = gradient_penalty(lambda x: x @ weight, [real], [fake], torch.rand(len(real)))
    assert float(penalty) == pytest.approx(16.0, rel=1e-5)  # (5 - 1)²


def test_gradient_penalty_of_two_inputs_is_that_of_both_together() -> None:
    weight, other = torch.tensor([3.0, 4.0]), torch.tensor([12.0])
    inputs = [torch.randn(6, 2), torch.randn(6, 1)]
    penalty = gradient_penalty(lambda x, y: x @ weight + y @ other, inputs, inputs, torch.rand(6))
    assert float(penalty) == pytest.approx(144.0, rel=1e-5)  # (13 - 1)²


def test_gradient_penalty_has_a_gradient_even_at_zero_slope() -> None:
    score = nn.Linear(3, 1)
    nn.init.zeros_(score.weight)
    gradient_penalty(score, [torch.randn(4, 3)], [torch.randn(4, 3)], torch.rand(4)).backward()
    assert score.weight.grad is not None
    assert score.weight.grad.isfinite().all()


def test_r1_of_a_linear_score_is_half_its_squared_slope_wherever_it_is_taken() -> None:
    weight = torch.tensor([3.0, 4.0], requires_grad=True)
    real = torch.randn(6, 2, requires_grad=True)
    penalty = slope_penalty(real @ weight, real)
    assert float(penalty.detach()) == pytest.approx(12.5)
    penalty.backward()
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, weight.detach())


def test_r1_takes_the_mean_of_a_patch_as_the_score_of_its_frame() -> None:
    real = torch.randn(3, 1, 4, 4, requires_grad=True)
    assert float(slope_penalty(5.0 * real, real).detach()) == pytest.approx(0.5 * 16 * (5.0 / 16) ** 2)


def test_penalties_under_mixed_precision_are_float32() -> None:
    score = nn.Sequential(nn.Linear(8, 8), nn.LeakyReLU(), nn.Linear(8, 1))
    real, fake = torch.randn(4, 8, requires_grad=True), torch.randn(4, 8)
    with torch.autocast("cpu", torch.bfloat16):
        scores = score(real)
        assert scores.dtype == torch.bfloat16
        penalties = (slope_penalty(scores, real), gradient_penalty(score, [real], [fake], torch.rand(4)))
    for penalty in penalties:
        assert penalty.dtype == torch.float32
        penalty.backward()


def test_motion_loss_ignores_a_constant_offset() -> None:
    real = torch.rand(2, 5, 3, 4, 4)
    assert float(motion_loss(real + 0.3, real)) < 1e-6
    assert float(motion_loss(real * 0, real)) == pytest.approx(float(real.diff(dim=1).abs().mean()))
    assert float(motion_loss(real[:, :1], real[:, :1])) == 0.0


def test_motion_energy_and_detail_ask_for_the_amount_and_leave_the_place_open() -> None:
    real = torch.zeros(1, 2, 3, 32, 32)
    real[0, 1, :, 8, 8] = 1.0
    elsewhere = real.roll(1, dims=-1)  # within the same square of 2 pixels
    assert float(motion_loss(elsewhere, real)) > 0.0
    assert float(motion_energy_loss(elsewhere, real)) == 0.0
    assert float(motion_energy_loss(real * 0, real)) == pytest.approx(1.0 / 32**2)
    assert float(detail_loss(real * 0, real)) > 0.0
    assert float(detail_loss(real, real)) == 0.0


def test_grain_does_not_pass_for_detail() -> None:
    rows = torch.arange(64.0)
    real = torch.sin(2.0 * torch.pi * rows / 16.0).view(1, 1, 1, 64, 1).expand(1, 1, 3, 64, 64)
    grain = torch.randn(real.shape, generator=torch.Generator().manual_seed(0))
    # As much difference from row to row as the waves have.
    grain = grain * real.diff(dim=3).abs().mean() / grain.diff(dim=3).abs().mean()
    blank = detail_loss(torch.zeros_like(real), real)
    assert float(detail_loss(grain, real)) > 0.75 * float(blank)
    assert float(detail_loss(real.roll(8, dims=3), real)) < 0.1 * float(blank)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"adversarial_image": 0, "adversarial_video": 0}, "nothing would be learned"),
        ({"perceptual": 10.0}, "perceptual_weights"),
        ({"l1": -1.0}, r"losses\.l1 is -1"),
        ({"r1": -1.0}, r"losses\.r1 is -1"),
        ({"r2": -1.0}, r"losses\.r2 is -1"),
        ({"penalty_interval": 0}, r"losses\.penalty_interval is 0; 1 or more"),
        ({"overfitting_interval": 0}, r"losses\.overfitting_interval is 0"),
        ({"overfitting_target": 1.5}, r"losses\.overfitting_target is 1\.5; a share from 0 to 1"),
        ({"augment_probability": -0.5}, r"losses\.augment_probability is -0\.5"),
        ({"augment": ("colour", "colour")}, "each kind can be named once"),
    ],
)
def test_loss_settings_that_cannot_be_are_a_sentence(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        LossConfig(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["l1", "motion", "motion_energy", "detail"])
def test_one_teaching_term_is_enough(name: str) -> None:
    assert LossConfig(adversarial_image=0, adversarial_video=0, **{name: 1.0})  # type: ignore[arg-type]


def vgg_weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    shapes = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128)}
    return {
        f"features.{i}.{part}": 0.05 * torch.randn(*((o, n, 3, 3) if part == "weight" else (o,)))
        for i, (o, n) in shapes.items()
        for part in ("weight", "bias")
    }


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_perceptual_loss_is_the_distance_of_relu2_2(tmp_path: Path, suffix: str) -> None:
    weights, path = vgg_weights(), tmp_path / f"vgg.{suffix}"
    if suffix == "pth":
        torch.save(weights, path)
    else:
        save_file(weights, path)
    fake, real = torch.rand(2, 2, 3, 16, 16) * 2 - 1

    def relu2_2(frames: Tensor) -> Tensor:
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        x = ((frames / 2 + 0.5) - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
        for i in (0, 2, 5, 7):
            x = functional.max_pool2d(x, 2) if i == 5 else x
            x = functional.conv2d(x, weights[f"features.{i}.weight"], weights[f"features.{i}.bias"], padding=1).relu()
        return x

    loss = PerceptualLoss(path)
    assert float(loss(fake, real)) == pytest.approx(float((relu2_2(fake) - relu2_2(real)).square().mean()), rel=1e-4)
    assert float(loss(real, real)) == 0.0
    assert all(not parameter.requires_grad for parameter in loss.parameters())


def test_perceptual_weights_of_hed_are_read(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    weights = vgg_weights()
    names = ("block1/layers/conv2d", "block1/layers/conv2d_1", "block2/layers/conv2d", "block2/layers/conv2d_1")
    with h5py.File(tmp_path / "hed.h5", "w") as file:
        for name, i in zip(names, (0, 2, 5, 7), strict=True):
            file[f"{name}/vars/0"] = weights[f"features.{i}.weight"].permute(2, 3, 1, 0).numpy()
            file[f"{name}/vars/1"] = weights[f"features.{i}.bias"].numpy()
    loss = PerceptualLoss(tmp_path / "hed.h5")
    assert torch.equal(loss.convolutions[1].weight, weights["features.2.weight"])
    # Caffe's convention: blue first, bytes minus their mean.
    grey = torch.full((1, 3, 8, 8), -1.0)
    first = functional.conv2d(
        torch.tensor([-103.939, -116.779, -123.68]).view(1, 3, 1, 1).expand(1, 3, 8, 8),
        weights["features.0.weight"],
        weights["features.0.bias"],
    )
    seen: list[Tensor] = []
    loss.convolutions[0].register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    loss.features(grey)
    torch.testing.assert_close(seen[0][:, :, 1:-1, 1:-1], first, rtol=1e-4, atol=1e-3)


def test_perceptual_weights_that_cannot_be_used_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no weights")
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pth")
    for name, sentence in (
        ("text.pth", "not a file of weights"),
        ("other.pth", "lacks"),
        ("absent.pth", "Cannot read"),
    ):
        with pytest.raises(TrainingError, match=sentence):
            PerceptualLoss(tmp_path / name)
