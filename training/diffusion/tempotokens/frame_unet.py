"""diffusers' 3D UNet with a context of its own for each frame.

The library's forward takes one context a clip and repeats it for all frames; TempoTokens' own copy of it leaves that repetition
out. Here the blocks that look at a context are handed the frames' contexts instead, so nothing of the library is copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

# B batch, F frames, H W rows and columns of the latents, C channels of latents, L tokens and D channels of a context

GIVEN = "encoder_hidden_states"


class FrameUNet(nn.Module):
    """Latents [B, C, F, H, W], a time step and contexts [B, F, L, D] -> the noise in the latents [B, C, F, H, W]."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, latents_BCFHW: Tensor, timestep: Tensor | int, contexts_BFLD: Tensor) -> Tensor:
        with ExitStack() as handed:
            for block in self._looking_blocks():
                handed.enter_context(_given(block, contexts_BFLD.flatten(0, 1)))
            # The first frame's stands for what the library repeats; no block gets it.
            return self.unet(latents_BCFHW, timestep, encoder_hidden_states=contexts_BFLD[:, 0]).sample

    def layers(self) -> list[nn.Module]:
        """Return the layers in all blocks: what `recompute` takes."""
        blocks = [*self.unet.down_blocks, self.unet.mid_block, *self.unet.up_blocks]
        kinds = ("resnets", "temp_convs", "attentions", "temp_attentions")
        return [layer for block in blocks for kind in kinds for layer in getattr(block, kind, ())]

    def _looking_blocks(self) -> list[nn.Module]:
        sides = [*self.unet.down_blocks, *self.unet.up_blocks]
        return [self.unet.mid_block, *(block for block in sides if getattr(block, "has_cross_attention", False))]


@contextmanager
def _given(block: nn.Module, contexts_NLD: Tensor) -> Iterator[None]:
    """Give a block these contexts, whatever it is called with, as long as this lasts."""

    def exchanged(_block: nn.Module, words: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        assert GIVEN in named, "diffusers names the context where it calls a block"
        return words, {**named, GIVEN: contexts_NLD}

    handle = block.register_forward_pre_hook(exchanged, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
