"""The cost of several sessions stepped in one batch, against one after the other.

    python -m benchmarks.batching MODEL.onnx MODEL-4.onnx ...

MODEL.onnx is the file without a batch; the others were exported from the same checkpoint with --batch. "In turn" steps the file
without a batch once for each slot. "Together" takes one step for all slots (engine/model/batching.py). Both carry the state of
every slot over the demonstration sound and alternate. Milliseconds are processor time of one thread for a hop of all slots.
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
from engine.model.backend import Backend
from engine.model.backends.selection import backend_names, open_backend
from engine.model.batching import BatchSlot, StepBatcher
from engine.model.noise import draw_noise
from engine.model.step import State, Step, StepInputs, resting_inputs

WARM_UP_STEPS = 3
SLOTS_APART_HOPS = 40


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure steps in a batch against steps one after the other.")
    parser.add_argument("single", type=Path, help="model file without a batch")
    parser.add_argument("batched", type=Path, nargs="+", help="model files with a batch, of the same checkpoint")
    parser.add_argument("--backend", default="onnx-cpu", choices=backend_names())
    parser.add_argument("--steps", type=int, default=30, help="hops of each measurement (default 30)")
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    for path in arguments.batched:
        single, batched = (open_backend(file, arguments.backend, threads=1) for file in (arguments.single, path))
        results.append(measure(single, batched, arguments.steps))
        append_record("batching", results[-1], backend=batched.name, model=batched.card.name)
    print_table([name.replace("_", " ") for name in results[0]], [list(figures.values()) for figures in results])
    return 0


def measure(single: Backend, batched: Backend, steps: int) -> dict[str, Any]:
    """Play `steps` hops in all slots of `batched`, both ways, and return processor times."""
    if single.card.batch != 1 or single.card.states != batched.card.states:
        raise ModelFileError(
            f"'{single.card.name}' with a batch of {single.card.batch} and '{batched.card.name}' do not belong together; "
            "give the file without a batch first, and files of the same checkpoint after it."
        )
    batcher = StepBatcher(batched)
    slots = [batcher.join() for _ in range(batcher.capacity)]
    sound_T = np.tile(demo_sound().mean(axis=1), 8).astype(np.float32)
    alone: dict[BatchSlot, State] = {slot: slot.initial_state() for slot in slots}
    together = dict(alone)
    in_turn_s: list[float] = []
    together_s: list[float] = []
    differing = 0
    for hop in range(WARM_UP_STEPS + steps):
        inputs = {slot: inputs_of(slot, sound_T, hop) for slot in slots}
        in_turn = {slot: inputs[slot].with_states(alone[slot]) for slot in slots}
        at_once = {slot: inputs[slot].with_states(together[slot]) for slot in slots}
        began_s = time.process_time()
        singles = {slot: single.step(one) for slot, one in in_turn.items()}
        between_s = time.process_time()
        came = batcher.step(at_once)
        together_s.append(time.process_time() - between_s)
        in_turn_s.append(between_s - began_s)
        alone = {slot: step.next_state for slot, step in singles.items()}
        together = {slot: step.next_state for slot, step in came.items()}
        differing += sum(not same(singles[slot], came[slot]) for slot in slots)
    measured = slice(WARM_UP_STEPS, None)
    in_turn_ms, together_ms = ([1000.0 * s for s in times[measured]] for times in (in_turn_s, together_s))
    return {
        "batch": batcher.capacity,
        "in_turn_min_ms": min(in_turn_ms),
        "in_turn_p50_ms": statistics.median(in_turn_ms),
        "together_min_ms": min(together_ms),
        "together_p50_ms": statistics.median(together_ms),
        "together_over_in_turn": min(together_ms) / min(in_turn_ms),
        "differing_frames": differing,
    }


def inputs_of(slot: BatchSlot, sound_T: NDArray[np.float32], hop: int) -> StepInputs:
    """Return the inputs of a slot at a hop: its own part of the sound and its own noise."""
    card = slot.card
    begin = (hop + SLOTS_APART_HOPS * slot.index) * card.hop_samples % (len(sound_T) - card.window_samples)
    values = {"audio": sound_T[begin : begin + card.window_samples], **draw_noise(card.noises, slot.index, hop)}
    return resting_inputs(card).with_values(values, slot.initial_state())


def same(one: Step, other: Step) -> bool:
    """Return whether two steps are bit-exact in frame and states."""
    return np.array_equal(one.pixels_HWC, other.pixels_HWC) and all(
        np.array_equal(value, other.next_state[name]) for name, value in one.next_state.items()
    )


if __name__ == "__main__":
    run_main(main)
