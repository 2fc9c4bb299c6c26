"""ONNX Runtime on the processor: plays everywhere."""

# onnxruntime ships no types.
# pyright: basic

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from engine.core.errors import BackendError
from engine.model.backend import OpenedModel, shown_step
from engine.model.backends import onnx_session
from engine.model.card import NEXT_SUFFIX, ModelCard
from engine.model.file import read_checked_card
from engine.model.step import Step, StepInputs, resting_inputs

NAME = "onnx-cpu"
SUFFIXES = (".onnx",)
DEFAULT_THREADS = 2
"""More than two gain little at the frame sizes of a show, and take the cores that sound and encoders need."""


def obstacle() -> str | None:
    """Return why this backend cannot run here and what to install; None when it can."""
    return (
        None if onnx_session.has_runtime() else f'{NAME} needs onnxruntime; install it with: pip install "fluid[live]"'
    )


class OnnxCpuBackend(OpenedModel):
    """A model file in an ONNX Runtime session on the processor."""

    def __init__(self, session: Any, card: ModelCard, threads: int) -> None:
        super().__init__(NAME, f"{NAME}, {threads} thread{'s' if threads > 1 else ''}", card)
        self._session = session
        self._outputs = [*card.shown_names, *(spec.name + NEXT_SUFFIX for spec in card.states)]
        self._errors = onnx_session.runtime_errors()
        self.threads = threads

    def step(self, inputs: StepInputs) -> Step:
        """Take one step. Raises BackendError."""
        try:
            outputs: list[Any] = list(self._session.run(self._outputs, inputs.as_dict()))
        except self._errors as error:
            raise BackendError(f"{NAME}: the step failed ({onnx_session.first_line(error)}).") from error
        given = dict(zip(self._outputs, outputs, strict=True))
        return shown_step(self.card, given, {s.name: given[s.name + NEXT_SUFFIX] for s in self.card.states})


def open_model(path: Path | str, threads: int | None = None) -> OnnxCpuBackend:
    """Open a model file, check it against its card and take one step to warm up.

    Raises ModelFileError for a file that is missing, damaged, altered, without a card, of another version or at odds with its
    card, BackendError where ONNX Runtime is missing.
    """
    file = Path(path)
    card = read_checked_card(file)
    runtime = onnx_session.load_runtime(NAME, "live")
    threads = threads or min(DEFAULT_THREADS, os.cpu_count() or 1)
    options = onnx_session.session_options(runtime, threads)
    try:
        session = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except onnx_session.runtime_errors() as error:
        raise onnx_session.damaged(file, error) from error
    onnx_session.check_session(session, card, file)
    opened = OnnxCpuBackend(session, card, threads)
    opened.step(resting_inputs(card))
    return opened
