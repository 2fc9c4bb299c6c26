"""What a computation needs, counted before it runs: on the meta device tensors have shapes and no numbers."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from engine.core.machine import memory_bytes

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Cost:
    """Memory of one computation beside its weights, and its work."""

    peak_bytes: int
    operations: int
    """Multiplications and additions."""


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of all tensors that are alive while it is on, and the most of them."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._seen = set[int]()

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


class FusedAttention(TorchFunctionMode):
    """Counts attention as processors and graphics cards compute it: without a matrix of all pairs in memory."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is nn.functional.scaled_dot_product_attention and kwargs.get("attn_mask") is None and len(args) <= 3:
            query, key, value = (*args, *(kwargs[name] for name in ("query", "key", "value")[len(args) :]))
            if query.is_meta:
                return torch.ops.aten._scaled_dot_product_flash_attention(query, key, value)[0]
        return func(*args, **kwargs)


def counted(computation: Callable[[], Any]) -> Cost:
    """Return the cost of a computation on meta tensors."""
    work = FlopCounterMode(display=False)
    with torch.no_grad(), LiveBytes() as memory, work, FusedAttention():
        computation()
    return Cost(memory.peak, work.get_total_flops())


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
    operations, begun_s, rounds = 2 * weight.numel() * maps.shape[0] * side * side, 0.0, 3
    for round_ in range(1 + rounds):
        if round_ == 1:
            # The first one only warms up.
            _finish(device)
            begun_s = time.perf_counter()
        nn.functional.conv2d(maps, weight, padding=1)
    _finish(device)
    return rounds * operations / max(time.perf_counter() - begun_s, 1e-9)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
