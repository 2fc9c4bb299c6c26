"""Metrics that the given weight files make possible, each under its own name, and a line for each metric without its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.core.errors import TrainingError
from training.evaluation.metrics.learned_distance import LearnedDistance, learned_distance
from training.evaluation.metrics.mobilenet import MobileNetV2, class_layer
from training.evaluation.metrics.video_features import I3D
from training.evaluation.metrics.weight_files import (
    FETCH,
    FID_INCEPTION_SHA,
    MOBILENET_SHA,
    WeightFile,
    load_into,
    recognise,
    weight_paths,
)

# N frames, H W rows and columns, D features


@dataclass(frozen=True, slots=True)
class FrameExtractor:
    """A network for single frames, [N, 3, H, W] in [0, 1] -> [N, D]; the Fréchet distance compares its features."""

    name: str
    network: nn.Module
    classes: nn.Module | None = None
    """Features [N, D] -> values [N, M] whose softmax are the probabilities of M classes, where the file holds such a layer."""

    @property
    def label(self) -> str:
        return "FID" if self.name == "FID Inception" else f"FD ({self.name})"

    @property
    def video_label(self) -> str:
        """Label of the substitute for FVD, pooled from these features."""
        return f"FVD-like ({self.name}, pooled)"

    @property
    def class_label(self) -> str:
        """Label of the substitute for the Inception Score, of this network's classes."""
        return f"IS-like ({self.name})"


@dataclass(frozen=True, slots=True)
class Extractors:
    """The networks built from the given weight files."""

    distances: tuple[LearnedDistance, ...] = ()
    frames: tuple[FrameExtractor, ...] = ()
    videos: tuple[I3D, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    """File name -> SHA-256, for evaluation.json."""

    def missing(self) -> list[str]:
        """Return one line for each metric that cannot be measured; it names the file needed."""
        labels = {distance.label for distance in self.distances}
        lines = []
        if not any(label.startswith("ST-LPIPS") for label in labels):
            lines.append(f"ST-LPIPS is not measured: it needs alex_shift_tolerant.pth; fetch it with {FETCH}.")
        if not any(label.startswith("LPIPS") for label in labels):
            lines.append("LPIPS is not measured: it needs torchvision's alexnet-owt-7be5be79.pth (--weights FILE).")
        if not any(extractor.name.startswith("MobileNetV2") for extractor in self.frames):
            lines.append(
                f"FD and FVD-like (MobileNetV2) are not measured: they need mobilenet_v2-b0353104.pth; fetch it with {FETCH}."
            )
        if not any(extractor.label == "FID" for extractor in self.frames):
            lines.append("FID is not measured: it needs pt_inception-2015-12-05-6726825d.pth (--weights FILE).")
        if not any(video.is_i3d for video in self.videos):
            lines.append("FVD is not measured: it needs a TorchScript I3D (--weights FILE --trust SHA256).")
        return lines

    def to(self, device: torch.device) -> Extractors:
        """Move every network, in place."""
        for network in (*self.distances, *(extractor.network for extractor in self.frames), *self.videos):
            network.to(device)
        for extractor in self.frames:
            if extractor.classes is not None:
                extractor.classes.to(device)
        return self


class FidInception(nn.Module):
    """The Inception network that defines FID, from torch-fidelity through torchmetrics: frames in [0, 1] -> [N, 2048]."""

    def __init__(self, file: WeightFile) -> None:
        """Load the weights. Raises TrainingError when they are others or torch-fidelity cannot be used."""
        super().__init__()
        if not file.sha256.startswith(FID_INCEPTION_SHA):
            raise TrainingError(
                f"{file.path} has SHA-256 {file.sha256[:8]}…; the FID Inception is pt_inception-2015-12-05-{FID_INCEPTION_SHA}.pth, "
                f"with other weights the figure would not be FID."
            )
        try:
            from torchmetrics.image.fid import NoTrainInceptionV3

            self.network = NoTrainInceptionV3("inception-v3-compat", ["2048"], str(file.path))
        except (ImportError, RuntimeError) as error:
            raise TrainingError(
                f"FID needs torch-fidelity and a torchvision that loads; install both or leave {file.path} out."
            ) from error

    def forward(self, frames_N3HW: Tensor) -> Tensor:
        return self.network((frames_N3HW * 255.0).round().to(torch.uint8))


def load_extractors(given: Sequence[Path], trusted_sha256: str | None = None) -> Extractors:
    """Build every network found in files and folders. Raises TrainingError for a damaged file and for an unknown network."""
    distances: list[LearnedDistance] = []
    frames: list[FrameExtractor] = []
    videos: list[I3D] = []
    files: dict[str, str] = {}
    for path in weight_paths(given):
        file = recognise(path)
        files[path.name] = file.sha256
        if file.network == "mobilenet_v2":
            published = file.sha256.startswith(MOBILENET_SHA)
            name = "MobileNetV2 ImageNet" if published else f"MobileNetV2 {path.name}"
            network = MobileNetV2()
            load_into(network, file.weights, path)
            frames.append(FrameExtractor(name, network, class_layer(file.weights)))
        elif file.network == "fid inception":
            frames.append(FrameExtractor("FID Inception", FidInception(file)))
        elif file.network == "torchscript":
            videos.append(I3D(file, trusted_sha256))
        else:
            distances.append(learned_distance(file))
    return Extractors(tuple(distances), tuple(frames), tuple(videos), files)
