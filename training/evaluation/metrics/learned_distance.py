"""Learned distances of frames: LPIPS (arXiv 1801.03924) and its shift-tolerant variant ST-LPIPS (arXiv 2207.13686).

Both take the activations of five layers of AlexNet or VGG16, normalise each pixel's vector, and weight the squared differences.
ST-LPIPS has stride 1 in the first convolution and blurs before it subsamples. They are two different metrics: their values
cannot be compared.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import TrainingError
from training.evaluation.metrics.weight_files import TRUNK_SHAS, WeightFile, load_into, read_weights

# N frames, H W rows and columns, C channels

_TORCHMETRICS = importlib.util.find_spec("torchmetrics")
assert _TORCHMETRICS is not None
assert _TORCHMETRICS.origin is not None
# Found, not imported: the library needs 120 MB.
HEADS_FOLDER = Path(_TORCHMETRICS.origin).parent / "functional" / "image" / "lpips_models"
_CHANNELS = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}
_LEAST_SIDE = {("alex", True): 21, ("alex", False): 31, ("vgg", True): 18, ("vgg", False): 16}
"""Pixels of a frame: of a smaller one the last layers of a trunk, shift-tolerant or not, have nothing left."""
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class Blur(nn.Module):
    """A fixed 3 x 3 filter over each channel, with stride 2 and two reflected pixels of padding."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("filt", torch.zeros(channels, 1, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(
            functional.pad(x, (2, 2, 2, 2), mode="reflect"), self.filt, stride=2, groups=x.shape[1]
        )


def alex_slices(shift_tolerant: bool) -> list[list[nn.Module]]:
    """Return AlexNet up to its fifth convolution, split after each activation that LPIPS uses."""
    first = nn.Conv2d(3, 64, 11, stride=1 if shift_tolerant else 4, padding=2)
    widths = ((64, 192, 5), (192, 384, 3), (384, 256, 3), (256, 256, 3))
    second, third, fourth, fifth = (nn.Conv2d(i, o, kernel, padding=kernel // 2) for i, o, kernel in widths)
    pools = [_pool(3, channels, shift_tolerant) for channels in (64, 192)]
    return [
        [first, *([Blur(64)] if shift_tolerant else []), nn.ReLU()],
        [*pools[0], second, nn.ReLU()],
        [*pools[1], third, nn.ReLU()],
        [fourth, nn.ReLU()],
        [fifth, nn.ReLU()],
    ]


def vgg_slices(shift_tolerant: bool) -> list[list[nn.Module]]:
    """Return the convolutions of VGG16, split before each pooling."""
    slices: list[list[nn.Module]] = []
    channels = 3
    for width, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        layers = _pool(2, channels, shift_tolerant) if slices else []
        for _ in range(convolutions):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        slices.append(layers)
    return slices


def _pool(size: int, channels: int, shift_tolerant: bool) -> list[nn.Module]:
    return [nn.MaxPool2d(size, 1), Blur(channels)] if shift_tolerant else [nn.MaxPool2d(size, 2)]


class LearnedDistance(nn.Module):
    """Two batches of frames [N, 3, H, W] in [0, 1] -> distances [N]. Raises TrainingError for frames below `least_side`."""

    def __init__(self, trunk: str, shift_tolerant: bool) -> None:
        """Build it on the trunk "alex" or "vgg", with the parameter names of the package lpips and random weights."""
        super().__init__()
        self.trunk, self.shift_tolerant = trunk, shift_tolerant
        self.net = nn.Module()
        slices = alex_slices(shift_tolerant) if trunk == "alex" else vgg_slices(shift_tolerant)
        number = 0
        for index, layers in enumerate(slices):
            part = nn.Sequential()
            for layer in layers:
                part.add_module(str(number), layer)
                number += 1
            self.net.add_module(f"slice{index + 1}", part)
        for index, channels in enumerate(_CHANNELS[trunk]):
            self.add_module(f"lin{index}", nn.Module())
            getattr(self, f"lin{index}").model = nn.ModuleDict({"1": nn.Conv2d(channels, 1, 1, bias=False)})

    @property
    def label(self) -> str:
        return f"{'ST-LPIPS' if self.shift_tolerant else 'LPIPS'} ({self.trunk})"

    @property
    def least_side(self) -> int:
        """Pixels that both sides of a frame need."""
        return _LEAST_SIDE[self.trunk, self.shift_tolerant]

    def activations(self, frames_N3HW: Tensor) -> list[Tensor]:
        """Return the five activations [N, C, H', W'], with each pixel's vector normalised to length 1."""
        shift, scale = (frames_N3HW.new_tensor(values).view(3, 1, 1) for values in (_SHIFT, _SCALE))
        x, found = (frames_N3HW * 2.0 - 1.0 - shift) / scale, []
        for part in self.net.children():
            x = part(x)
            found.append(x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10))
        return found

    def forward(self, left_N3HW: Tensor, right_N3HW: Tensor) -> Tensor:
        height, width = left_N3HW.shape[-2:]
        if min(height, width) < self.least_side:
            raise TrainingError(
                f"{self.label} cannot be measured on frames of {width}x{height}; both sides must have {self.least_side} pixels or more: "
                "give no weights of it, or a model with larger frames."
            )
        total = left_N3HW.new_zeros(len(left_N3HW))
        pairs = zip(self.activations(left_N3HW), self.activations(right_N3HW), strict=True)
        for index, (left, right) in enumerate(pairs):
            head = getattr(self, f"lin{index}").model["1"]
            total = total + head((left - right).square()).mean(dim=(1, 2, 3))
        return total


def learned_distance(file: WeightFile) -> LearnedDistance:
    """Build the distance of a weight file. Raises TrainingError when its weights are not the published ones."""
    if file.network == "lpips trunk":
        return _from_trunk(file)
    trunk = "alex" if file.weights["net.slice1.0.weight"].shape[-1] == 11 else "vgg"
    if file.network == "lpips":
        heads = read_weights(HEADS_FOLDER / f"{trunk}.pth")
        if not all(name in file.weights and torch.allclose(file.weights[name], value) for name, value in heads.items()):
            raise TrainingError(f"{file.path} has other heads than LPIPS 0.1 ({trunk}); its figure would not be LPIPS.")
    distance = LearnedDistance(trunk, shift_tolerant=file.network == "st-lpips")
    load_into(distance, file.weights, file.path)
    return distance


def _from_trunk(file: WeightFile) -> LearnedDistance:
    """Combine the published ImageNet trunk with the heads from torchmetrics."""
    trunk = "alex" if file.weights["features.0.weight"].shape[-1] == 11 else "vgg"
    if not file.sha256.startswith(TRUNK_SHAS[trunk]):
        raise TrainingError(
            f"{file.path} has SHA-256 {file.sha256[:8]}…; LPIPS ({trunk}) needs the file {TRUNK_SHAS[trunk]}…; with another "
            f"trunk the figure would not be LPIPS."
        )
    weights = read_weights(HEADS_FOLDER / f"{trunk}.pth")
    borders = _slice_borders(alex_slices(False) if trunk == "alex" else vgg_slices(False))
    for name, value in file.weights.items():
        area, _, rest = name.partition(".")
        number = int(rest.split(".")[0]) if area == "features" else -1
        if 0 <= number < borders[-1]:
            index = next(i for i, border in enumerate(borders) if number < border)
            weights[f"net.slice{index + 1}.{rest}"] = value
    distance = LearnedDistance(trunk, shift_tolerant=False)
    load_into(distance, weights, file.path)
    return distance


def _slice_borders(slices: Sequence[Sequence[nn.Module]]) -> list[int]:
    borders, total = [], 0
    for layers in slices:
        total += len(layers)
        borders.append(total)
    return borders
