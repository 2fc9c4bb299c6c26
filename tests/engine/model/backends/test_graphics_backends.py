"""What the backends for graphics cards ask their libraries for and refuse by themselves; none of it needs a card."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.core.errors import BackendError
from engine.model.backends import onnx_cuda, onnx_session, onnx_tensorrt, plan_file
from engine.model.backends.graphics_card import GraphicsCard
from engine.model.backends.selection import MODULES
from tests.engine.model.probe_model import CARD, write_quantised_probe


def test_tensorrt_keeps_the_types_of_the_file(tmp_path: Path) -> None:
    options = onnx_tensorrt.provider_options(tmp_path)
    assert not options["trt_fp16_enable"]
    assert not options["trt_int8_enable"]
    assert options["trt_engine_cache_path"] == str(tmp_path)
    assert "trt_engine_cache_path" not in onnx_tensorrt.provider_options(None)


@pytest.mark.parametrize(("precision", "says"), [("float32", "TF32"), ("bfloat16", "TF32"), ("float16", "float16")])
def test_tensorrt_says_how_it_rounds(precision: str, says: str) -> None:
    assert onnx_tensorrt.describe(replace(CARD, precision=precision)).endswith(says)


@pytest.mark.parametrize("name", ["onnx-cuda", "onnx-tensorrt", "tensorrt-rtx"])
def test_int8_is_refused_by_its_card_before_a_library_is_loaded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_quantised_probe(tmp_path / "8.onnx")
    card = GraphicsCard("RTX 4090", "8.9", "580.1")
    module = importlib.import_module(f"engine.model.backends.{MODULES[name]}")
    monkeypatch.setattr(module, "find_card", lambda: card)
    monkeypatch.setattr(onnx_session, "load_runtime", pytest.fail)
    monkeypatch.setattr(plan_file, "load_library", lambda what: SimpleNamespace(__version__="1.7.1"))
    with pytest.raises(BackendError, match=r"plays no int8, .*--precision float16") as caught:
        module.open_model(path)
    assert "CUDA error" not in str(caught.value)
    assert "\n" not in str(caught.value)


class Runtime:
    """ONNX Runtime on a machine with a card: its session refuses a graph of which a part has no kernel, unless it may fall back."""

    def __init__(self, starts: bool) -> None:
        runtime = onnx_session.load_runtime("onnx-cuda", "live-gpu")
        self.SessionOptions, self.set_default_logger_severity = runtime.SessionOptions, lambda level: None
        self.providers = [onnx_cuda.PROVIDER, "CPUExecutionProvider"][not starts :]

    def InferenceSession(self, path: str, options: Any, **given: Any) -> Any:
        try:
            options.get_session_config_entry("session.disable_cpu_ep_fallback")
        except RuntimeError:
            # The library has no other way to say that the entry is absent.
            return SimpleNamespace(get_providers=lambda: self.providers)
        raise RuntimeError("fallback to CPU EP has been explicitly disabled by the user.")


@pytest.mark.parametrize(
    ("starts", "says"), [(True, "no kernel for a part of .*without --for"), (False, "pip install")]
)
def test_a_part_without_a_kernel_is_told_from_a_provider_that_does_not_start(
    starts: bool, says: str, probe_file: Path
) -> None:
    with pytest.raises(BackendError, match=says) as caught:
        onnx_cuda.open_on_card(Runtime(starts), probe_file, CARD, "onnx-cuda", "cuda", [(onnx_cuda.PROVIDER, {})])
    assert ("pip install" in str(caught.value)) != starts
