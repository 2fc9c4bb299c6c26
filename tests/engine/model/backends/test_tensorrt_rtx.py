"""The backend of plans without a graphics card: memory, ping-pong buffers, refusals. ONNX Runtime stands in for the card's engine."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from engine.core.errors import BackendError, ModelFileError
from engine.model.backends import graphics_card, onnx_cpu, tensorrt_rtx
from engine.model.backends.plan_file import LIBRARY, read_plan
from engine.model.backends.selection import open_backend
from engine.model.backends.tensorrt_rtx import ALIGNMENT_BYTES, Block, CudaDevice, RtxBackend, find, layout
from engine.model.card import TensorInfo
from engine.model.file import read_checked_card
from engine.model.noise import draw_noise
from engine.model.step import resting_inputs
from tests.engine.model.backends import backend_contract as contract
from tests.engine.model.backends.test_plan_file import ENGINE, VERSION, write_plan
from tests.engine.model.probe_model import CARD, write_probe


class HostDevice:
    """Memory of this process in the place of a card's."""

    stream = 7

    def __init__(self) -> None:
        self.kept: list[np.ndarray] = []
        self.uploads = self.downloads = 0

    def allocate(self, size_bytes: int) -> int:
        self.kept.append(np.zeros(size_bytes, np.uint8))
        return self.kept[-1].ctypes.data

    def staging(self, size_bytes: int) -> np.ndarray:
        return np.zeros(size_bytes, np.uint8)

    def upload(self, address: int, host: np.ndarray) -> None:
        self.uploads += 1
        ctypes.memmove(address, host.ctypes.data, host.nbytes)

    def download(self, host: np.ndarray, address: int) -> None:
        self.downloads += 1
        ctypes.memmove(host.ctypes.data, address, host.nbytes)


class HostContext:
    """Reads and writes at the addresses it was given, as an execution context does; computes with ONNX Runtime."""

    def __init__(self, path: Path) -> None:
        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        card = read_checked_card(path)
        self.inputs = {info.name: info for info in card.input_tensors()}
        self.outputs = {info.name: info for info in card.output_tensors()}
        self.addresses: dict[str, int] = {}
        self.starts = True

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return name in self.inputs or name in self.outputs

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == HostDevice.stream
        given = {name: self._at(info).copy() for name, info in self.inputs.items()}
        for name, value in zip(self.outputs, self.session.run(list(self.outputs), given), strict=True):
            self._at(self.outputs[name])[...] = value
        return self.starts

    def _at(self, info: TensorInfo) -> np.ndarray:
        dtype = np.dtype(info.dtype)
        size = int(np.prod(info.shape)) * dtype.itemsize
        memory = (ctypes.c_uint8 * size).from_address(self.addresses[info.name])
        return np.frombuffer(memory, dtype).reshape(info.shape)


@pytest.fixture
def device() -> HostDevice:
    return HostDevice()


@pytest.fixture
def contexts(probe_file: Path) -> list[HostContext]:
    return [HostContext(probe_file), HostContext(probe_file)]


@pytest.fixture
def backend(contexts: list[HostContext], device: HostDevice) -> RtxBackend:
    return RtxBackend(CARD, contexts, device, "stand-in")


@contract.promises
def test_keeps(check: Callable[[Any], None], backend: RtxBackend) -> None:
    check(backend)


def test_plays_what_onnx_cpu_plays(backend: RtxBackend, probe_file: Path) -> None:
    contract.check_close(backend, onnx_cpu.open_model(probe_file, threads=1))


def test_a_show_copies_once_each_way_a_step(backend: RtxBackend, device: HostDevice) -> None:
    backend.warm_up()
    inputs = resting_inputs(CARD).with_states(contract.play(backend, contract.windows(CARD, 3))[1])
    before = device.uploads, device.downloads
    for index in range(10):
        inputs = inputs.with_values(draw_noise(CARD.noises, 0, index), backend.step(inputs).next_state)
    assert (device.uploads - before[0], device.downloads - before[1]) == (10, 10)


@pytest.mark.usefixtures("backend")
def test_each_context_reads_one_set_and_writes_the_other(contexts: list[HostContext]) -> None:
    first, second = (context.addresses for context in contexts)
    assert first["memory"] == second["memory_next"]
    assert first["memory_next"] == second["memory"]
    assert first["memory"] != first["memory_next"]
    assert {name: first[name] for name in ("audio", "gain", "jitter", "frame", "features")}.items() <= second.items()


def test_a_block_lies_aligned_and_apart() -> None:
    infos = [
        TensorInfo(name="audio", shape=(1360,), dtype="float32"),
        TensorInfo(name="gain", shape=(), dtype="float32"),
        TensorInfo(name="frame", shape=(3, 5, 3), dtype="uint8"),
    ]
    offsets, size = layout(infos)
    assert offsets == {"audio": 0, "gain": 5632, "frame": 5888}
    assert size == 6144
    assert layout([]) == ({}, ALIGNMENT_BYTES)
    block = Block(HostDevice(), infos)
    values = {
        "audio": np.arange(1360, dtype=np.float32),
        "gain": np.float32(2),
        "frame": np.full((3, 5, 3), 9, np.uint8),
    }
    block.put(values)
    for name, value in block.get().items():
        assert np.array_equal(value, values[name])


@pytest.mark.parametrize("wrong", ["audio", "state", "control", "start"])
def test_a_failing_step_is_a_backend_error_and_the_next_one_plays(
    wrong: str, backend: RtxBackend, contexts: list[HostContext]
) -> None:
    right = resting_inputs(CARD)
    contexts[0].starts = wrong != "start"
    with pytest.raises(BackendError, match="the step failed") as caught:
        backend.step(contract.with_fault(right, wrong))
    assert "\n" not in str(caught.value)
    contexts[0].starts = True
    assert backend.step(right).next_state["memory"].shape == (1,)


def test_an_engine_that_lacks_a_tensor_is_refused(probe_file: Path) -> None:
    other = replace(CARD, controls=())
    context = HostContext(probe_file)
    del context.inputs["gain"]
    RtxBackend(other, [context, context], HostDevice(), "stand-in")
    with pytest.raises(BackendError, match="'gain'"):
        RtxBackend(CARD, [context, context], HostDevice(), "stand-in")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_probe(tmp_path / "probe.onnx")


@pytest.mark.parametrize(
    ("version", "gpu", "says"),
    [
        ("1.8.0", "sm89", "1.8.0 is installed"),
        (VERSION, "sm120", "built for sm86, sm89, but this machine's GPU is sm120"),
    ],
)
def test_a_plan_for_another_library_or_card_is_refused(
    version: str, gpu: str, says: str, tmp_path: Path, model: Path
) -> None:
    path = write_plan(tmp_path / "probe.plan", model)
    with pytest.raises(ModelFileError, match=says) as caught:
        find(path, version, gpu)
    assert f"--gpu {gpu} -o {path}" in str(caught.value)
    assert find(path, VERSION, "sm89").engine == ENGINE


def test_a_plan_of_another_model_than_the_one_beside_it_is_refused(tmp_path: Path, model: Path) -> None:
    path = write_plan(tmp_path / "probe.plan", model)
    write_probe(model, name="exported again")
    with pytest.raises(ModelFileError, match=r"another probe\.onnx than the one beside it"):
        find(path, VERSION, "sm89")
    # The .onnx file is not at fault: another backend may play it.
    with pytest.raises(BackendError, match=r"another probe\.onnx"):
        find(model, VERSION, "sm89")
    moved = path.rename(tmp_path / "elsewhere.plan")
    model.unlink()
    assert find(moved, VERSION, "sm89").engine == ENGINE


def test_the_cache_is_where_the_engine_looks(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(
        BackendError, match=r"no plan of .*probe.onnx for sm89; make one with: python -m export.to_tensorrt"
    ):
        find(model, VERSION, "sm89")
    write_plan(tmp_path / "cache" / "fluid" / "plans" / "any.plan", model)
    assert find(model, VERSION, "sm89").engine == ENGINE


def test_other_files_are_for_other_backends(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="neither"):
        find(tmp_path / "model.pt2", VERSION, "sm89")


def test_generations_are_named_by_capability() -> None:
    assert [tensorrt_rtx.generation(text) for text in ("7.5", "8.9", "12.0")] == ["sm75", "sm89", "sm120"]


def no_card() -> None:
    return None


@pytest.mark.parametrize("absent", [LIBRARY, "cuda", "card"])
def test_the_obstacle_says_what_to_install(absent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known: Callable[[str], Any] = lambda name: None if name == absent else object()  # noqa: E731
    monkeypatch.setattr(tensorrt_rtx.importlib.util, "find_spec", known)
    card = graphics_card.GraphicsCard("RTX 4090", "8.9", "580.1")
    monkeypatch.setattr(tensorrt_rtx, "find_card", no_card if absent == "card" else lambda: card)
    reason = tensorrt_rtx.obstacle()
    assert reason
    assert "\n" not in reason
    assert ("driver" if absent == "card" else 'pip install -e ".[rtx]"') in reason
    monkeypatch.setattr(tensorrt_rtx.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(tensorrt_rtx, "find_card", lambda: card)
    assert tensorrt_rtx.obstacle() is None


def test_named_without_a_card_it_is_refused_in_one_sentence(tmp_path: Path, model: Path) -> None:
    if tensorrt_rtx.obstacle() is None:
        pytest.skip("this machine has a card")
    with pytest.raises(BackendError, match="tensorrt-rtx") as caught:
        open_backend(write_plan(tmp_path / "probe.plan", model), "tensorrt-rtx")
    assert "\n" not in str(caught.value)


def test_the_real_library_without_a_driver_ends_in_one_sentence(tmp_path: Path, model: Path) -> None:
    library = pytest.importorskip(LIBRARY, reason='TensorRT for RTX is missing (pip install -e ".[rtx]")')
    if graphics_card.find_card():
        pytest.skip("this machine has a card")
    plan = read_plan(write_plan(tmp_path / "probe.plan", model))
    with pytest.raises(BackendError, match="CUDA error 35") as caught:
        tensorrt_rtx.deserialise(library, plan, tmp_path / "probe.plan")
    assert "driver" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_real_bindings_without_a_driver_end_in_one_sentence() -> None:
    bindings = pytest.importorskip("cuda.bindings.runtime", reason='cuda-bindings is missing (pip install -e ".[rtx]")')
    if graphics_card.find_card():
        pytest.skip("this machine has a card")
    with pytest.raises(BackendError, match="cudaStreamCreateWithFlags"):
        CudaDevice()
    device = CudaDevice(stream=bindings.cudaStream_t(0))
    host = np.zeros(4, np.uint8)
    # Each call gets as far as the driver: names and kinds of the arguments are right.
    calls: list[Callable[[], Any]] = [
        lambda: device.allocate(4),
        lambda: device.staging(4),
        lambda: device.upload(0, host),
        lambda: device.download(host, 0),
    ]
    for call in calls:
        with pytest.raises(BackendError, match="error 35"):
            call()


def test_an_engine_at_odds_with_its_card_is_refused(tmp_path: Path, model: Path) -> None:
    plan = read_plan(write_plan(tmp_path / "probe.plan", model))
    tensors = [("in", info) for info in CARD.input_tensors()] + [("out", info) for info in CARD.output_tensors()[:-1]]
    engine = SimpleNamespace(
        num_io_tensors=len(tensors),
        get_tensor_name=lambda index: tensors[index][1].name,
        get_tensor_dtype=lambda name: np.dtype(dict((i.name, i.dtype) for _, i in tensors)[name]),
        get_tensor_mode=lambda name: dict((i.name, side) for side, i in tensors)[name],
        get_tensor_shape=lambda name: dict((i.name, i.shape) for _, i in tensors)[name],
    )
    library = SimpleNamespace(
        ILogger=SimpleNamespace,
        Runtime=lambda logger: SimpleNamespace(deserialize_cuda_engine=lambda content: engine),
        TensorIOMode=SimpleNamespace(INPUT="in"),
        nptype=lambda dtype: dtype.type,
    )
    with pytest.raises(ModelFileError, match="memory_next"):
        tensorrt_rtx.deserialise(library, plan, tmp_path / "probe.plan")
    tensors.append(("out", CARD.output_tensors()[-1]))
    engine.num_io_tensors += 1
    assert tensorrt_rtx.deserialise(library, plan, tmp_path / "probe.plan") is engine
