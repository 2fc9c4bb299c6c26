"""Feature loss: how far apart a network of the user's finds generated and real frames, as a distance of its features (arXiv 1603.08155).

The network is a Python function, named as MODULE:FUNCTION. It takes RGB frames [N, 3, H, W] in [-1, 1] on the device of the training and
returns features whose gradients lead back to the frames: a tensor, or several of them, of which each counts alike. Where a file or
folder of weights is named too, the function is called with that once, and returns the function of frames (or a module).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import TrainingError
from training.core.named_functions import called, load_function, short_name

# N frames, H W rows and columns

KEY = "losses.feature_network"


class FeatureLoss:
    """Frames [N, 3, H, W] in [-1, 1], generated and real -> scalar. The network is never trained."""

    def __init__(self, network: str, weights: str, device: torch.device) -> None:
        """Load the network. Raises TrainingError where it cannot be had."""
        self._name = f"{KEY} {short_name(network)}"
        function: Any = load_function(network, KEY)
        if weights:
            function = called(self._name, function, Path(weights))
            if not callable(function):
                raise TrainingError(
                    f"{self._name} returned {type(function).__name__} for {weights}; the function of frames, or a module, was expected."
                )
        if isinstance(function, nn.Module):
            function = function.to(device).eval().requires_grad_(False)
        self._function = function

    def __call__(self, fake_N3HW: Tensor, real_N3HW: Tensor) -> Tensor:
        """Return the mean square of the differences. Raises TrainingError where the network gives no features, or none with gradients."""
        with torch.no_grad():
            wanted = self._features(real_N3HW)
        found = self._features(fake_N3HW)
        if [each.shape for each in found] != [each.shape for each in wanted]:
            raise TrainingError(
                f"{self._name} returned features of other shapes for as many frames; always the same were expected."
            )
        if fake_N3HW.requires_grad and not any(each.requires_grad for each in found):
            raise TrainingError(
                f"{self._name} returned features without gradients; leave out no_grad and inference_mode."
            )
        return torch.stack(
            [functional.mse_loss(one.float(), other.float()) for one, other in zip(found, wanted, strict=True)]
        ).mean()

    def _features(self, frames_N3HW: Tensor) -> list[Tensor]:
        returned = called(self._name, self._function, frames_N3HW)
        features = list(returned) if isinstance(returned, Sequence) else [returned]
        if not features or not all(isinstance(each, Tensor) for each in features):
            raise TrainingError(
                f"{self._name} returned {type(returned).__name__}; a tensor of features, or several, was expected."
            )
        return features
