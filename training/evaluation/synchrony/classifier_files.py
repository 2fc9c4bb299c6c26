"""Files of classifiers: this project's own as one .safetensors file, the original's as its folder of modules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.core.atomic_files import atomic_file
from engine.core.errors import TrainingError
from engine.core.structured import parse_json
from training.core.strict import build_config, config_dict
from training.core.weight_reading import read_tensors
from training.evaluation.metrics.weight_files import load_into
from training.evaluation.synchrony.classifier import ClassifierConfig, SmallClassifier, SyncClassifier
from training.evaluation.synchrony.original_classifier import PARTS, OriginalClassifier

FORMAT = "fluid synchrony classifier 1"
TRAIN = "python -m training.evaluation.synchrony.train_classifier CLIP -o FILE"
MODULE_FILES = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")


def save_classifier(path: Path, classifier: SmallClassifier, about: Mapping[str, object]) -> None:
    """Write a classifier with its configuration and what it was trained on. Raises TrainingError when it cannot be written."""
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in classifier.state_dict().items()}
    described = {
        "format": FORMAT,
        "config": json.dumps(config_dict(classifier.config)),
        "about": json.dumps(dict(about)),
    }
    try:
        with atomic_file(path) as partial:
            save_file(tensors, partial, metadata=described)
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"Cannot write {path} ({getattr(error, 'strerror', None) or error}); choose another file with -o."
        ) from error


def load_classifier(path: Path) -> SyncClassifier:
    """Read a classifier without executing anything: a file of this project, or the original's folder or file of weights.

    Raises TrainingError for a path that is missing, damaged or holds something else.
    """
    if path.is_dir():
        return _original(_module_tensors(path), path)
    tensors = _tensors(path)
    if any(name.startswith(f"{PARTS[0]}.") for name in tensors):
        return _original(tensors, path)
    return _own(path, tensors)


def _own(path: Path, tensors: dict[str, Tensor]) -> SmallClassifier:
    config = build_config(ClassifierConfig, _metadata(path), f"{path.name}: config")
    classifier = SmallClassifier(config, f"the classifier {path.name}")
    load_into(classifier, tensors, path)
    return classifier


def _metadata(path: Path) -> dict[str, object]:
    try:
        with safe_open(path, framework="pt") as file:
            described = file.metadata() or {}
        values = parse_json(described["config"]) if described.get("format") == FORMAT else None
    except (OSError, SafetensorError, ValueError, KeyError):
        values = None
    if not isinstance(values, dict):
        raise TrainingError(f"{path} holds no synchrony classifier; train one with {TRAIN}.")
    return values


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return read_tensors(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TrainingError(
            f"{path} is no file of a synchrony classifier ({reason}); train one with {TRAIN}, or give the original's folder of modules."
        ) from error


def _module_tensors(folder: Path) -> dict[str, Tensor]:
    """Return the tensors of the folders in which the original saves its three modules."""
    found: dict[str, Tensor] = {}
    for part in PARTS:
        file = next((each for name in MODULE_FILES if (each := folder / part / name).is_file()), None)
        if file is None:
            raise TrainingError(
                f"{folder / part} holds neither {' nor '.join(MODULE_FILES)}; the folder `modules` of the original's checkpoint was expected."
            )
        found |= {f"{part}.{name}": tensor for name, tensor in _tensors(file).items()}
    return found


def _original(tensors: dict[str, Tensor], path: Path) -> OriginalClassifier:
    classifier = OriginalClassifier(f"the AVSync classifier {path.name}")
    load_into(classifier.network, tensors, path)
    return classifier
