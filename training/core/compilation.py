"""torch.compile for the parts of a generator that take most of the time of an iteration.

Discriminators stay as they are: a gradient penalty derives a derivative, which compiled graphs cannot.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from engine.core.errors import TrainingError
from training.core.streaming import StreamingModel


def compile_parts(model: StreamingModel) -> None:
    """Compile each part that the model names, when it first runs; weights and their names do not change."""
    for part in model.compiled_parts():
        part.compile(dynamic=False)


@contextlib.contextmanager
def compiling() -> Iterator[None]:
    """Raise one TrainingError when torch.compile fails inside."""
    try:
        yield
    except RuntimeError as error:
        # Not imported: the compiler needs 90 MB, and whatever it raises, it is there already.
        compiler = sys.modules.get("torch._dynamo.exc")
        if compiler is None or not isinstance(error, compiler.TorchDynamoException):
            raise
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise TrainingError(
            f"compile is true, but torch.compile failed here ({reason}); set compile to false, or install a compiler "
            "(g++ or clang++ for the processor, triton for CUDA)."
        ) from error
