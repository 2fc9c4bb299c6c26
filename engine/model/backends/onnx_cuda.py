"""ONNX Runtime on an NVIDIA graphics card: states stay there, and a step is one captured CUDA graph."""

# onnxruntime ships no types.
# pyright: basic

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

from engine.core.errors import BackendError
from engine.model.backends import onnx_session
from engine.model.backends.device_backend import refuse_int8
from engine.model.backends.graphics_card import find_card
from engine.model.backends.onnx_device import CUDA, OnnxDeviceBackend
from engine.model.card import ModelCard
from engine.model.content import ModelSource, read_content
from engine.model.file import read_model

NAME = "onnx-cuda"
SUFFIXES = (".onnx",)
PROVIDER, LIBRARY = "CUDAExecutionProvider", "cuda"
# TF32 has ten bits of mantissa: less than the parity that a float32 file was verified with.
OPTIONS = {"device_id": "0", "use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
_FATAL = 4
_NO_KERNEL = "fallback to CPU EP has been explicitly disabled"
"""In ONNX Runtime's message about a graph of which a part has no kernel on the card, and of a provider that does not start."""


def obstacle() -> str | None:
    """Return why this backend cannot run here and what to install; None when it can."""
    return provider_obstacle(NAME, LIBRARY)


def provider_obstacle(backend: str, library: str) -> str | None:
    """Return what the ONNX Runtime provider `library` lacks here: a graphics card with its driver, or its package."""
    if find_card() is None:
        return (
            f"{backend} needs an NVIDIA card, and none answers to nvidia-smi here; if there is one, install its driver"
        )
    if not onnx_session.has_provider(library):
        return (
            f"{backend} needs onnxruntime-gpu in place of onnxruntime; install it with: "
            'pip uninstall -y onnxruntime && pip install -e ".[live-gpu]"'
        )
    return None


def open_model(path: ModelSource, threads: int | None = None) -> OnnxDeviceBackend:
    """Open a model file on the card and check it. The thread that plays captures its graphs.

    Raises ModelFileError for a faulty file, BackendError where the card, its driver or ONNX Runtime cannot play it.
    """
    card, content = read_model(path)
    refuse_int8(card, content.path, NAME)
    runtime = onnx_session.load_runtime(NAME, "live-gpu")
    session = open_on_card(runtime, content, card, NAME, LIBRARY, [(PROVIDER, {**OPTIONS, "enable_cuda_graph": "1"})])
    opened = OnnxDeviceBackend(session, card, NAME, describe(NAME), CUDA, graphs=True)
    opened.warm_up()
    return opened


def open_on_card(
    runtime: Any,
    source: ModelSource,
    card: ModelCard,
    backend: str,
    library: str,
    providers: list[tuple[str, dict[str, Any]]],
) -> Any:
    """Return a session that runs the entire graph on `providers`; `library` is the name of the first one's library.

    Raises BackendError, also where ONNX Runtime falls back to the processor.
    """
    content = read_content(source)
    preload = getattr(runtime, "preload_dlls", None)
    if preload is not None:
        # Finds the CUDA libraries that pip has installed. It prints what it cannot find; the error of the session is clearer.
        with contextlib.redirect_stdout(io.StringIO()):
            preload()
    options = onnx_session.session_options(runtime, 1)
    # Its log would bury the one sentence below.
    runtime.set_default_logger_severity(_FATAL)
    options.log_severity_level = _FATAL
    # ONNX Runtime falls back silently in two ways: for single nodes, and for the session.
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        with warnings.catch_warnings():
            # About a missing provider; the check below has a clearer message.
            warnings.simplefilter("ignore")
            session = runtime.InferenceSession(content.data, options, providers=providers, enable_fallback=0)
    except onnx_session.runtime_errors() as error:
        if _NO_KERNEL in str(error) and _starts(runtime, content.data, providers):
            raise BackendError(
                f"{backend} has no kernel for a part of {content.path}, and a step must not leave the card; export the model again "
                "without --for, or use another --backend."
            ) from error
        reason = onnx_session.missing_library(library) or onnx_session.first_line(error)
        raise BackendError(
            f"{backend} cannot play {content.path} ({reason}); install what is missing with: "
            'pip install -e ".[live-gpu]", or use another with --backend.'
        ) from error
    onnx_session.check_provider(session, providers[0][0], backend)
    onnx_session.check_session(session, card, content.path)
    return session


def _starts(runtime: Any, graph: bytes, providers: list[tuple[str, dict[str, Any]]]) -> bool:
    """Return whether the first provider takes a part of the graph where the processor may take the others."""
    options = onnx_session.session_options(runtime, 1)
    options.log_severity_level = _FATAL
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            session = runtime.InferenceSession(graph, options, providers=providers)
    except onnx_session.runtime_errors():
        return False
    return list(session.get_providers())[:1] == [providers[0][0]]


def describe(backend: str) -> str:
    """Return the backend's name and the card's."""
    card = find_card()
    return f"{backend}, {card.name if card else 'unknown card'}"
