"""State dicts of published files, held against the module that they are for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from engine.core.errors import TrainingError
from engine.core.small_files import read_text
from engine.core.structured import parse_json
from training.core.weight_reading import read_saved

MOST_CONFIG_BYTES = 1 << 24
PICKLE_WAY_OUT = "where its authors' code runs, save torch.load(FILE, weights_only=False).state_dict() with torch.save, and give that file"
FORMER_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""Names in autoencoders that diffusers wrote before version 0.17, and those of today."""


def read_config(path: Path) -> dict[str, Any]:
    """Return the values of a JSON file. Raises TrainingError where it is missing or is no mapping in JSON."""
    try:
        values = parse_json(read_text(path, MOST_CONFIG_BYTES))
    except OSError as error:
        raise TrainingError(f"Cannot read {path}: {error.strerror}; --check-weights shows what is missing.") from error
    except ValueError as error:
        raise TrainingError(f"{path} cannot be used: {error}; fetch it again.") from error
    if not isinstance(values, dict):
        raise TrainingError(f"{path} holds {type(values).__name__}; keys and values were expected: fetch it again.")
    return values


def read_weights(path: Path, device: str = "cpu") -> Any:
    """Return what a file of weights holds; "meta" gives shapes alone. Nothing in it is run.

    Raises TrainingError where it is missing, damaged, or a pickled module.
    """
    try:
        return read_saved(path, device)
    except OSError as error:
        raise TrainingError(f"Cannot read {path}: {error.strerror}; --check-weights shows what is missing.") from error
    except ValueError as error:
        raise TrainingError(
            f"{path} is not a file of weights that torch can read safely ({error}); if it is a pickled module, {PICKLE_WAY_OUT}."
        ) from error


def state_dict(content: Any, path: Path, ignored: str = r"(?!)") -> dict[str, Tensor]:
    """Return the tensors of a state dict whose names do not match `ignored`. Raises TrainingError where it is none."""
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise TrainingError(
            f"{path} holds {type(content).__name__} with more than tensors; tensors by name were expected."
        )
    return {name: value for name, value in content.items() if not re.search(ignored, name)}


def with_current_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return an autoencoder's state dict with the names of today."""
    former = re.compile(rf"(?<=\.attentions\.0\.)({'|'.join(FORMER_ATTENTION)})(?=\.(?:weight|bias)$)")
    found = {former.sub(lambda name: FORMER_ATTENTION[name[0]], name): value for name, value in state.items()}
    # Some were convolutions of one pixel.
    return {
        name: value.flatten(1) if ".attentions." in name and value.ndim == 4 else value for name, value in found.items()
    }


def misfit(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """Return how names and shapes of `given` differ from what is expected, as the middle of a sentence; empty where they fit."""
    lacking, more = sorted(set(expected) - set(given)), sorted(set(given) - set(expected))
    if lacking:
        return f"lacks '{lacking[0]}' ({len(lacking)} of {len(expected)} tensors)"
    if more:
        return f"holds '{more[0]}' ({len(more)} such tensors), which was not expected"
    for name, value in expected.items():
        if given[name].shape != value.shape:
            return f"has '{name}' as {list(given[name].shape)} where {list(value.shape)} was expected"
    return ""


def load(module: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Put a file's tensors into a module, also one on the meta device; they keep the kind of number of the file.

    Raises TrainingError, naming the tensor, where the file is for another version.
    """
    if found := misfit(module.state_dict(), state):
        raise TrainingError(f"{path} {found}: it is of another version; --check-weights says where the right one is.")
    module.load_state_dict(dict(state), assign=True)
