"""ONNX Runtime on the processor: plays everywhere."""

# onnxruntime ships no types.
# pyright: basic

from __future__ import annotations

import os
from typing import Any

from engine.core.errors import StepError
from engine.model.backend import OpenedModel, shown_step
from engine.model.backends import onnx_session
from engine.model.card import NEXT_SUFFIX, ModelCard
from engine.model.content import ModelSource
from engine.model.file import read_model
from engine.model.step import Step, StepInputs, resting_inputs

NAME = "onnx-cpu"
SUFFIXES = (".onnx",)
DEFAULT_THREADS = 2
"""More than two gain little at the frame sizes of a show, and take the cores that sound and encoders need."""


def obstacle() -> str | None:
    """Return why this backend cannot run here and what to install; None when it can."""
    return (
        None if onnx_session.has_runtime() else f'{NAME} needs onnxruntime; install it with: pip install -e ".[live]"'
    )


class OnnxCpuBackend(OpenedModel):
    """A model file in an ONNX Runtime session on the processor."""

    def __init__(self, session: Any, card: ModelCard, threads: int) -> None:
        super().__init__(NAME, f"{NAME}, {threads} thread{'s' if threads > 1 else ''}", card)
        self._session = session
        self._run_options = onnx_session.loaded_runtime().RunOptions
        self._running: Any = None
        self._outputs = [*card.shown_names, *(spec.name + NEXT_SUFFIX for spec in card.states)]
        self._errors = onnx_session.runtime_errors()
        self.threads = threads

    def step(self, inputs: StepInputs) -> Step:
        """Take one step. Raises StepError."""
        # New options for each step: a late cancellation must not end the next one.
        self._running = self._run_options()
        try:
            outputs: list[Any] = list(self._session.run(self._outputs, inputs.as_dict(), self._running))
        except self._errors as error:
            raise StepError(f"{NAME}: the step failed ({onnx_session.first_line(error)}).") from error
        given = dict(zip(self._outputs, outputs, strict=True))
        return shown_step(self.card, given, {s.name: given[s.name + NEXT_SUFFIX] for s in self.card.states})

    def cancel(self) -> bool:
        """Ask the running step to end before its next operator."""
        running = self._running
        if running is not None:
            running.terminate = True
        return True


def open_model(path: ModelSource, threads: int | None = None) -> OnnxCpuBackend:
    """Open a model file, check it against its card and take one step to warm up.

    Raises ModelFileError for a file that is missing, damaged, altered, without a card, of another version, at odds with its
    card or with more in it than a network, BackendError where ONNX Runtime is missing, StepError where the step fails.
    """
    card, content = read_model(path)
    file = content.path
    runtime = onnx_session.load_runtime(NAME, "live")
    threads = threads or min(DEFAULT_THREADS, os.cpu_count() or 1)
    options = onnx_session.session_options(runtime, threads)
    try:
        session = runtime.InferenceSession(content.data, options, providers=["CPUExecutionProvider"])
    except onnx_session.runtime_errors() as error:
        raise onnx_session.damaged(file, error) from error
    onnx_session.check_session(session, card, file)
    opened = OnnxCpuBackend(session, card, threads)
    opened.step(resting_inputs(card))
    return opened
