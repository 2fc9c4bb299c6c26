"""Opening a plan with the library's own calls, on fakes of its engine and of the card: what happens in which order."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.model.backends import onnx_cpu, plan_file, tensorrt_rtx
from engine.model.backends.graphics_card import GraphicsCard
from tests.engine.model.backends import backend_contract as contract
from tests.engine.model.backends.test_kernel_cache import HERE, RuntimeConfig
from tests.engine.model.backends.test_plan_file import VERSION, write_plan
from tests.engine.model.backends.test_tensorrt_rtx import HostContext, HostDevice
from tests.engine.model.probe_model import CARD, write_probe

CARD_HERE = GraphicsCard("RTX 4090", "8.9", "580.1")


class Engine:
    """ICudaEngine of the probe; its contexts compile their kernels when they first run."""

    def __init__(self, model: Path, said: list[str]) -> None:
        self._model, self._said = model, said
        self._tensors = [("in", info) for info in CARD.input_tensors()] + [("out", i) for i in CARD.output_tensors()]
        self.num_io_tensors = len(self._tensors)
        self.settings = RuntimeConfig()

    def create_runtime_config(self) -> RuntimeConfig:
        return self.settings

    def create_execution_context(self, settings: RuntimeConfig) -> Any:
        assert settings.used is not None
        self._said.append(f"context with {bytes(settings.created.kernels).decode() or 'no'} kernels")
        context, run = HostContext(self._model), HostContext.execute_async_v3

        def execute(stream: int) -> bool:
            settings.created.kernels = b"compiled"
            return run(context, stream)

        context.execute_async_v3 = execute  # type: ignore[method-assign]
        return context

    def get_tensor_name(self, index: int) -> str:
        return self._tensors[index][1].name

    def get_tensor_dtype(self, name: str) -> np.dtype:
        return np.dtype(self._info(name).dtype)

    def get_tensor_mode(self, name: str) -> str:
        return next(side for side, info in self._tensors if info.name == name)

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._info(name).shape

    def _info(self, name: str) -> Any:
        return next(info for _, info in self._tensors if info.name == name)


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine with a card, and what is said on it."""
    said: list[str] = []
    model = tmp_path / "probe.onnx"
    library = SimpleNamespace(
        __version__=VERSION,
        ILogger=SimpleNamespace,
        Runtime=lambda logger: SimpleNamespace(deserialize_cuda_engine=lambda content: Engine(model, said)),
        TensorIOMode=SimpleNamespace(INPUT="in"),
        CudaGraphStrategy=SimpleNamespace(WHOLE_GRAPH_CAPTURE="whole"),
        nptype=lambda dtype: dtype.type,
    )

    def device() -> HostDevice:
        said.append("device")
        return HostDevice()

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(plan_file, "load_library", lambda what: library)
    monkeypatch.setattr(tensorrt_rtx, "find_card", lambda: CARD_HERE)
    monkeypatch.setattr(tensorrt_rtx, "CudaDevice", device)
    return said


def test_kernels_are_compiled_at_the_first_start_and_read_at_the_second(tmp_path: Path, said: list[str]) -> None:
    model = write_probe(tmp_path / "probe.onnx")
    plan = write_plan(tmp_path / "probe.plan", model)
    opened = tensorrt_rtx.open_model(plan)
    # The context of the card comes first: the library reads its kernels in it.
    assert said == ["device", "context with no kernels", "context with no kernels"]
    contract.check_close(opened, onnx_cpu.open_model(model, threads=1))
    said.clear()
    assert tensorrt_rtx.open_model(plan).description == f"tensorrt-rtx, {CARD_HERE.name}, float32"
    assert said == ["device", "context with compiled kernels", "context with compiled kernels"]


def test_a_damaged_cache_is_told_where_the_backend_is_told(tmp_path: Path, said: list[str]) -> None:
    plan = write_plan(tmp_path / "probe.plan", write_probe(tmp_path / "probe.onnx"))
    tensorrt_rtx.open_model(plan)
    (kernels,) = (tmp_path / "cache").rglob("kernels.bin")
    kernels.write_bytes(kernels.read_bytes()[:-1])
    assert "compiles its kernels again (of the cache: it is damaged)" in tensorrt_rtx.open_model(plan).description
    assert "again" not in tensorrt_rtx.open_model(plan).description
    assert kernels.read_bytes().endswith(HERE + b"compiled")
