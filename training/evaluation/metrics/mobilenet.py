"""MobileNetV2 (arXiv 1801.04381) as a feature extractor for single frames: its pooled last layer, 1280 values.

The layers have torchvision's names, so that its published ImageNet weights load.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

# N frames, H W rows and columns, D features

SIZE = 224
# Expansion, channels, blocks, stride of the first: table 2 of the paper.
_BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(),
    )


class _Bottleneck(nn.Module):
    """Expand, filter each channel, project; added to the input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        layers: list[nn.Module] = [_convolution(inputs, wide, kernel=1)] if expansion > 1 else []
        layers.append(_convolution(wide, wide, stride=stride, groups=wide))
        layers += [nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv = nn.Sequential(*layers)
        self.added = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.added else self.conv(x)


class MobileNetV2(nn.Module):
    """Frames [N, 3, H, W] in [0, 1] -> features [N, 1280]. Frames larger than 224 pixels are reduced to 224."""

    num_features = 1280

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(3, 32, stride=2)]
        channels = 32
        for expansion, outputs, blocks, stride in _BLOCKS:
            for block in range(blocks):
                layers.append(_Bottleneck(channels, outputs, expansion, stride if block == 0 else 1))
                channels = outputs
        layers.append(_convolution(channels, self.num_features, kernel=1))
        self.features = nn.Sequential(*layers)

    def forward(self, frames_N3HW: Tensor) -> Tensor:
        x = frames_N3HW
        if max(x.shape[-2:]) > SIZE:
            x = functional.interpolate(x, (SIZE, SIZE), mode="bilinear", align_corners=False, antialias=True)
        mean, deviation = x.new_tensor(_MEAN).view(3, 1, 1), x.new_tensor(_DEVIATION).view(3, 1, 1)
        return self.features((x - mean) / deviation).mean(dim=(2, 3))


def class_layer(weights: Mapping[str, Tensor]) -> nn.Linear | None:
    """Return the last layer, from features [N, 1280] to classes [N, M], of weights that have one of this size."""
    weight, bias = (weights.get(f"classifier.1.{part}") for part in ("weight", "bias"))
    if weight is None or bias is None or weight.ndim != 2 or bias.shape != weight.shape[:1]:
        return None
    if weight.shape[1] != MobileNetV2.num_features:
        return None
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer.eval().requires_grad_(False)
