"""Features of short video snippets, for a Fréchet distance of videos.

FVD (arXiv 1812.01717) is the Fréchet distance of I3D features. An I3D can be given as TorchScript. Without it, a
substitute pools the frame features of a snippet and their differences; its name says that it is not FVD.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.errors import TrainingError
from training.evaluation.metrics.weight_files import WeightFile

# T frames, P snippets, D features, H W rows and columns

POOLED_FRAMES, POOLED_STRIDE = 8, 2
I3D_FRAMES, I3D_STRIDE, I3D_SIZE = 16, 4, 224
_I3D_LAYERS = ("conv3d_1a_7x7", "mixed_3b", "mixed_5c")


def pooled_snippets(features_TD: Tensor) -> Tensor:
    """Return [P, 2 D] for snippets of 8 frames, one every 2 frames: the mean, and the mean absolute change from frame to frame."""
    snippets = features_TD.unfold(0, POOLED_FRAMES, POOLED_STRIDE)
    return torch.cat([snippets.mean(dim=-1), snippets.diff(dim=-1).abs().mean(dim=-1)], dim=1)


class I3D(nn.Module):
    """Frames [T, 3, H, W] in [0, 1] -> features [P, D] of snippets of 16 frames, one every 4 frames."""

    def __init__(self, file: WeightFile, trusted_sha256: str | None) -> None:
        """Load a TorchScript archive, which is a program, only if its SHA-256 is given. Raises TrainingError otherwise."""
        super().__init__()
        if trusted_sha256 is None or trusted_sha256.lower() != file.sha256:
            raise TrainingError(
                f"{file.path} is TorchScript, a program that would run here; if its publisher names the SHA-256 {file.sha256}, "
                f"allow it with --trust {file.sha256}."
            )
        self.network = _script(file.path)
        names = {name.lower() for name, _ in self.network.named_modules()}
        self.is_i3d = all(any(layer in name for name in names) for layer in _I3D_LAYERS)
        self.label = f"FVD ({file.path.name})" if self.is_i3d else f"video FD ({file.path.name}, unknown network)"

    def forward(self, frames_T3HW: Tensor) -> Tensor:
        x = functional.interpolate(frames_T3HW, (I3D_SIZE, I3D_SIZE), mode="bilinear", align_corners=False)
        snippets = (x * 2.0 - 1.0).unfold(0, I3D_FRAMES, I3D_STRIDE).permute(0, 1, 4, 2, 3)
        return torch.cat([self._features(snippet[None], snippet.new_zeros(())) for snippet in snippets])

    def whole(self, frames_T3HW: Tensor) -> Tensor:
        """Return the features [1, D] of an entire clip [T, 3, H, W] in [0, 1], as AVSyncD's evaluation takes them.

        Raises TrainingError for a network that does not take it, or gives something else than one row of features.
        """
        x = functional.interpolate(
            frames_T3HW, (I3D_SIZE, I3D_SIZE), mode="bicubic", align_corners=False, antialias=True
        )
        found = self._features((x.clamp(0.0, 1.0) * 2.0 - 1.0).permute(1, 0, 2, 3)[None], x.new_zeros(()))
        if found.shape[0] != 1 or found.shape[1] < 2:
            raise TrainingError(
                f"The TorchScript network returned features of shape {list(found.shape)} for one clip; one row was expected, such as [1, 400]."
            )
        return found

    def _features(self, snippet_13THW: Tensor, like: Tensor) -> Tensor:
        try:
            found = self.network(snippet_13THW, rescale=False, resize=False, return_features=True)
        except RuntimeError as error:
            raise TrainingError(
                f"The TorchScript network did not take {list(snippet_13THW.shape)} with rescale, resize and "
                f"return_features ({str(error).splitlines()[0]}); the I3D of the StyleGAN-V metrics was expected."
            ) from error
        if not isinstance(found, Tensor) or found.ndim < 2:
            shape = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise TrainingError(
                f"The TorchScript network returned {shape} for {list(snippet_13THW.shape)}; features of each clip, such as [1, 400], were expected."
            )
        return found.flatten(1).to(like)


def _script(path: Path) -> torch.jit.ScriptModule:
    try:
        return torch.jit.load(str(path), map_location="cpu").eval()
    except (RuntimeError, ValueError) as error:
        raise TrainingError(f"{path} is damaged ({str(error).splitlines()[0]}); fetch it again.") from error
