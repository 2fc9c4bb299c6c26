"""ONNX Runtime with TensorRT on an NVIDIA graphics card. Compiled engines are cached under all facts that they depend on.

The network is strongly typed: TensorRT computes each tensor in the type that it has in the file. float32 products are rounded to
TF32, ten bits of mantissa, on cards from Ampere on; the provider has no option against it.
"""

# onnxruntime ships no types.
# pyright: basic

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from ctypes.util import find_library
from pathlib import Path
from typing import Any

from engine.core.errors import BackendError
from engine.model.backends import onnx_cuda, onnx_session
from engine.model.backends.device_backend import refuse_int8
from engine.model.backends.engine_cache import engine_folder
from engine.model.backends.graphics_card import GraphicsCard, find_card
from engine.model.backends.onnx_device import CUDA, OnnxDeviceBackend
from engine.model.card import ModelCard
from engine.model.content import ModelSource
from engine.model.file import read_model

NAME = "onnx-tensorrt"
SUFFIXES = (".onnx",)
PROVIDER, LIBRARY = "TensorrtExecutionProvider", "tensorrt"
_LIBRARIES = "tensorrt_libs"
"""The package in TensorRT's wheels; importing it loads the libraries."""
_INSTALL = "install it with: pip install 'tensorrt-cu13==10.*' (for a CUDA 12 build of onnxruntime-gpu: tensorrt-cu12)"


def obstacle() -> str | None:
    """Return why this backend cannot run here and what to install; None when it can."""
    missing = onnx_cuda.provider_obstacle(NAME, LIBRARY)
    if missing is None and not (importlib.util.find_spec(_LIBRARIES) or find_library("nvinfer")):
        return f"{NAME} needs TensorRT 10; {_INSTALL}"
    return missing


def open_model(path: ModelSource, threads: int | None = None) -> OnnxDeviceBackend:
    """Open a model file on the card and check it; the first time TensorRT compiles it, which takes a while.

    Raises ModelFileError for a faulty file, BackendError where the card, its driver, TensorRT or ONNX Runtime cannot play it.
    """
    card, content = read_model(path)
    refuse_int8(card, content.path, NAME)
    runtime = onnx_session.load_runtime(NAME, "live-gpu")
    version = _load_libraries()
    folder = engine_folder(NAME, cache_facts(card, runtime.__version__, version, find_card()))
    # Nodes that TensorRT cannot take run on the graphics card too, with CUDA.
    providers = [(PROVIDER, provider_options(folder)), (onnx_cuda.PROVIDER, onnx_cuda.OPTIONS)]
    session = onnx_cuda.open_on_card(runtime, content, card, NAME, LIBRARY, providers)
    # Without CUDA graphs: those of this provider repeat the first frame when an address changes.
    opened = OnnxDeviceBackend(session, card, NAME, describe(card), CUDA)
    opened.warm_up()
    return opened


def describe(card: ModelCard) -> str:
    """Return the backend's name, the graphics card's and the precision."""
    precision = "float16" if card.precision == "float16" else "float32 rounded to TF32"
    return f"{onnx_cuda.describe(NAME)}, {precision}"


def cache_facts(card: ModelCard, runtime: str, tensorrt: str, graphics: GraphicsCard | None) -> dict[str, str]:
    """Return all facts that a compiled engine depends on."""
    assert graphics is not None, "obstacle() has found a card"
    return {
        "graph_sha256": card.graph_sha256,
        "precision": card.precision,
        "typing": "strong",
        "onnxruntime": runtime,
        "tensorrt": tensorrt,
        **graphics._asdict(),
    }


def provider_options(folder: Path | None) -> dict[str, Any]:
    """Return the provider's options, with compiled engines in `folder` if there is one."""
    options: dict[str, Any] = {
        "device_id": 0,
        "trt_cuda_graph_enable": False,
        # Either would end strong typing, and TensorRT could run front end, norms and states in 16 bits, where the floor of the
        # logarithm is 0. The float16 of a file stands in its graph.
        "trt_fp16_enable": False,
        "trt_int8_enable": False,
    }
    if folder is not None:
        options |= {
            "trt_engine_cache_enable": True,
            "trt_engine_cache_path": str(folder),
            "trt_timing_cache_enable": True,
            "trt_timing_cache_path": str(folder),
        }
    return options


def _load_libraries() -> str:
    """Load the libraries of TensorRT's wheels, if those are installed, and return their version. Raises BackendError.

    Of libraries from elsewhere only the main version is known; TensorRT itself refuses engines of another.
    """
    if importlib.util.find_spec(_LIBRARIES) is None:
        return find_library("nvinfer") or ""
    try:
        importlib.import_module(_LIBRARIES)
    except (ImportError, OSError) as error:
        raise BackendError(f"{NAME}: TensorRT does not load ({onnx_session.first_line(error)}); {_INSTALL}") from error
    packages = importlib.metadata.packages_distributions().get(_LIBRARIES, [])
    return " ".join(f"{package} {importlib.metadata.version(package)}" for package in sorted(set(packages)))
