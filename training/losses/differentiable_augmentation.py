"""What the discriminators are shown is varied, real and generated alike, so that a short clip cannot be learned by heart.

Colour, translation and cutout are those of arXiv 2006.10738, each switched on with a probability as in arXiv 2006.06676. All
frames of a sequence get the same transform, and gradients pass through to the generator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

# B sequences, T frames, C colours, H W rows and columns, K random numbers a sequence

AugmentKind = Literal["colour", "translation", "cutout", "flip"]
TRANSLATION_SHARE = 1 / 8
CUTOUT_SHARE = 1 / 2


def draw_count(kinds: Sequence[AugmentKind]) -> int:
    """Return K, how many random numbers a sequence needs."""
    return sum(TRANSFORMS[kind][1] for kind in kinds)


def augment(frames_BTCHW: Tensor, kinds: Sequence[AugmentKind], probability: float, uniform_BK: Tensor) -> Tensor:
    """Return the frames [B, T, C, H, W] under each of `kinds` with `probability`, decided for each sequence by itself.

    `uniform_BK` holds numbers in [0, 1), `draw_count(kinds)` a sequence. What a transform leaves empty is grey (0).
    """
    if probability <= 0.0:
        return frames_BTCHW
    first = 0
    for kind in kinds:
        transform, count = TRANSFORMS[kind]
        mine_BK = uniform_BK[:, first : first + count]
        first += count
        on_B = mine_BK[:, 0] < probability
        if on_B.any():
            frames_BTCHW = transform(frames_BTCHW, on_B, mine_BK[:, 1:])
    return frames_BTCHW


def _colour(x: Tensor, on_B: Tensor, uniform_B3: Tensor) -> Tensor:
    """Brightness ± 0.5 (of a range of 2), saturation × 0 … 2, contrast × 0.5 … 1.5 about the sequence's mean."""
    neutral = torch.tensor([0.0, 1.0, 1.0])
    drawn = torch.stack([uniform_B3[:, 0] - 0.5, 2.0 * uniform_B3[:, 1], 0.5 + uniform_B3[:, 2]], dim=1)
    chosen = torch.where(on_B[:, None], drawn, neutral).to(x)
    brightness, saturation, contrast = (chosen[:, i].view(-1, 1, 1, 1, 1) for i in range(3))
    x = x + brightness
    grey = x.mean(dim=2, keepdim=True)
    x = grey + saturation * (x - grey)
    mean = x.mean(dim=(1, 2, 3, 4), keepdim=True)
    return mean + contrast * (x - mean)


def _translation(x: Tensor, on_B: Tensor, uniform_B2: Tensor) -> Tensor:
    """Up to 1/8 of the side in rows and columns."""
    height, width = x.shape[-2:]
    farthest = round(TRANSLATION_SHARE * height)
    # The draws live on the CPU: whole numbers cost a GPU no waiting.
    places_B2 = torch.where(on_B[:, None], (uniform_B2 * (2 * farthest + 1)).long(), farthest).tolist()
    padded = functional.pad(x, (farthest,) * 4)
    return torch.stack(
        [one[..., top : top + height, left : left + width] for one, (top, left) in zip(padded, places_B2, strict=True)]
    )


def _cutout(x: Tensor, on_B: Tensor, uniform_B2: Tensor) -> Tensor:
    """A square of half the side, its centre anywhere."""
    rows_BH, columns_BW = (
        (torch.arange(side) + 0.5 - side * uniform_B2[:, axis, None]).abs() < CUTOUT_SHARE * side / 2
        for axis, side in enumerate(x.shape[-2:])
    )
    cut_BHW = rows_BH[:, :, None] & columns_BW[:, None, :] & on_B[:, None, None]
    return x.masked_fill(cut_BHW[:, None, None].to(x.device), 0.0)


def _flip(x: Tensor, on_B: Tensor, uniform_B1: Tensor) -> Tensor:
    """Mirror left and right, half of the time."""
    mirrored_B = on_B & (uniform_B1[:, 0] < 0.5)
    return torch.where(mirrored_B.view(-1, 1, 1, 1, 1).to(x.device), x.flip(-1), x)


Transform = Callable[[Tensor, Tensor, Tensor], Tensor]
# With each: random numbers a sequence, the first of which decides whether it takes part.
TRANSFORMS: dict[AugmentKind, tuple[Transform, int]] = {
    "colour": (_colour, 4),
    "translation": (_translation, 3),
    "cutout": (_cutout, 3),
    "flip": (_flip, 2),
}
