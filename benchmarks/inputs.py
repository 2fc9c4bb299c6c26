"""What named inputs cost the step: an interface of eight channels at 48 kHz, with and without three names.

    python -m benchmarks.inputs MODEL.onnx --seconds 20 --rounds 5

Plays the same sound live with capture, step and display in threads of their own, in turns: as one sound of one stereo input, and
with three named inputs beside each other, whose features drive three parameters. A round is one pair of shows, in changing order;
the ratio of their median step times is compared. Beside it stands the processor time of the whole process.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import append_record, print_table
from engine.app.assembly import Modulators, assemble
from engine.audio.input_layout import InputLayout, SoundInput
from engine.audio.sources.paced import PacedSource
from engine.audio.sources.samples import SampleSource
from engine.control.parameter_store import ParameterStore
from engine.control.parameter_table import parameters_for
from engine.core.clock import WallClock
from engine.core.errors import run_main
from engine.core.notices import Notices
from engine.model.backend import Backend
from engine.model.backends.selection import AUTO, backend_names, open_backend
from engine.model.session import Session
from engine.output.frame import Frame, ShowFormat
from engine.output.sink import FrameRate
from engine.render.play import play
from engine.render.runtime import Runtime
from engine.render.statistics import ShowStatistics
from engine.render.steering import Steering

RATE_HZ, CHANNELS = 48000, 8
MOST_CHANGE = 0.03
ONE = InputLayout((SoundInput("drums", (0, 1)),), "drums")
THREE = InputLayout((SoundInput("drums", (0, 1)), SoundInput("voice", (4,)), SoundInput("room", (6, 7))), "drums")
MAPPINGS = {"glow": "drums.onset", "colour_turn": "0.3 * voice.low", "zoom": "1 + 0.1 * room.level"}
"""Of the show with three inputs; the other one reads the same features of its only input."""


class StepTimes:
    """Keeps the step times; it wants frames at the rate of `rate`."""

    name = "step times"
    with_effects = False
    standby = False
    lost_frames = 0

    def __init__(self, rate: FrameRate) -> None:
        self.rate: FrameRate = rate
        self.steps_s: list[float] = []

    def open(self, show: ShowFormat) -> None:
        """Nothing to prepare."""

    def wants(self, values: Mapping[str, float | int | bool]) -> bool:
        return True

    def show(self, frame: Frame) -> None:
        self.steps_s.append(frame.timings_s["step"])

    def close(self) -> None:
        """Nothing to release."""


def interface_sound(seconds: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return struck noise in each channel, at a tempo of its own [T, CHANNELS]."""
    time_T1 = np.arange(round(seconds * RATE_HZ))[:, None] / RATE_HZ
    noise_TC = np.random.default_rng(7).standard_normal((len(time_T1), CHANNELS))
    period_s = 0.3 + 0.05 * np.arange(CHANNELS)
    return (0.3 * noise_TC * np.exp(-12.0 * (time_T1 % period_s))).astype(np.float32)


def median_step_s(backend: Backend, layout: InputLayout, seconds: float) -> tuple[float, float]:
    """Play one show; return its median step time and the share of a core that the process took."""
    mappings = MAPPINGS if layout is THREE else {name: _of_drums(text) for name, text in MAPPINGS.items()}
    clock, at_hops = WallClock(), StepTimes("hop")
    source = PacedSource(SampleSource("interface", interface_sound(seconds + 1.0), RATE_HZ), clock)
    store = ParameterStore(parameters_for(backend.card))
    runtime = Runtime(clock=clock, statistics=ShowStatistics(), notices=Notices(print), live=True)
    modulators = Modulators(tuple(store.parameters.values()), mappings, print, layout.names)
    # One that wants the display's rate gives the capture a thread of its own.
    sinks = [at_hops, StepTimes("display")]
    show = assemble(source, Session(backend), sinks, Steering(store=store), modulators, runtime, layout=layout)
    begun_s, used_s = clock.now_s(), time.process_time()
    play(show, threading.Event(), seconds)
    share = (time.process_time() - used_s) / (clock.now_s() - begun_s)
    # Without the first second, in which everything warms up.
    steady = at_hops.steps_s[round(backend.card.fps) :]
    return statistics.median(steady), share


def _of_drums(text: str) -> str:
    return text.replace("voice.", "drums.").replace("room.", "drums.")


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what named inputs cost the step.")
    parser.add_argument("model", help="model file (.onnx)")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each show (default 20)")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of shows (default 5)")
    parser.add_argument("--backend", default=AUTO, choices=backend_names())
    arguments = parser.parse_args()
    backend = open_backend(arguments.model, arguments.backend)
    rows: list[list[object]] = []
    ratios, shares = list[float](), list[float]()
    for round_number in range(arguments.rounds):
        order = (ONE, THREE) if round_number % 2 == 0 else (THREE, ONE)
        measured = {len(layout.inputs): median_step_s(backend, layout, arguments.seconds) for layout in order}
        (one_s, one_share), (three_s, three_share) = measured[1], measured[3]
        ratios.append(three_s / one_s)
        shares.append(three_share - one_share)
        rows.append([round_number + 1, 1e3 * one_s, 1e3 * three_s, 100 * (ratios[-1] - 1), 100 * shares[-1]])
    print_table(["round", "one ms", "three ms", "change %", "more of a core %"], rows)
    change = statistics.median(ratios) - 1.0
    print(
        f"step time with three named inputs: {100 * change:+.1f} % ({'within' if change <= MOST_CHANGE else 'beyond'} {100 * MOST_CHANGE:.0f} %)"
    )
    figures = {
        "seconds": arguments.seconds,
        "rounds": rows,
        "change": round(change, 4),
        "more_of_a_core": round(statistics.median(shares), 4),
    }
    append_record("inputs", figures, backend=backend.description, model=Path(arguments.model).name)
    return 0


if __name__ == "__main__":
    run_main(main)
