"""What a computation needs, counted before it runs: on the meta device tensors have shapes and no numbers."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from engine.core.errors import TrainingError
from engine.core.machine import memory_bytes

GIB = 2**30
TIMED_S = 0.1
"""How long the device is timed: long enough for its other work to have its turns too."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Memory of one computation beside its weights, and its work."""

    peak_bytes: int
    operations: int
    """Multiplications and additions."""


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive while it is on, and the most of them; with what a device needs for a convolution."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._seen = set[int]()
        self._copies = device.type == "cpu"

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        # What was there before: weights, and what the computation is given. Results may be views of it.
        for leaf in tree_leaves((args, kwargs)):
            if isinstance(leaf, Tensor):
                self._count(leaf.untyped_storage(), 0)
        result = func(*args, **kwargs)
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._count(leaf.untyped_storage(), leaf.untyped_storage().nbytes())
        if self._copies:
            self.peak = max(self.peak, self.live + copied_bytes(func, args, result))
        return result

    def _count(self, storage: torch.UntypedStorage, size: int) -> None:
        key = id(storage)
        if key in self._seen:
            return
        self._seen.add(key)
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._seen.discard(key)
        self.live -= size


def copied_bytes(operation: Any, args: Sequence[Any], result: Any) -> int:
    """Return what an operation on a processor needs beside its result while it computes: of convolutions, and 0 of others.

    oneDNN computes in an order of numbers of its own. It has the weights in that order, and first what is given and the result,
    then the result in both orders. What does not lie in one piece is copied before. Backward it has both that it is given.
    """
    if operation is torch.ops.aten.convolution.default:
        given, weight = args[0], args[1]
        together = 0 if given.is_contiguous() else _bytes_of(given)
        return together + _bytes_of(weight) + max(_bytes_of(given), _bytes_of(result))
    if operation is torch.ops.aten.convolution_backward.default:
        return sum(map(_bytes_of, args[:3]))
    return 0


def _bytes_of(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


class FusedAttention(TorchFunctionMode):
    """Counts attention as processors and graphics cards compute it: without a matrix of all pairs in memory."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is nn.functional.scaled_dot_product_attention and kwargs.get("attn_mask") is None and len(args) <= 3:
            query, key, value = (*args, *(kwargs[name] for name in ("query", "key", "value")[len(args) :]))
            if query.is_meta:
                return torch.ops.aten._scaled_dot_product_flash_attention(query, key, value)[0]
        return func(*args, **kwargs)


def counted(computation: Callable[[], Any], device: torch.device) -> Cost:
    """Return the cost that a computation on meta tensors will have on a device."""
    work = FlopCounterMode(display=False)
    with torch.no_grad(), LiveBytes(device) as memory, work, FusedAttention():
        computation()
    return Cost(memory.peak, work.get_total_flops())


@dataclass(frozen=True, slots=True)
class LearningCost:
    """Memory of a training."""

    weight_bytes: int
    optimiser_bytes: int
    """Of Adam's two moments for each number that learns."""
    peak_bytes: int
    """Beside them: what is kept for the backward pass, and the gradients."""

    @property
    def whole_bytes(self) -> int:
        return self.weight_bytes + self.optimiser_bytes + self.peak_bytes

    def beside(self, other_bytes: int) -> LearningCost:
        """Return the cost beside other networks."""
        return replace(self, weight_bytes=self.weight_bytes + other_bytes)

    def check(self, device: torch.device, lower: str) -> None:
        """Raise TrainingError where a device has less; `lower` says what helps."""
        there = free_bytes(device)
        if there is not None and self.whole_bytes > there:
            raise TrainingError(
                f"This training needs {self.whole_bytes / GIB:.2f} GiB and {device} has {there / GIB:.2f} GiB; {lower}."
            )

    def told(self, device: torch.device) -> str:
        """Return it in words."""
        return (
            f"{self.whole_bytes / GIB:.2f} GiB on {device}: {self.weight_bytes / GIB:.2f} of weights, {self.optimiser_bytes / GIB:.2f} "
            f"of the optimiser and {self.peak_bytes / GIB:.2f} beside them"
        )


def learning_cost(
    loss: Callable[[], Tensor], networks: Sequence[nn.Module], bytes_each: int, device: torch.device
) -> LearningCost:
    """Return the cost that a loss and its gradients, of networks on the meta device, will have on another one."""
    with torch.enable_grad(), LiveBytes(device) as memory:
        with FusedAttention():
            found = loss()
        # That mode is off within a backward pass, whoever is told of it; `recompute` has it on for what is computed again.
        found.backward()
    learned = sum(p.numel() for network in networks for p in network.parameters() if p.requires_grad)
    for network in networks:
        network.zero_grad(set_to_none=True)
    return LearningCost(weight_bytes(*networks, bytes_each=bytes_each), 2 * learned * bytes_each, memory.peak)


def weight_bytes(*modules: nn.Module, bytes_each: int) -> int:
    """Return the memory of modules' weights in numbers of that many bytes."""
    return sum(parameter.numel() for module in modules for parameter in module.parameters()) * bytes_each


def free_bytes(device: torch.device) -> int | None:
    """Return how much memory a device has for this; None where that is not known."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return memory_bytes()


def operations_per_s(device: torch.device, kind: torch.dtype, channels: int = 320, side: int = 32) -> float:
    """Return how many operations a second this device does in a convolution like those of the UNet, timed on the spot."""
    count = 1 if device.type == "cpu" else 32
    weight = torch.zeros(channels, channels, 3, 3, device=device, dtype=kind)
    maps = torch.zeros(count, channels, side, side, device=device, dtype=kind)
    operations = 2 * weight.numel() * maps.shape[0] * side * side
    # The first one only warms up.
    nn.functional.conv2d(maps, weight, padding=1)
    _finish(device)
    begun_s, rounds, spent_s = time.perf_counter(), 0, 0.0
    while spent_s < TIMED_S:
        nn.functional.conv2d(maps, weight, padding=1)
        _finish(device)
        rounds, spent_s = rounds + 1, time.perf_counter() - begun_s
    return rounds * operations / spent_s


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
