"""Training in several processes, one for each GPU, started by torchrun; without torchrun everything here is idle.

    torchrun --nproc-per-node 2 -m training.train configs/train/water.yaml --set sequences_per_batch=4

Data-parallel training: every process holds all weights, trains its share of the streams, and the gradients are averaged before
each step, in one message a network. All processes draw all random numbers (`RandomState`) and walk all streams, so that P processes
train on exactly what one process trains on, and differ from it by the order of sums alone.

torch's DistributedDataParallel wrapper averages the same gradients while they are computed. It is not used because it does
not work with torch.autograd.grad (its page says so), which the gradient penalty needs; because it averages at every
backward pass, of which the video discriminator makes two a step; and because it wants a parameter's `requires_grad` never to
change, while a discriminator is frozen in the step of the generator. What it could hide behind computing is one message a network.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from engine.core.errors import USER_ERROR_EXIT_CODE, TrainingError, UserError

# B streams, N frames, C channels, P processes, R the rank of this process

SPOKEN = "fluid/spoken"


class Lost(TrainingError):
    """Another process of the training is gone."""


def launched() -> bool:
    """Tell whether torchrun started this process beside others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def processes() -> int:
    """Return how many processes train together; 1 without torchrun."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Return the number of this process among all."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def local_rank() -> int:
    """Return the number of this process on its machine, which is that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0")) if processes() > 1 else 0


def first() -> bool:
    """Tell whether this is the process that writes and speaks."""
    return rank() == 0


def together(main: Callable[[], int]) -> Callable[[], int]:
    """Wrap an entry point: join the other processes before it and leave them after it.

    Only the first process prints. Of errors only the first sentence is shown, whichever process says it: the others
    fail for want of that one. Raises TrainingError when the processes cannot find each other.
    """

    @functools.wraps(main)
    def joined() -> int:
        if not launched():
            return main()
        _join()
        try:
            with contextlib.ExitStack() as silenced:
                if not first():
                    silenced.enter_context(contextlib.redirect_stdout(io.StringIO()))
                    silenced.enter_context(contextlib.redirect_stderr(io.StringIO()))
                code = main()
        except UserError:
            if _speaks_first():
                raise
            return USER_ERROR_EXIT_CODE
        distributed.destroy_process_group()
        return code

    return joined


def own_streams(streams: int, name: str = "sequences_per_batch") -> tuple[int, int]:
    """Return the first stream of this process and their count. Raises TrainingError when they cannot be shared evenly.

    `name` is the setting that says how many there are.
    """
    share, left = divmod(streams, processes())
    if left:
        raise TrainingError(
            f"{name} is {streams}, which {processes()} processes cannot share evenly; "
            f"set it to {streams - left + processes()} or start fewer processes."
        )
    return rank() * share, share


def device_number(available: int) -> int:
    """Return the CUDA device of this process. Raises TrainingError when its machine has too few."""
    if local_rank() >= available:
        raise TrainingError(
            f"Process {local_rank() + 1} of this machine found {available} CUDA devices; "
            "start torchrun with --nproc-per-node of at most that many."
        )
    return local_rank()


def mean(values: Tensor) -> Tensor:
    """Return the mean of a tensor over all processes, without gradient; itself when there is one process.

    Whatever decides anything from a statistic of the batch (a strength, a rate, a stop) must pass it through here, or the
    processes decide differently.
    """
    return values if processes() == 1 else _all_reduce(values.detach().clone()) / processes()


def mean_terms(terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the means of losses over all processes, in one message. One that is no finite number is so everywhere."""
    if processes() == 1 or not terms:
        return dict(terms)
    means = mean(torch.stack([value.detach().float() for value in terms.values()]))
    return dict(zip(terms, means.unbind(), strict=True))


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by its mean over all processes, in one message."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if processes() == 1 or not gradients:
        return
    flat = mean(torch.cat([gradient.flatten() for gradient in gradients]))
    parts = flat.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def average_before_steps(optimiser: torch.optim.Optimizer) -> None:
    """Let an optimiser average the gradients before each of its steps."""

    def average(stepping: torch.optim.Optimizer, *_: Any) -> None:
        average_gradients(parameter for group in stepping.param_groups for parameter in group["params"])

    if processes() > 1:
        optimiser.register_step_pre_hook(average)


def all_streams(own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors [B, …] of this process's streams as those of all streams, in their order."""
    if processes() == 1:
        return dict(own)
    gathered: dict[str, Tensor] = {}
    for name, value_B in own.items():
        table_PB = value_B.new_zeros(processes(), *value_B.shape)
        table_PB[rank()] = value_B
        gathered[name] = _all_reduce(table_PB).flatten(0, 1)
    return gathered


def agree(progress: float, stop: bool) -> tuple[float, bool]:
    """Return the first process's progress and whether any process wants to stop: the same in all of them."""
    if processes() == 1:
        return progress, stop
    shared = torch.tensor([progress if first() else 0.0, float(stop)], dtype=torch.float64)
    agreed, stopping = _all_reduce(shared).tolist()
    return agreed, stopping > 0


def start_alike(*modules: nn.Module) -> None:
    """Give all processes the weights of the first: those computed from a clip may differ in the last bit between machines."""
    if processes() > 1:
        for tensor in _tensors(modules):
            with _others_present():
                distributed.broadcast(tensor, 0)


def check_alike(what: str, value: object, way_out: str = "give all machines the same files and flags") -> None:
    """Raise TrainingError in all processes when `value` (anything whose repr tells it) is not the same in all."""
    if processes() == 1:
        return
    digests: list[Any] = [None] * processes()
    with _others_present():
        distributed.all_gather_object(digests, hashlib.sha256(repr(value).encode()).hexdigest())
    others = [number for number, digest in enumerate(digests) if digest != digests[0]]
    if others:
        raise TrainingError(f"Process {others[0]} has another {what} than process 0; {way_out}.")


def check_weights(*modules: nn.Module) -> None:
    """Raise TrainingError when the processes hold different weights: equal steps on equal gradients keep them equal."""
    if processes() > 1:
        digest = hashlib.sha256()
        for tensor in _tensors(modules):
            digest.update(tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy())
        check_alike("set of weights", digest.hexdigest(), "start them on equal machines, from the last checkpoint")


@contextlib.contextmanager
def one_after_first_of_machine() -> Iterator[None]:
    """Let the first process of every machine do something (fill a cache) before its others do."""
    if processes() > 1 and local_rank() > 0:
        _wait()
    yield
    if processes() > 1 and local_rank() == 0:
        _wait()


def share_batch_norms(module: nn.Module) -> None:
    """Let every batch norm inside take its statistics from all processes; names of weights stay. Idle in one process."""
    if processes() == 1:
        return
    for name, child in module.named_children():
        if isinstance(child, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            setattr(module, name, SharedBatchNorm.like(child))
        else:
            share_batch_norms(child)


class SharedBatchNorm(_BatchNorm):
    """Batch norm over the frames of all processes; in evaluation and in what is saved it is torch's.

    torch's SyncBatchNorm works on CUDA alone and its backward pass has no derivative, which the gradient penalty needs.
    Mean and variance are joined from those of the processes, which have equally many values each: one message a pass.
    """

    @classmethod
    def like(cls, norm: _BatchNorm) -> SharedBatchNorm:
        """Take over weights, statistics and settings of a batch norm."""
        shared = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        shared._parameters, shared._buffers, shared.training = norm._parameters, norm._buffers, norm.training
        return shared

    def _check_input_dim(self, input: Tensor) -> None:
        assert input.dim() > 1

    def forward(self, input: Tensor) -> Tensor:
        """Take [N, C, …] and return the same shape."""
        if not self.training:
            return super().forward(input)
        # Half-precision sums would lose the variance.
        values = input.to(torch.promote_types(input.dtype, torch.float32))
        own_2C = torch.stack(torch.var_mean(values, dim=[0, *range(2, input.dim())], correction=0))
        absent_2C = torch.zeros_like(own_2C)
        table_P2C = torch.stack([own_2C if number == rank() else absent_2C for number in range(processes())])
        variances_PC, means_PC = _SumOverProcesses.apply(table_P2C).unbind(dim=1)
        mean_C = means_PC.mean(dim=0)
        variance_C = (variances_PC + (means_PC - mean_C).square()).mean(dim=0)
        self._follow(mean_C.detach(), variance_C.detach(), processes() * input.numel() // len(mean_C))
        shape = [1, -1, *[1] * (input.dim() - 2)]
        scale_C = self.weight * (variance_C + self.eps).rsqrt()
        centred = values - mean_C.view(shape)
        return (centred * scale_C.view(shape) + self.bias.view(shape)).to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean_C: Tensor, variance_C: Tensor, count: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean_C, self.momentum)
        self.running_var.lerp_(variance_C * (count / (count - 1)), self.momentum)


class _SumOverProcesses(torch.autograd.Function):
    """Sum of a tensor over all processes; its gradient is the sum of theirs, and can be derived again."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return _all_reduce(value.clone(memory_format=torch.contiguous_format))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return _SumOverProcesses.apply(gradient)  # type: ignore[no-any-return]


def _join() -> None:
    # This module keeps the group of the moment it is imported (torch's optimisers import it at their first step) as its default.
    # A group that is kept does not end its threads, and one that lets go of a tensor while Python ends aborts the process.
    importlib.import_module("torch.distributed.nn.functional")
    try:
        # torch chooses gloo for tensors on the CPU and NCCL for those on CUDA.
        distributed.init_process_group()
    except (ValueError, RuntimeError) as error:
        raise TrainingError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, but the other processes cannot be joined "
            f"({str(error).splitlines()[0]}); start training with torchrun, or unset WORLD_SIZE."
        ) from error


def _wait() -> None:
    with _others_present():
        distributed.barrier()


def _all_reduce(tensor: Tensor) -> Tensor:
    with _others_present():
        distributed.all_reduce(tensor)
    return tensor


@contextlib.contextmanager
def _others_present() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise Lost(
            f"Process {rank()} of {processes()} lost the others: one of them has ended ({str(error).splitlines()[0]})."
        ) from error


def _speaks_first() -> bool:
    try:
        return distributed.distributed_c10d._get_default_store().add(SPOKEN, 1) == 1
    except RuntimeError:
        return True  # Without torchrun there is nobody left to ask.


def _tensors(modules: Iterable[nn.Module]) -> Iterator[Tensor]:
    for module in modules:
        for tensor in (*module.parameters(), *module.buffers()):
            yield tensor.data
