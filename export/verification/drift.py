"""Drift: the difference between a graph and float32 torch over a whole show. Each side carries its own states.

A recurrence can accumulate the rounding of each step; the curve over many steps shows whether it does.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from engine.model.card import MOST_PSNR_DB, Drift
from engine.model.step import Step
from export.verification.graph import StepGraph
from export.verification.parity import parts_by_rounding
from export.verification.players import Player, SoundInputs
from export.verification.sound import RealSound

matplotlib.use("agg")
import matplotlib.pyplot as plt

# Annotated because matplotlib's own annotation is incomplete.
_plt: Any = plt

# N values

STEPS = (1, 64, 1000)
"""The steps that a card records. A step is one frame, so 1,000 steps are 50 s at 20 frames per second."""
_STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
}


def measure_drift(
    graph: StepGraph, reference: Player, candidate: Player, sound: RealSound, steps: Sequence[int] = STEPS
) -> tuple[Drift, ...]:
    """Play both from the start to the last of `steps` (counted from 1) and compare them at each.

    `reference` is float32 torch (TorchPlayer), or the float32 graph where that was shown to be equal.
    """
    found: list[Drift] = []

    def compare(step: int, expected: Step, came: Step) -> None:
        if step in steps:
            found.append(difference(step, expected, came))

    play_both(graph, reference, candidate, sound, max(steps), compare)
    return tuple(found)


def play_both(
    graph: StepGraph,
    reference: Player,
    candidate: Player,
    sound: RealSound,
    steps: int,
    compare: Callable[[int, Step, Step], None],
) -> None:
    """Give both the same windows and noise, each its own states, and call `compare(step, expected, came)` after each step.

    Where torch itself parts by rounding (`parts_by_rounding`), each step of the candidate begins with the reference's states.
    """
    sound_inputs, carried = SoundInputs(graph, sound), not parts_by_rounding(graph)
    ours = theirs = sound_inputs.at(0).states
    for k in range(steps):
        inputs = sound_inputs.at(k)
        expected, came = reference.step(inputs.with_states(ours)), candidate.step(inputs.with_states(theirs))
        compare(k + 1, expected, came)
        ours = expected.next_state
        theirs = came.next_state if carried else ours


def difference(step: int, expected: Step, came: Step) -> Drift:
    """Compare one step of both sides."""
    levels = np.abs(expected.pixels_HWC.astype(np.int16) - came.pixels_HWC)
    states = [farthest(value, came.next_state[name]) for name, value in expected.next_state.items()]
    return Drift(
        step=step,
        psnr_db=psnr_db(expected.pixels_HWC, came.pixels_HWC),
        frame_max=float(levels.max()),
        state_max=float(np.max(states, initial=0.0)),
    )


def psnr_db(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the peak signal-to-noise ratio of two frames in 8 bits, at most MOST_PSNR_DB."""
    error = float(np.square(one.astype(np.float64) - other).mean())
    return MOST_PSNR_DB if error == 0.0 else min(MOST_PSNR_DB, 10.0 * float(np.log10(255.0**2 / error)))


def farthest(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the largest difference; infinite where a value is not finite."""
    apart = np.abs(one - other)
    return float(apart.max(initial=0.0)) if np.isfinite(apart).all() else float("inf")


def spread_steps(last: int, a_decade: int = 8) -> tuple[int, ...]:
    """Return steps from 1 to `last`, as many to each power of ten."""
    count = max(2, round(np.log10(max(last, 1)) * a_decade) + 1)
    return tuple(sorted({round(step) for step in np.geomspace(1, max(last, 1), count)}))


def draw_drift(curves: Mapping[str, Sequence[Drift]], title: str) -> bytes:
    """Draw the curves by name over the steps, as a PNG: the PSNR of the frames and the largest difference of the states."""
    with _plt.rc_context(_STYLE):
        figure, (upper, lower) = _plt.subplots(2, 1, figsize=(7.5, 6.5), sharex=True)
        for name, curve in curves.items():
            steps = [drift.step for drift in curve]
            upper.plot(steps, [drift.psnr_db for drift in curve], marker=".", label=name)
            lower.plot(steps, [max(drift.state_max, 1e-9) for drift in curve], marker=".", label=name)
        upper.set(title=title, ylabel=f"PSNR of the frames, dB ({MOST_PSNR_DB:g}: equal)", ylim=(0, MOST_PSNR_DB + 5))
        lower.set(ylabel="largest difference of the states", xlabel="step", xscale="log", yscale="log")
        upper.legend(frameon=False)
        figure.tight_layout()
        png = io.BytesIO()
        figure.savefig(png, format="png", dpi=110)
        _plt.close(figure)
    return png.getvalue()


def drift_record(drifts: Sequence[Drift]) -> list[dict[str, Any]]:
    """Return the drift at each step as plain values for JSON."""
    return [dataclasses.asdict(drift) for drift in drifts]
