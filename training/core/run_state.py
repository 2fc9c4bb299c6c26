"""The live state of a run as named tensors, so that it fits into a safetensors file: no pickles."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.core.errors import TrainingError


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put "prefix." before every name."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors named "prefix.NAME" as NAME: the inverse of `prefixed`."""
    return {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}.")}


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the running moments as "INDEX.NAME" of the parameters in their order."""
    state = optimiser.state_dict()["state"]
    return {
        f"{index}.{name}": torch.as_tensor(value) for index, slots in state.items() for name, value in slots.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put moments saved by `optimiser_tensors` back; learning rates stay as configured.

    Raises TrainingError when they belong to other parameters.
    """
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        if int(index) >= len(parameters) or (value.dim() and value.shape != parameters[int(index)].shape):
            raise TrainingError("The checkpoint's optimiser belongs to another network; start a new run.")
        state.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def finite(tensors: Mapping[str, Tensor]) -> bool:
    """Tell whether every loss is a finite number."""
    return bool(torch.stack([tensor.detach().float() for tensor in tensors.values()]).isfinite().all())


def not_finite(tensors: Mapping[str, Tensor]) -> str:
    """Return the name of a tensor that holds something else than finite numbers, or nothing."""
    return next((name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())), "")


@torch.no_grad()
def follow(average: torch.nn.Module, live: torch.nn.Module, decay: float, iteration: int) -> None:
    """Move the averaged weights towards the live ones; statistics and counters are copied.

    Early on the decay is (1 + i) / (10 + i), so that the average is not held back by the random start.
    """
    share = 1.0 - min(decay, (1 + iteration) / (10 + iteration))
    for mean, value in zip(average.parameters(), live.parameters(), strict=True):
        mean.lerp_(value, share)
    for mean, value in zip(average.buffers(), live.buffers(), strict=True):
        mean.copy_(value)
