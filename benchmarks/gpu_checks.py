"""Does a backend play what the processor plays, over carried steps, and does it go on while another model is opened?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.gpu_child import Emit, Row
from engine.audio.sources.demo import demo_sound
from engine.core.clock import WallClock
from engine.core.errors import BackendError
from engine.model.backend import Backend
from engine.model.backends.selection import open_backend
from engine.model.card import ModelCard
from engine.model.noise import draw_noise
from engine.model.step import State, StepInputs, resting_inputs
from engine.model.switcher import ModelSwitcher
from engine.render.statistics import Durations

# T audio samples; N steps, H W C frame rows, columns, channels

STEPS = 64
SEED = 0
THREADS = 2
SWAPS = 4


class Shown:
    """The sound of a check: the demonstration sound, hop by hop."""

    def __init__(self, card: ModelCard) -> None:
        self._card = card
        self._sound_T = demo_sound().mean(axis=1).astype(np.float32)
        self._resting = resting_inputs(card)

    def window(self, index: int) -> NDArray[np.float32]:
        begin = index * self._card.hop_samples % (len(self._sound_T) - self._card.window_samples)
        return self._sound_T[begin : begin + self._card.window_samples]

    def inputs(self, index: int, state: State) -> StepInputs:
        values = {"audio": self.window(index), **draw_noise(self._card.noises, SEED, index)}
        return self._resting.with_values(values, state)


def play(backend: Backend, steps: int = STEPS) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.float32]]]:
    """Take carried steps; return all frames [N, H, W, C] and the last state."""
    shown, state, frames = Shown(backend.card), backend.initial_state(), list[NDArray[np.uint8]]()
    for index in range(steps):
        step = backend.step(shown.inputs(index, state))
        frames.append(step.pixels_HWC.copy())
        state = step.next_state
    return np.stack(frames), {name: np.array(values) for name, values in state.items()}


def reference(emit: Emit, file: str, backend: str, target: str) -> None:
    """Play a file on the processor and keep its frames and its last state in `target`, for `check`."""
    opened = open_backend(file, backend, THREADS)
    frames_NHWC, state = play(opened)
    np.savez(target, frames=frames_NHWC, **{f"state:{name}": values for name, values in state.items()})
    emit({"file": Path(file).name, "backend": opened.description, "steps": len(frames_NHWC)})


def check(emit: Emit, file: str, backend: str, against: str) -> None:
    """Play a file with a backend and emit how far it is from what `reference` has kept."""
    clock = WallClock()
    began_s = clock.now_s()
    opened = open_backend(file, backend, THREADS)
    opening_s = clock.now_s() - began_s
    frames_NHWC, state = play(opened)
    with np.load(against) as kept:
        emit(
            {
                "file": Path(file).name,
                "backend": backend,
                "description": opened.description,
                "opening_s": round(opening_s, 2),
                **compared(frames_NHWC, kept["frames"]),
                "state_error": max(
                    (error(values, kept[f"state:{name}"]) for name, values in state.items()), default=0.0
                ),
            }
        )


def compared(ours_NHWC: NDArray[np.uint8], theirs_NHWC: NDArray[np.uint8]) -> Row:
    """Return the largest difference of any frame in levels of 255, and the PSNR of the worst and of the last frame in dB."""
    difference = ours_NHWC.astype(np.float64) - theirs_NHWC
    squares_N = np.square(difference).mean(axis=(1, 2, 3))
    # 100 dB stands for equal frames, as in export.verification.
    psnr_N = 10.0 * np.log10(255.0**2 / np.maximum(squares_N, 255.0**2 * 1e-10))
    return {
        "steps": len(ours_NHWC),
        "levels": int(np.abs(difference).max()),
        "worst_db": round(float(psnr_N.min()), 1),
        "last_db": round(float(psnr_N[-1]), 1),
    }


def error(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Return the largest difference, as a part of the largest value of `theirs` or of 1."""
    if not np.isfinite(ours).all():
        return float("inf")
    return float(np.abs(ours - theirs).max() / max(1.0, float(np.abs(theirs).max())))


def swap(emit: Emit, first: str, second: str, backend: str, seconds: float) -> None:
    """Play at the model's own rate and change the model SWAPS times meanwhile; emit what became of the steps."""
    clock, lines = WallClock(), list[str]()
    opened = open_backend(first, backend, THREADS)
    card, shown = opened.card, Shown(opened.card)
    switcher = ModelSwitcher(
        opened,
        lambda path, is_stopped: open_backend(path, backend, THREADS),
        on_model=lambda taken: None,
        clock=clock,
        window_samples=card.window_samples,
        path=first,
        notify=lines.append,
    )
    alone, meanwhile, failed, taken = Durations(), Durations(), 0, list[str]()
    hops = max(int(seconds / card.hop_s), 4 * SWAPS)
    begin_s = clock.now_s()
    for index in range(hops):
        clock.sleep(max(0.0, begin_s + index * card.hop_s - clock.now_s()))
        if index % (hops // SWAPS) == hops // SWAPS // 2:
            path = second if len(taken) % 2 == 0 else first
            switcher.swap_to(path, when_taken=lambda path=path: taken.append(path))
        durations = meanwhile if switcher.is_loading or switcher.is_crossfading else alone
        began_s = clock.now_s()
        try:
            switcher.step(shown.window(index), {}, index)
        except BackendError as fault:
            failed += 1
            lines.append(str(fault))
        durations.add(clock.now_s() - began_s)
    emit(
        {
            "backend": backend,
            "files": f"{Path(first).name} and {Path(second).name}",
            "hop_ms": round(1e3 * card.hop_s, 1),
            "steps": hops,
            "swaps": len(taken),
            "failed_steps": failed,
            "alone": alone.summary(),
            "while_swapping": meanwhile.summary(),
            "told": lines[:3],
        }
    )
