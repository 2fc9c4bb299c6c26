"""Shapes, causality of options and gradients of both discriminators."""

import pytest
import torch

from engine.errors import TrainingError
from training.families.listen_and_move.discriminator import Discriminator, DiscriminatorConfig

ARCHITECTURES = ["skip", "basic", "residual"]


def config(architecture: str = "skip", norm: str = "batch", **settings: object) -> DiscriminatorConfig:
    return DiscriminatorConfig(architecture=architecture, norm=norm, channels_base=32, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("norm", ["batch", "none"])
def test_a_picture_gets_a_patch_of_scores(architecture: str, norm: str) -> None:
    discriminator = Discriminator(config(architecture, norm), 32)
    torch.nn.init.constant_(discriminator.decision.bias, -50.0)
    scores = discriminator(torch.rand(2, 3, 32, 32) * 2 - 1)
    assert scores.shape == (2, 1, 4, 4)
    assert (scores < -10).all()  # unbounded: no sigmoid


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("frames", "left"), [(2, 1), (6, 3), (8, 1), (12, 3), (16, 2)])
def test_time_is_halved_as_long_as_it_divides(architecture: str, frames: int, left: int) -> None:
    scores = Discriminator(config(architecture), 32, frames)(torch.randn(1, frames, 3, 32, 32))
    assert scores.shape == (1, 1, left, 4, 4)


@pytest.mark.parametrize("frames", [1, 7])
def test_an_odd_number_of_frames_is_refused(frames: int) -> None:
    with pytest.raises(TrainingError, match=f"sequence_frames is {frames}"):
        Discriminator(config(), 16, frames)


def test_channels_mirror_the_generator() -> None:
    paper = DiscriminatorConfig()
    assert [paper.channels(128, stage) for stage in range(6)] == [512, 512, 256, 128, 64, 32]
    finest = DiscriminatorConfig(double_finest=True)
    assert [finest.channels(128, stage) for stage in range(6)] == [512, 512, 256, 128, 128, 64]
    capped = DiscriminatorConfig(channels_max=100)
    assert capped.channels(128, 0) == 100


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_order_of_frames_matters_and_every_weight_learns(architecture: str) -> None:
    torch.manual_seed(1)
    discriminator = Discriminator(config(architecture, "none"), 16, 8)
    sequence = torch.randn(1, 8, 3, 16, 16)
    scores = discriminator(sequence)
    assert not torch.allclose(scores, discriminator(sequence.flip(1)))
    scores.square().sum().backward()
    for name, parameter in discriminator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
