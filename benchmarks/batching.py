"""What several rooms cost together against one after the other.

    python -m benchmarks.batching MODEL.onnx MODEL-4.onnx ...

MODEL.onnx is the file of one room, the others were exported from the same checkpoint with --rooms. In turn: every room takes a step with
the file of one room. Together: engine/model/batching.py takes one step for all. Both carry the states of every room over the demonstration
sound; turns alternate, and milliseconds are processor time of one thread for a hop of all rooms.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.record import append_record, print_table
from engine.audio.sources.demo import demo_sound
from engine.core.errors import ModelFileError, run_main
from engine.model.backends.backend import Backend
from engine.model.backends.selection import backend_names, open_backend
from engine.model.batching import BatchSlot, SlotRequest, StepBatcher
from engine.model.noise import draw_noise
from engine.model.step import Arrays, Step

WARM_UP_STEPS = 3
ROOMS_APART_HOPS = 40


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure several rooms together against one after the other.")
    parser.add_argument("single", type=Path, help="model file of one room")
    parser.add_argument("several", type=Path, nargs="+", help="model files of several rooms, of the same checkpoint")
    parser.add_argument("--backend", default="onnx-cpu", choices=backend_names())
    parser.add_argument("--steps", type=int, default=30, help="hops of each measurement (default 30)")
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    for path in arguments.several:
        single, several = (open_backend(file, arguments.backend, threads=1) for file in (arguments.single, path))
        results.append(measure(single, several, arguments.steps))
        append_record("rooms", results[-1], backend=several.name, model=several.card.name)
    print_table([name.replace("_", " ") for name in results[0]], [list(figures.values()) for figures in results])
    return 0


def measure(single: Backend, several: Backend, steps: int) -> dict[str, Any]:
    """Play `steps` hops in as many rooms as `several` has, both ways, and return processor times."""
    if single.card.rooms != 1 or single.card.states != several.card.states:
        raise ModelFileError(
            f"'{single.card.name}' of {single.card.rooms} rooms and '{several.card.name}' do not belong together; "
            "give the file of one room first, and files of the same checkpoint after it."
        )
    rooms = StepBatcher(several)
    places = [rooms.join() for _ in range(rooms.capacity)]
    sound_T = np.tile(demo_sound().mean(axis=1), 8).astype(np.float32)
    alone: dict[BatchSlot, Arrays] = {room: room.initial_state() for room in places}
    together = dict(alone)
    in_turn_s: list[float] = []
    together_s: list[float] = []
    differing = 0
    for hop in range(WARM_UP_STEPS + steps):
        asked = {room: ask(several, sound_T, room.place, hop) for room in places}
        in_turn = {room: asked[room]._replace(state=alone[room]) for room in places}
        at_once = {room: asked[room]._replace(state=together[room]) for room in places}
        began_s = time.process_time()
        singles = {room: single.step(*one) for room, one in in_turn.items()}
        between_s = time.process_time()
        came = rooms.step(at_once)
        together_s.append(time.process_time() - between_s)
        in_turn_s.append(between_s - began_s)
        alone = {room: step.next_state for room, step in singles.items()}
        together = {room: step.next_state for room, step in came.items()}
        differing += sum(not same(singles[room], came[room]) for room in places)
    kept = slice(WARM_UP_STEPS, None)
    in_turn_ms, together_ms = ([1000.0 * s for s in times[kept]] for times in (in_turn_s, together_s))
    return {
        "rooms": rooms.capacity,
        "in_turn_min_ms": min(in_turn_ms),
        "in_turn_p50_ms": statistics.median(in_turn_ms),
        "together_min_ms": min(together_ms),
        "together_p50_ms": statistics.median(together_ms),
        "together_over_in_turn": min(together_ms) / min(in_turn_ms),
        "differing_pictures": differing,
    }


def ask(backend: Backend, sound_T: NDArray[np.float32], place: int, hop: int) -> SlotRequest:
    """Return what a room wants played at a hop, without its state: its own stretch of the sound and its own noise."""
    card = backend.card
    begin = (hop + ROOMS_APART_HOPS * place) * card.hop_samples % (len(sound_T) - card.window_samples)
    controls = {spec.name: spec.default for spec in card.controls}
    noise = draw_noise(card.noises, place, hop)
    return SlotRequest(sound_T[begin : begin + card.window_samples], controls, noise, {})


def same(one: Step, other: Step) -> bool:
    """Whether two steps gave the same picture and the same states, to the bit."""
    return np.array_equal(one.pixels_HWC, other.pixels_HWC) and all(
        np.array_equal(value, other.next_state[name]) for name, value in one.next_state.items()
    )


if __name__ == "__main__":
    run_main(main)
