"""Weight files of feature extractors and the network of each. A figure has a network's name only if the file is that network.

State dicts are read with torch's weights-only loader or as safetensors: nothing in them is executed. TorchScript archives are
programs, so they are only loaded when their SHA-256 is given.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from engine.core.errors import TrainingError
from training.core.weight_reading import read_tensors
from training.data.sources import file_digest

SUFFIXES = (".pth", ".pt", ".safetensors")
FETCH = "python -m training.evaluation.metrics.fetch_weights"

Network = Literal["st-lpips", "lpips", "lpips trunk", "mobilenet_v2", "fid inception", "torchscript"]
StateDict = dict[str, Tensor]

# The first digits of the SHA-256 of published files, as in their names.
FID_INCEPTION_SHA = "6726825d"  # pt_inception-2015-12-05-6726825d.pth
MOBILENET_SHA = "b0353104"  # mobilenet_v2-b0353104.pth
TRUNK_SHAS = {"alex": "7be5be79", "vgg": "397923af"}  # alexnet-owt-7be5be79.pth, vgg16-397923af.pth


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A file with its network. `weights` is empty for a TorchScript archive, which is not opened here."""

    path: Path
    sha256: str
    network: Network
    weights: StateDict


def weight_paths(given: Iterable[Path]) -> list[Path]:
    """List the weight files in files and folders, by name within a folder. Raises TrainingError for a path that does not exist."""
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            found += sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
        elif path.is_file():
            found.append(path)
        else:
            raise TrainingError(f"{path} does not exist; give weight files or their folder ({FETCH} fetches some).")
    return found


def recognise(path: Path) -> WeightFile:
    """Read a file and recognise its network. Raises TrainingError for a damaged file and for an unknown network."""
    sha256 = file_digest(path)
    if _is_torchscript(path):
        return WeightFile(path, sha256, "torchscript", {})
    weights = read_weights(path)
    network = _network(weights)
    if network is None:
        first = ", ".join(list(weights)[:2]) or "nothing"
        raise TrainingError(
            f"{path} holds an unknown network (its first tensors are {first}); ST-LPIPS, LPIPS, MobileNetV2, the FID "
            f"Inception or a TorchScript I3D was expected."
        )
    return WeightFile(path, sha256, network, weights)


def read_weights(path: Path) -> StateDict:
    """Read a state dict without executing anything. Raises TrainingError when the file is damaged or something else."""
    try:
        return read_tensors(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TrainingError(f"{path} is no weight file ({reason}); fetch it again ({FETCH}).") from error


def load_into(module: torch.nn.Module, weights: StateDict, path: Path) -> None:
    """Load a complete state dict; only batch counters may be missing. Raises TrainingError, with the tensor's name, for others."""
    own = module.state_dict()
    for name, tensor in own.items():
        if name.endswith("num_batches_tracked"):
            continue
        if name not in weights or weights[name].shape != tensor.shape:
            came = list(weights[name].shape) if name in weights else "nothing"
            raise TrainingError(f"{path} holds {came} for '{name}'; {list(tensor.shape)} was expected.")
    module.load_state_dict({name: weights.get(name, tensor) for name, tensor in own.items()})
    module.eval().requires_grad_(False)


def _network(weights: StateDict) -> Network | None:
    if "lin0.model.1.weight" in weights and "net.slice1.0.weight" in weights:
        return "st-lpips" if any(name.endswith(".filt") for name in weights) else "lpips"
    if "features.18.1.running_mean" in weights and "features.1.conv.0.0.weight" in weights:
        return "mobilenet_v2"
    if "Mixed_7c.branch_pool.conv.weight" in weights and "fc.weight" in weights:
        return "fid inception"
    first = weights.get("features.0.weight")
    if first is not None and tuple(first.shape) in ((64, 3, 11, 11), (64, 3, 3, 3)):
        return "lpips trunk"
    return None


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())
