"""One contract for every backend: those that cannot run here are skipped and say what they lack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from engine.model.backend import Backend
from engine.model.backends import onnx_cpu, onnx_session, openvino
from engine.model.backends.onnx_device import HOST, OnnxDeviceBackend
from engine.model.backends.selection import MODULES, ONNX, obstacle, open_backend, suffixes
from engine.model.file import read_card, read_checked_card, sealed
from engine.model.noise import draw_noise
from engine.model.shipped import model_path
from engine.model.step import resting_inputs
from tests.conftest import require
from tests.engine.model.backends import backend_contract as contract
from tests.engine.model.probe_model import CARD, write_probe, write_quantised_probe

BOUND = "onnx-device on the processor"
"""The ping-pong buffers of the backends for graphics cards, which can be tested without one."""
NEED_NO_HARDWARE = ("onnx-cpu", "openvino")
MOST_MEAN_LEVELS = 4.0
WATER = model_path("water")
LARGE = replace(CARD, height=96, width=128, noises=(replace(CARD.noises[0], shape=(128,)),))
WARM_UP_STEPS, LOOPED_STEPS, MOST_GROWTH_BYTES = 200, 2000, 24_000_000


def open_bound(path: Path) -> OnnxDeviceBackend:
    card, runtime = read_checked_card(path), onnx_session.load_runtime(BOUND, "live")
    options = onnx_session.session_options(runtime, 1)
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    opened = OnnxDeviceBackend(session, card, BOUND, BOUND, HOST, graphs=True)
    opened.warm_up()
    return opened


@pytest.fixture(params=[*MODULES, BOUND])
def opener(request: pytest.FixtureRequest) -> Callable[[Path], Backend]:
    if request.param == BOUND:
        return open_bound
    reason = obstacle(request.param)
    if reason and request.param in NEED_NO_HARDWARE:
        require(False, reason)
    if reason:
        pytest.skip(reason)
    if ONNX not in suffixes(request.param):
        pytest.skip(f"{request.param} plays {', '.join(suffixes(request.param))} files, which its own tests make")
    return lambda path: open_backend(path, request.param, threads=1)


@pytest.fixture
def backend(opener: Callable[[Path], Backend], probe_file: Path) -> Backend:
    return opener(probe_file)


@contract.promises
def test_keeps(check: Callable[[Backend], None], backend: Backend) -> None:
    check(backend)


@pytest.mark.parametrize("eight_bits", [False, True], ids=["float32", "int8"])
def test_plays_what_onnx_cpu_plays(
    eight_bits: bool, opener: Callable[[Path], Backend], probe_file: Path, tmp_path: Path
) -> None:
    path = write_quantised_probe(tmp_path / "8.onnx") if eight_bits else probe_file
    contract.check_close(opener(path), onnx_cpu.open_model(path, threads=1))


def test_plays_the_shipped_model_as_onnx_cpu_does(opener: Callable[[Path], Backend]) -> None:
    backend = opener(Path(WATER))
    if backend.name == onnx_cpu.NAME:
        pytest.skip("onnx-cpu is what the others are compared with")
    contract.check_close(backend, onnx_cpu.open_model(WATER, threads=1))


def test_openvino_computes_features_in_float32_and_frames_in_bfloat16(tmp_path: Path) -> None:
    require(openvino.obstacle() is None, str(openvino.obstacle()))
    shipped, path = Path(WATER), tmp_path / "bfloat16.onnx"
    path.write_bytes(sealed(shipped.read_bytes(), replace(read_card(shipped), precision="bfloat16")))
    backend = openvino.open_model(path, threads=1)
    contract.check_what_was_given_and_what_came_stay(backend, 4)
    contract.check_cut_anywhere_equals_whole(backend, 3)
    sounds = contract.windows(backend.card, 8)
    pairs = zip(contract.play(backend, sounds)[0], contract.play(onnx_cpu.open_model(path, 1), sounds)[0], strict=True)
    for ours, theirs in pairs:
        assert np.abs(ours.features_F - theirs.features_F).max() <= contract.FEATURE_ERROR
        assert np.abs(ours.pixels_HWC.astype(int) - theirs.pixels_HWC).mean() <= MOST_MEAN_LEVELS


def test_ping_pong_buffers_are_bit_exact_with_plain_runs(probe_file: Path) -> None:
    sounds = contract.windows(CARD, 64)
    bound, plain = open_bound(probe_file), onnx_cpu.open_model(probe_file, threads=1)
    for ours, theirs in zip(contract.play(bound, sounds)[0], contract.play(plain, sounds)[0], strict=True):
        contract.assert_equal(ours, theirs)


def test_memory_does_not_grow(opener: Callable[[Path], Backend], tmp_path: Path) -> None:
    backend = opener(write_probe(tmp_path / "large.onnx", LARGE))
    process, window = psutil.Process(), contract.windows(LARGE, 1)[0]
    inputs, before = resting_inputs(LARGE), 0
    for index in range(WARM_UP_STEPS + LOOPED_STEPS):
        if index == WARM_UP_STEPS:
            before = process.memory_info().rss
        values = {"audio": window, **draw_noise(LARGE.noises, 0, index)}
        inputs = inputs.with_values(values, backend.step(inputs).next_state)
    # A frame lost in each step would be 74 MB.
    assert process.memory_info().rss - before < MOST_GROWTH_BYTES


def test_a_state_that_decays_does_not_reach_denormal_numbers(backend: Backend) -> None:
    contract.check_decay_ends_at_zero(backend)


@pytest.mark.parametrize("wrong", ["audio", "state", "control"])
def test_a_failing_step_is_a_backend_error_and_the_next_one_plays(wrong: str, backend: Backend) -> None:
    contract.check_a_failing_step_leaves_the_next_one_whole(wrong, backend)
