"""Quick forms of convolutions are the plain ones: values, gradients, and gradients of gradients."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from training.families.listen_and_move.enlarged import conv3_of_enlarged
from training.families.listen_and_move.time_convolution import TimeConv3d


def randoms(*shapes: tuple[int, ...]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(11)
    return [torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True) for shape in shapes]


def assert_same_with_gradients(quick: torch.Tensor, plain: torch.Tensor, inputs: list[torch.Tensor]) -> None:
    torch.testing.assert_close(quick, plain)
    upstream = torch.randn(plain.shape, generator=torch.Generator().manual_seed(12), dtype=plain.dtype)
    slopes = [torch.autograd.grad(y, inputs, upstream, create_graph=True) for y in (quick, plain)]
    for ours, expected in zip(*slopes, strict=True):
        torch.testing.assert_close(ours, expected)
    # As a gradient penalty does.
    seconds = [torch.autograd.grad(slope[0].square().sum(), inputs[1]) for slope in slopes]
    torch.testing.assert_close(*seconds)


@pytest.mark.parametrize(("height", "width"), [(4, 4), (3, 5), (1, 1)])
def test_convolution_of_an_enlarged_frame(height: int, width: int) -> None:
    x, weight, bias = randoms((2, 3, height, width), (5, 3, 3, 3), (5,))
    enlarged = functional.interpolate(x, scale_factor=2.0, mode="nearest")
    plain = functional.conv2d(enlarged, weight, bias, padding=1)
    assert_same_with_gradients(conv3_of_enlarged(x, weight, bias), plain, [x, weight, bias])


@pytest.mark.parametrize("moments", [1, 2, 5])
@pytest.mark.parametrize("batch", [1, 2])
def test_convolution_in_time_and_space(moments: int, batch: int) -> None:
    convolution = TimeConv3d(3, 4, 3, padding=1).double()
    (x,) = randoms((batch, 3, moments, 6, 5))
    plain = nn.Conv3d.forward(convolution, x)
    assert_same_with_gradients(convolution(x), plain, [x, convolution.weight])
    # Another path, on which numbers of double precision stay what they are.
    with torch.autocast("cpu", torch.bfloat16):
        mixed = convolution(x)
    assert_same_with_gradients(mixed, plain, [x, convolution.weight])


def test_in_bfloat16_no_gradient_comes_from_memory_that_was_not_written() -> None:
    torch.manual_seed(0)
    convolution = TimeConv3d(64, 128, 3, padding=1)
    for _ in range(20):
        convolution.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            scores = convolution(torch.randn(1, 64, 4, 4, 4))
        scores.float().mean().backward()
        assert convolution.weight.grad is not None
        assert bool(convolution.weight.grad.isfinite().all())
        # What the next one is given holds no numbers.
        del scores
        [torch.full((1 << 20,), float("nan")) for _ in range(4)]


def test_other_kernels_are_torchs() -> None:
    convolution = TimeConv3d(3, 4, 1).double()
    (x,) = randoms((1, 3, 2, 4, 4))
    assert torch.equal(convolution(x), nn.Conv3d.forward(convolution, x))
