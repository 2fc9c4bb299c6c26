"""The cone kernels against the definition: 1-D convolutions of growing length, shifted, edges repeated."""

from typing import Literal

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from training.core.frame_size import FrameSize
from training.families.listen_and_move.video_prediction import DIRECTIONS, ConeConv, Direction, VideoPrediction


def shifted_sum(conv: ConeConv, x: Tensor, direction: Direction) -> Tensor:
    """Sum over s of a 1-D convolution of length 2 s + 1 moved s places along the direction; what moves in repeats the edge."""
    upright = direction in ("right", "left")
    x = x.transpose(2, 3) if upright else x
    backwards = direction in ("up", "left")
    x = x.flip(2) if backwards else x
    total = torch.zeros(())
    for s, row in enumerate(conv.rows):
        part = functional.conv2d(x, row, padding=(0, s))
        moved = torch.cat([part[:, :, :1].expand(-1, -1, s, -1), part[:, :, : part.shape[2] - s]], dim=2)
        total = total + moved
    total = total.flip(2) if backwards else total
    return (total.transpose(2, 3) if upright else total) + conv.bias[:, None, None]


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("direction", DIRECTIONS[1:])
def test_cone_equals_shifted_sum(direction: Direction, kernel_size: int) -> None:
    conv = ConeConv(3, 4, 2, kernel_size)
    torch.nn.init.normal_(conv.bias)
    x = torch.randn(2, 3, 9, 7)
    with torch.no_grad():
        kernel = conv.kernel(direction)
        came = conv(x, kernel, direction, True)
        torch.testing.assert_close(came, shifted_sum(conv, x, direction), atol=1e-5, rtol=0)
        halves = conv(x[:, :1], kernel[:, :1], direction, True) + conv(x[:, 1:], kernel[:, 1:], direction, False)
    torch.testing.assert_close(came, halves, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("direction", "moves_to"), [("down", (1, 0)), ("up", (-1, 0)), ("right", (0, 1)), ("left", (0, -1))]
)
def test_memory_travels_along_the_direction(direction: Direction, moves_to: tuple[int, int]) -> None:
    conv = ConeConv(1, 1, 1, 3)
    with torch.no_grad():
        for row in conv.rows:
            row.fill_(1.0)
        point = torch.zeros(1, 1, 7, 7)
        point[0, 0, 3, 3] = 1.0
        reached = conv(point, conv.kernel(direction), direction, False)[0, 0].nonzero() - 3
    along = reached @ torch.tensor(moves_to)
    assert along.min() == 0
    assert along.max() == 1


def test_memory_control_leads_from_hallucination_to_prediction() -> None:
    prediction = VideoPrediction(3, FrameSize(8, 8), 3, "dir", 0)
    x = torch.randn(1, 2, 3, 8, 8)
    state = {name: torch.zeros(1, *shape) for name, shape in prediction.state_shapes().items()}
    with torch.no_grad():
        hallucinated, _ = prediction(x, state, torch.tensor(-50.0))
        predicted, _ = prediction(x, state, torch.tensor(50.0))
    torch.testing.assert_close(hallucinated, x)
    assert (predicted - x).abs().max() > 0.1


@pytest.mark.parametrize("kind", ["dir", "basic"])
@pytest.mark.parametrize("batch", [1, 2])
def test_all_steps_at_once_are_the_steps_one_by_one_with_their_gradients(
    kind: Literal["dir", "basic"], batch: int
) -> None:
    torch.manual_seed(0)
    prediction = VideoPrediction(4, FrameSize(8, 8), 3, kind, 0)
    start = {name: torch.randn(batch, *shape) for name, shape in prediction.state_shapes().items()}
    x, upstream, memory = torch.randn(batch, 5, 4, 8, 8), torch.randn(batch, 5, 4, 8, 8), torch.tensor(0.5)
    learned = [x.requires_grad_(), *prediction.parameters()]

    at_once, last = prediction(x, start, memory)
    slopes = torch.autograd.grad((at_once * upstream).sum(), learned)

    state, one_by_one = start, []
    for t in range(5):
        frame, state = prediction(x[:, t : t + 1], state, memory)
        one_by_one.append(frame)
    folded = torch.cat(one_by_one, dim=1)
    torch.testing.assert_close(at_once, folded, rtol=0, atol=1e-5)
    for name, value in last.items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=1e-5)
        assert value.is_contiguous()
    for ours, expected in zip(slopes, torch.autograd.grad((folded * upstream).sum(), learned), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)
