"""What a computation needs, counted on the meta device."""

from __future__ import annotations

import torch
from torch import nn

from training.diffusion.cost import counted, learning_cost, operations_per_s, weight_bytes

META, CPU, CUDA = torch.device("meta"), torch.device("cpu"), torch.device("cuda")


def test_operations_and_the_most_memory_at_once_are_counted() -> None:
    linear = nn.Linear(64, 32, device=META)
    given = torch.empty(10, 64, device=META)
    cost = counted(lambda: linear(given), CPU)
    assert cost.operations == 2 * 10 * 64 * 32
    assert cost.peak_bytes == 10 * 32 * 4


def test_what_is_let_go_counts_no_more() -> None:
    given = torch.empty(1000, device=META)

    def one_after_the_other() -> None:
        for _ in range(5):
            given + 1.0

    def kept() -> list[torch.Tensor]:
        return [given + 1.0 for _ in range(5)]

    assert counted(one_after_the_other, CPU).peak_bytes == 4000
    assert counted(kept, CPU).peak_bytes == 20000


def test_views_take_no_memory_and_attention_no_square() -> None:
    given = torch.empty(2, 4, 300, 8, device=META)
    assert counted(lambda: given.transpose(1, 2), CPU).peak_bytes == 0
    mixed = counted(lambda: nn.functional.scaled_dot_product_attention(given, given, given), CPU)
    assert mixed.peak_bytes < 2 * 4 * 300 * 300 * 4
    assert mixed.operations == 2 * 2 * 2 * 4 * 300 * 300 * 8


def test_a_processor_copies_what_a_convolution_is_given() -> None:
    convolution = nn.Conv2d(4, 2, 3, padding=1, bias=False, device=META)
    given, weights = torch.empty(3, 4, 16, 16, device=META), 2 * 4 * 9 * 4
    given_bytes, result_bytes = 3 * 4 * 256 * 4, 3 * 2 * 256 * 4
    assert counted(lambda: convolution(given), CUDA).peak_bytes == result_bytes
    assert counted(lambda: convolution(given), CPU).peak_bytes == result_bytes + given_bytes + weights
    in_pieces = torch.empty(4, 3, 16, 16, device=META).transpose(0, 1)
    assert counted(lambda: convolution(in_pieces), CPU).peak_bytes == result_bytes + 2 * given_bytes + weights


def test_a_processor_copies_both_that_a_convolution_is_given_backwards() -> None:
    convolution = nn.Conv2d(4, 2, 3, padding=1, bias=False, device=META)
    given = torch.empty(3, 4, 16, 16, device=META, requires_grad=True)

    def peak_bytes(device: torch.device) -> int:
        return learning_cost(lambda: convolution(given).sum(), [convolution], 4, device).peak_bytes

    assert peak_bytes(CPU) - peak_bytes(CUDA) == 2 * 4 * 9 * 4 + (4 + 2) * 3 * 256 * 4


def test_weights_are_counted_in_the_numbers_they_are_kept_in() -> None:
    assert weight_bytes(nn.Linear(10, 5, device=META), nn.Linear(5, 1, device=META), bytes_each=2) == 2 * (55 + 6)


def test_the_speed_of_a_device_is_some_number() -> None:
    assert operations_per_s(torch.device("cpu"), torch.float32, channels=4, side=8) > 0.0
