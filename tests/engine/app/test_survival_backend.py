"""A backend that runs out of memory in the middle of a show: the next candidate of the selection goes on where it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.audio.sources.paced import PacedSource
from engine.audio.sources.samples import SampleSource
from engine.core.errors import BackendError, ModelFileError
from engine.model.backend import Backend, WrappedBackend
from engine.model.backends import selection
from engine.model.backends.fallback import FallbackBackend, is_lost, on_host
from engine.model.backends.onnx_cpu import open_model
from engine.model.backends.selection import open_backend, open_with_fallback
from engine.model.session import Session
from engine.model.step import Step, StepInputs, resting_inputs
from engine.render.statistics import ShowStatistics
from tests.engine.app.shows import CollectingSink, InventedClock, show_sound, varied_sound
from tests.engine.model.probe_model import CARD

OUT_OF_MEMORY = "onnx-cuda: the step failed (Failed to allocate memory for requested buffer of size 67108864)."


class LostState(Mapping[str, NDArray[np.float32]]):
    """A state on a device that is gone."""

    on_device = True

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        raise BackendError("the device is gone")

    def __iter__(self) -> Iterator[str]:
        return iter(["memory"])

    def __len__(self) -> int:
        return 1


class LosingBackend(WrappedBackend):
    """A real backend that has lost its device from the step `lost_at` on."""

    def __init__(self, inner: Backend, lost_at: int, failure: Exception) -> None:
        super().__init__(inner)
        self.lost_at, self.failure = lost_at, failure
        self.steps = 0

    def step(self, inputs: StepInputs) -> Step:
        self.steps += 1
        if self.steps > self.lost_at:
            raise self.failure
        return super().step(inputs)


def losing(probe_file: Path, lost_at: int, failure: Exception | None = None) -> LosingBackend:
    return LosingBackend(open_model(probe_file, threads=1), lost_at, failure or BackendError(OUT_OF_MEMORY))


def played(backend: Backend, notify: list[str], stats: ShowStatistics | None = None) -> list[NDArray[np.uint8]]:
    clock = InventedClock()
    source = PacedSource(SampleSource("song", varied_sound(2.0, 48000), 48000), clock)
    frames = show_sound(
        backend, source, clock=clock, sinks=[CollectingSink()], stats=stats, seconds=1.5, notify=notify.append
    )
    return [frame.pixels_HWC for frame in frames]


def test_out_of_memory_is_the_next_candidate_and_the_frame_goes_on_as_if_nothing_had_been(probe_file: Path) -> None:
    lines: list[str] = []
    opened: list[Backend] = []

    def others() -> Iterator[Backend]:
        opened.append(open_model(probe_file, threads=1))
        yield opened[-1]

    stats = ShowStatistics()
    enduring = FallbackBackend(losing(probe_file, 10), others(), lines.append)
    assert opened == []
    images = played(enduring, lines, stats)
    undisturbed = played(open_model(probe_file, threads=1), [])
    assert len(images) == 30
    assert all(np.array_equal(image, other) for image, other in zip(images, undisturbed, strict=True))
    assert lines == [f"{OUT_OF_MEMORY} The show goes on with onnx-cpu, 1 thread."]
    assert stats.failed_steps == 0
    assert enduring.inner is opened[0]
    assert (enduring.name, enduring.description, enduring.card) == ("onnx-cpu", "onnx-cpu, 1 thread", CARD)


def test_several_candidates_may_be_lost_one_after_the_other(probe_file: Path) -> None:
    lines: list[str] = []
    others = iter([losing(probe_file, 0), losing(probe_file, 3), open_model(probe_file, threads=1)])
    images = played(FallbackBackend(losing(probe_file, 5, MemoryError()), others, lines.append), lines)
    undisturbed = played(open_model(probe_file, threads=1), [])
    assert all(np.array_equal(image, other) for image, other in zip(images, undisturbed, strict=True))
    assert len(lines) == 3


def test_when_none_is_left_the_last_frame_is_held(probe_file: Path) -> None:
    lines: list[str] = []
    stats = ShowStatistics()
    images = played(FallbackBackend(losing(probe_file, 10, MemoryError()), iter([]), lines.append), lines, stats)
    assert len(images) == 30
    assert all(np.array_equal(image, images[9]) for image in images[10:])
    assert stats.failed_steps == 20
    assert "out of memory" in lines[0]
    assert "held" in lines[0]


def test_other_failures_are_no_reason_to_leave(probe_file: Path) -> None:
    backend = losing(
        probe_file, 0, BackendError("onnx-cuda: the step failed (audio has shape [3], [1360] was expected).")
    )
    enduring = FallbackBackend(backend, iter([open_model(probe_file, threads=1)]), print)
    with pytest.raises(BackendError, match="shape"):
        Session(enduring).step(np.zeros(CARD.window_samples, np.float32), {}, 0)
    assert enduring.inner is backend


def test_a_state_that_went_with_its_device_begins_again(probe_file: Path) -> None:
    lines: list[str] = []
    real = open_model(probe_file, threads=1)
    enduring = FallbackBackend(losing(probe_file, 0), iter([real]), lines.append)
    sound = {"audio": np.full(CARD.window_samples, 0.1, np.float32)}
    step = enduring.step(resting_inputs(CARD).with_values(sound, LostState()))
    expected = real.step(resting_inputs(CARD).with_values(sound, real.initial_state()))
    assert np.array_equal(step.pixels_HWC, expected.pixels_HWC)
    assert lines == [f"{OUT_OF_MEMORY} The show goes on with onnx-cpu, 1 thread, from its initial state."]
    assert on_host({"memory": np.array([np.nan], np.float32)}, CARD) is None


@pytest.mark.parametrize(
    ("words", "lost"),
    [
        ("onnx-cuda: the step failed (CUDA failure 2: out of memory ; GPU=0).", True),
        ("torch: the step failed (CUDA out of memory. Tried to allocate 2.00 GiB).", True),
        ("tensorrt-rtx: CUDA failed in cudaMemcpyAsync (cudaErrorIllegalAddress, error 700).", True),
        ("tensorrt-rtx: CUDA failed in cudaStreamSynchronize (cudaErrorLaunchFailure, error 719).", True),
        ("tensorrt-rtx: CUDA failed in cudaMalloc (cudaErrorMemoryAllocation, error 2).", True),
        ("tensorrt-rtx: CUDA failed in cudaMemcpyAsync (cudaErrorDevicesUnavailable, error 46).", True),
        ("tensorrt-rtx: CUDA failed in cudaMemcpyAsync (cudaErrorNoDevice, error 100).", True),
        ("onnx-cpu: the step failed (std::bad_alloc).", True),
        ("openvino: the step failed (Exception from src/inference: bad allocation).", True),
        ("onnx-cpu: the step failed (Invalid rank for input: audio).", False),
        ("water: state 'memory' is no longer finite; it starts again from silence.", False),
    ],
)
def test_what_runtimes_say_when_memory_or_device_are_gone_is_understood(words: str, lost: bool) -> None:
    assert is_lost(BackendError(words)) is lost


def test_auto_goes_on_selecting_and_a_demand_does_not(probe_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The selection as it is on a machine with two real backends, the first of which loses its memory."""
    pytest.importorskip("openvino")
    monkeypatch.setattr(selection, "MODULES", {"openvino": "openvino", "onnx-cpu": "onnx_cpu"})
    choices: list[str] = []
    changes: list[str] = []
    enduring = open_with_fallback(probe_file, selection.AUTO, 1, choices.append, changes.append)
    assert isinstance(enduring, FallbackBackend)
    assert enduring.name == "openvino"
    session = Session(enduring)
    window = varied_sound(1.0, 16000, 1)[: CARD.window_samples, 0]
    session.step(window, {}, 0)
    monkeypatch.setattr(enduring.inner, "step", fail)
    frame = session.step(window, {}, 1)
    assert (enduring.name, len(choices), len(changes)) == ("onnx-cpu", 1, 1)
    alone = Session(open_backend(probe_file, "onnx-cpu", 1))
    alone.step(window, {}, 0)
    assert np.abs(frame.pixels_HWC.astype(int) - alone.step(window, {}, 1).pixels_HWC).max() <= 1
    assert not isinstance(open_with_fallback(probe_file, "onnx-cpu", 1, print, print), FallbackBackend)


def fail(*arguments: object) -> Step:
    raise BackendError(OUT_OF_MEMORY)


@pytest.mark.parametrize("error", [ModelFileError("probe.onnx is damaged"), MemoryError()], ids=["file", "memory"])
def test_a_candidate_that_cannot_open_any_more_is_passed_over(
    probe_file: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """With the device gone, its other backends take a good file for a damaged one, or find no memory either."""
    from engine.model.backends import openvino

    def refuse(*arguments: object) -> Backend:
        raise error

    order = {"onnx-cpu": "onnx_cpu", "openvino": "openvino", "torch": "torch_program"}
    monkeypatch.setattr(selection, "MODULES", order)
    monkeypatch.setattr(openvino, "open_model", refuse)
    monkeypatch.setattr(openvino, "obstacle", lambda: None)
    enduring = open_with_fallback(probe_file, selection.AUTO, 1, print, print)
    monkeypatch.setattr(enduring.inner, "step", fail)  # type: ignore[attr-defined]
    with pytest.raises(BackendError, match="Failed to allocate"):
        Session(enduring).step(np.zeros(CARD.window_samples, np.float32), {}, 0)
