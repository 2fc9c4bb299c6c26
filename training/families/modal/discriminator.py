"""Discriminators of modal models: parts of composed frames, or of sequences of them -> a patch of unbounded scores.

They are small, for a step of the generator is: most of their work is done at an eighth of the frame's height and width. A sequence is
one image with the colours of all its frames, so a filter sees how a place changes.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from training.families.modal.config import PatchDiscriminatorConfig

# B sequences or frames, T frames, C channels, H W rows and columns, h w of the patch of scores, F sound features

_FOLDED = 4
"""Pixels of so many rows and columns become channels."""
_LEVELS = 2


class PatchDiscriminator(nn.Module):
    """Frames [B, 3, H, W] (`sequence_frames` 1) or sequences [B, T, 3, H, W] -> scores [B, 1, h, w].

    With `features` F above 0 it takes the sound's features [B, T, F] as second input.
    """

    def __init__(self, config: PatchDiscriminatorConfig, sequence_frames: int = 1, features: int = 0) -> None:
        super().__init__()
        self.takes_sound = features > 0
        width = config.channels
        self.entry = nn.Conv2d(3 * sequence_frames * _FOLDED**2, width, 1)
        self.from_sound = nn.Linear(sequence_frames * features, width) if features else None
        self.levels = nn.ModuleList(
            nn.Conv2d(width << level, width << (level + 1), 3, stride=2, padding=1) for level in range(_LEVELS)
        )
        self.decision = nn.Conv2d(width << _LEVELS, 1, 3, padding=1)
        for part in self.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(part.weight, a=0.2)
                assert part.bias is not None
                nn.init.zeros_(part.bias)

    def forward(self, frames: Tensor, features_BTF: Tensor | None = None) -> Tensor:
        image_BCHW = frames.flatten(1, 2) if frames.dim() == 5 else frames
        # The folding leaves out what is too little for it, at two edges.
        height, width = (side // _FOLDED * _FOLDED for side in image_BCHW.shape[-2:])
        x = self.entry(functional.pixel_unshuffle(image_BCHW[..., :height, :width], _FOLDED))
        if self.from_sound is not None and features_BTF is not None:
            x = x + self.from_sound(features_BTF.flatten(1))[..., None, None]
        x = functional.leaky_relu(x, 0.2)
        for level in self.levels:
            x = functional.leaky_relu(level(x), 0.2)
        return self.decision(x)
