"""A 3 × 3 × 3 convolution that is quick on processors too: the same sums, arranged so that torch takes its quick path."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# B sequences, C channels, T moments, H W rows and columns


class TimeConv3d(nn.Conv3d):
    """nn.Conv3d with the same weights; kernel 3, padding 1, stride 1 are rearranged on the CPU, all else goes torch's way."""

    def forward(self, input: Tensor) -> Tensor:
        cube = self.kernel_size == (3, 3, 3) and self.padding == (1, 1, 1) and self.stride == (1, 1, 1)
        if not cube or input.device.type != "cpu":
            return super().forward(input)
        if input.shape[2] == 1:
            # Before and after lies padding: only the middle of the kernel meets anything.
            return functional.conv2d(input[:, :, 0], self.weight[:, :, 1], self.bias, padding=1)[:, :, None]
        if len(input) > 1 or input.shape[3] < 2:
            return super().forward(input)
        # Torch gives oneDNN no single small item: upper and lower half, each with the row beyond the cut, are two items.
        rows = input.shape[3] // 2
        padded = functional.pad(input, (0, 0, 1, 1))
        upper, lower = padded[:, :, :, : rows + 2], padded[:, :, :, rows:]
        if input.shape[3] % 2:
            upper = functional.pad(upper, (0, 0, 0, 1))
        both = functional.conv3d(torch.cat([upper, lower]), self.weight, self.bias, padding=(1, 0, 1))
        first, second = both.split(1)
        return torch.cat([first[:, :, :, :rows], second], dim=3)
