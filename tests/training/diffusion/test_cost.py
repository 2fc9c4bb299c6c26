"""What a computation needs, counted on the meta device."""

from __future__ import annotations

import torch
from torch import nn

from training.diffusion.cost import counted, operations_per_s, weight_bytes

META = torch.device("meta")


def test_operations_and_the_most_memory_at_once_are_counted() -> None:
    linear = nn.Linear(64, 32, device=META)
    given = torch.empty(10, 64, device=META)
    cost = counted(lambda: linear(given))
    assert cost.operations == 2 * 10 * 64 * 32
    assert cost.peak_bytes == 10 * 32 * 4


def test_what_is_let_go_counts_no_more() -> None:
    given = torch.empty(1000, device=META)

    def one_after_the_other() -> None:
        for _ in range(5):
            given + 1.0

    def kept() -> list[torch.Tensor]:
        return [given + 1.0 for _ in range(5)]

    assert counted(one_after_the_other).peak_bytes == 4000
    assert counted(kept).peak_bytes == 20000


def test_views_take_no_memory_and_attention_no_square() -> None:
    given = torch.empty(2, 4, 300, 8, device=META)
    assert counted(lambda: given.transpose(1, 2)).peak_bytes == 0
    mixed = counted(lambda: nn.functional.scaled_dot_product_attention(given, given, given))
    assert mixed.peak_bytes < 2 * 4 * 300 * 300 * 4
    assert mixed.operations == 2 * 2 * 2 * 4 * 300 * 300 * 8


def test_weights_are_counted_in_the_numbers_they_are_kept_in() -> None:
    assert weight_bytes(nn.Linear(10, 5, device=META), nn.Linear(5, 1, device=META), bytes_each=2) == 2 * (55 + 6)


def test_the_speed_of_a_device_is_some_number() -> None:
    assert operations_per_s(torch.device("cpu"), torch.float32, channels=4, side=8) > 0.0
