"""Shapes, causality of options and gradients of both discriminators."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from engine.core.errors import TrainingError
from training.core.frame_size import FrameSize
from training.families.listen_and_move.discriminator import Discriminator, DiscriminatorConfig

SIZE = FrameSize(16, 16)
ARCHITECTURES = ["skip", "basic", "residual"]


def config(architecture: str = "skip", norm: str = "batch", **settings: object) -> DiscriminatorConfig:
    return DiscriminatorConfig(architecture=architecture, norm=norm, channels_base=32, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("norm", ["batch", "none"])
def test_a_frame_gets_a_patch_of_scores(architecture: str, norm: str) -> None:
    discriminator = Discriminator(config(architecture, norm), FrameSize(32, 32))
    torch.nn.init.constant_(discriminator.decision.bias, -50.0)
    scores = discriminator(torch.rand(2, 3, 32, 32) * 2 - 1)
    assert scores.shape == (2, 1, 4, 4)
    assert (scores < -10).all()  # unbounded: no sigmoid


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("frames", "left"), [(2, 1), (6, 3), (8, 1), (12, 3), (16, 2)])
def test_time_is_halved_as_long_as_it_divides(architecture: str, frames: int, left: int) -> None:
    scores = Discriminator(config(architecture), FrameSize(32, 32), frames)(torch.randn(1, frames, 3, 32, 32))
    assert scores.shape == (1, 1, left, 4, 4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("size", "patch"), [((40, 56), (3, 4)), ((72, 40), (5, 3)), ((24, 24), (3, 3))])
def test_a_frame_of_any_shape_gets_a_patch_of_its_shape(
    architecture: str, size: tuple[int, int], patch: tuple[int, int]
) -> None:
    judge = Discriminator(config(architecture, "none"), FrameSize(*size), 4)
    sequence = torch.randn(1, 4, 3, *size, requires_grad=True)
    scores = judge(sequence)
    assert scores.shape == (1, 1, 1, *patch)
    (slope,) = torch.autograd.grad(scores.sum(), sequence, create_graph=True)
    slope.square().sum().backward()
    # Down to the last row and column.
    assert (slope[..., -1, :] != 0).any()
    assert (slope[..., :, -1] != 0).any()


@pytest.mark.parametrize("frames", [1, 7])
def test_an_odd_number_of_frames_is_refused(frames: int) -> None:
    with pytest.raises(TrainingError, match=f"sequence_frames is {frames}"):
        Discriminator(config(), SIZE, frames)


def test_channels_mirror_the_generator() -> None:
    paper = DiscriminatorConfig()
    assert [paper.channels(5, stage) for stage in range(6)] == [512, 512, 256, 128, 64, 32]
    finest = DiscriminatorConfig(double_finest=True)
    assert [finest.channels(5, stage) for stage in range(6)] == [512, 512, 256, 128, 128, 64]
    capped = DiscriminatorConfig(channels_max=100)
    assert capped.channels(5, 0) == 100


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_order_of_frames_matters_and_every_weight_learns(architecture: str) -> None:
    torch.manual_seed(1)
    discriminator = Discriminator(config(architecture, "none"), SIZE, 8)
    sequence = torch.randn(1, 8, 3, 16, 16)
    scores = discriminator(sequence)
    assert not torch.allclose(scores, discriminator(sequence.flip(1)))
    scores.square().sum().backward()
    for name, parameter in discriminator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def plainly(judge: Discriminator, frames: Tensor) -> Tensor:
    """The discriminator in its first form: every colour map is made at full size and averaged afterwards."""
    rgb = frames.transpose(1, 2) if judge.video else frames
    pool = functional.avg_pool3d if judge.video else functional.avg_pool2d
    convolve = functional.conv3d if judge.video else functional.conv2d
    x = judge.from_rgb[0](rgb)
    for level, block in enumerate(judge.blocks):
        if level and judge.architecture == "skip":
            scale = [1.0 / step for step in judge.shrink[level - 1]]
            rgb = functional.interpolate(rgb, scale_factor=scale, mode="nearest")
            x = x + judge.from_rgb[level](rgb)
        x = start = pool(x, judge.shrink[level])
        for part in block.block if judge.architecture == "residual" else block:
            if isinstance(part, (torch.nn.Conv2d, torch.nn.Conv3d)):
                x = convolve(x, part.weight, part.bias, padding=1)
            else:
                x = part(x)
        if judge.architecture == "residual":
            x = functional.leaky_relu((x + block.skip(start)) / 2**0.5, 0.2)
    return judge.decision(x)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("frames", [None, 4, 6])
@pytest.mark.parametrize("batch", [1, 2])
def test_what_saves_time_changes_no_score_and_no_gradient(architecture: str, frames: int | None, batch: int) -> None:
    torch.manual_seed(3)
    judge = Discriminator(config(architecture, "none"), SIZE, frames).double()
    frames = torch.randn(batch, *(() if frames is None else (frames,)), 3, 16, 16, dtype=torch.float64)
    found = []
    for form in (judge, lambda x: plainly(judge, x)):
        shown = frames.clone().requires_grad_(True)
        scores = form(shown)
        (slope,) = torch.autograd.grad(scores.sum(), shown, create_graph=True)
        judge.zero_grad()
        (scores.mean() + slope.square().sum()).backward()
        found.append([scores, slope, *(p.grad for p in judge.parameters() if p.grad is not None)])
    assert len(found[0]) == len(found[1])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_sound_conditioned_discriminator_scores_frames_beside_their_sound(architecture: str) -> None:
    torch.manual_seed(2)
    judge = Discriminator(config(architecture, "none"), SIZE, 8, features=5)
    sequence, sound = torch.randn(2, 8, 3, 16, 16), torch.rand(2, 8, 5, requires_grad=True)
    scores = judge(sequence, sound)
    assert scores.shape == (2, 1, 2, 4, 4)
    assert not torch.allclose(scores, judge(sequence, sound.flip(1)))
    scores.square().sum().backward()
    assert sound.grad is not None
    assert (sound.grad.abs().sum(dim=(0, 2)) > 0).all()
    assert all(p.grad is not None and p.grad.any() for p in judge.parameters())


def test_decibels_are_no_louder_to_it_than_levels_of_0_to_1() -> None:
    torch.manual_seed(2)
    judge = Discriminator(config("basic", "none"), SIZE, 2, features=5)
    sequence = torch.zeros(1, 2, 3, 16, 16)
    quiet, decibels = judge(sequence, torch.ones(1, 2, 5)), judge(sequence, torch.full((1, 2, 5), -80.0))
    assert decibels.abs().max() < 10 * quiet.abs().max()
