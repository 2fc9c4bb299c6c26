"""Maps of normal noise the size of the frame at next to no cost: rows of one tile, from a drawn row onward."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.core.frame_size import FrameSize

# N frames, G maps, H W rows and columns

ROWS_PER_SIZE = 4
_TILE_SEED = 20231003


class NoiseTile(nn.Module):
    """A tile of normal noise stored in the model file; a map is a run of its rows starting at a drawn place."""

    tile: Tensor

    def __init__(self, size: FrameSize) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(_TILE_SEED)
        self.register_buffer(
            "tile", torch.randn(ROWS_PER_SIZE * size.height, size.width, generator=generator), persistent=False
        )

    def forward(self, start_N: Tensor, size: FrameSize) -> Tensor:
        """Cut maps [N, 1, H, W] of `size`; `start_N` in [0, 1) says where."""
        free_rows = self.tile.shape[0] - size.height
        first_row = (start_N * free_rows).to(torch.int64)
        rows = first_row[:, None] + torch.arange(size.height, device=first_row.device)
        return self.tile[rows][:, None, :, : size.width]
