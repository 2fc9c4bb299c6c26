"""Parity: the difference between an exported graph and torch after many carried steps, states included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.core.errors import ModelFileError
from engine.model.card import NEXT_SUFFIX, Parity
from export.verification.graph import FLOAT_FRAME_OUTPUT, StepGraph

# T audio samples

PARITY_STEPS = 64
PARITY_LIMIT = 1e-4
CONTROL_REACH = 0.25
"""How far the controls of a batch slot go from their defaults towards the end of their range."""
PROBE_SOUND = "rising tone, clicks, noise bursts and silence, made by formula"

# onnxruntime ships no types.
_runtime: Any = onnxruntime

Arrays = dict[str, NDArray[np.float32]]


def probe_sound(samples: int, rate_hz: int) -> NDArray[np.float32]:
    """Return a sound with what a show brings: a tone rising through the spectrum, clicks, noise bursts and silence."""
    time_s = np.arange(samples) / rate_hz
    rising = 0.5 * np.sin(2 * np.pi * (60.0 * time_s + 400.0 * time_s**2))
    noise = 0.3 * np.random.default_rng(0).standard_normal(samples) * (np.floor(time_s * 4) % 2)
    clicks = np.where(np.arange(samples) % (rate_hz // 3) < 8, 0.9, 0.0)
    silent = (time_s % 1.6) > 1.3
    return np.where(silent, 0.0, np.clip(rising + noise + clicks, -1.0, 1.0)).astype(np.float32)


def windows(
    sound_T: NDArray[np.float32], window_samples: int, hop_samples: int, steps: int
) -> list[NDArray[np.float32]]:
    """Return the windows that end at (k + 1) hops, with silence before the start."""
    padded = np.concatenate([np.zeros(window_samples, np.float32), sound_T])
    return [padded[(k + 1) * hop_samples : (k + 1) * hop_samples + window_samples] for k in range(steps)]


def measure_parity(graph: StepGraph, onnx_bytes: bytes, steps: int = PARITY_STEPS) -> Parity:
    """Play `steps` steps in torch and in ONNX Runtime, each carrying its own states, and report the differences.

    In a batch every slot has its own sound, noise and controls, and torch steps each slot alone: an input that reached another
    slot would be a difference.
    """
    session = _runtime.InferenceSession(onnx_bytes, session_options(), providers=["CPUExecutionProvider"])
    alone = graph if graph.batch == 1 else StepGraph(graph.model)
    ours = _slots_at_rest(graph, alone)
    theirs = {name: _together(graph, [slot[name] for slot in ours]) for name in graph.input_names}
    largest, squares = 0.0, 0.0
    for given in _given(graph, steps):
        for slot, inputs in zip(ours, given, strict=True):
            slot.update(inputs)
        theirs |= {name: _together(graph, [slot[name] for slot in given]) for name in given[0]}
        with torch.no_grad():
            expected = [dict(zip(graph.output_names, alone(*slot.values()), strict=True)) for slot in ours]
        came: Arrays = dict(zip(graph.output_names, session.run(graph.output_names, theirs), strict=True))
        difference = np.abs(
            came[FLOAT_FRAME_OUTPUT] - _together(graph, [slot[FLOAT_FRAME_OUTPUT] for slot in expected])
        )
        # np.maximum, unlike max, lets a difference that is not a number through.
        largest, squares = float(np.maximum(largest, difference.max())), squares + float(np.square(difference).mean())
        for name in graph.state_names:
            theirs[name] = came[name + NEXT_SUFFIX]
            for slot, following in zip(ours, expected, strict=True):
                slot[name] = following[name + NEXT_SUFFIX]
    states = [
        float(np.abs(theirs[name] - _together(graph, [slot[name] for slot in ours])).max())
        for name in graph.state_names
    ]
    return Parity(
        steps=steps,
        frame_max=largest,
        frame_rms=(squares / steps) ** 0.5,
        state_max=float(np.max(states)),
        sound=PROBE_SOUND,
    )


def check_parity(parity: Parity, path: Path) -> None:
    """Raise ModelFileError when the exported graph is further than PARITY_LIMIT from torch."""
    # Written this way round, a difference that is not a number fails too.
    if not (parity.frame_max <= PARITY_LIMIT and parity.state_max <= PARITY_LIMIT):
        raise ModelFileError(
            f"{path} was not written: after {parity.steps} carried steps the exported graph "
            f"differs from torch by {parity.frame_max:.2g} in the frame and {parity.state_max:.2g} in the states; "
            f"at most {PARITY_LIMIT:g} is allowed. Check the checkpoint for weights that are not finite or very large."
        )


def _slots_at_rest(graph: StepGraph, alone: StepGraph) -> list[dict[str, Tensor]]:
    """Return the inputs of each slot at rest: the first with default controls, the others with controls of their own."""
    slots = [dict(zip(alone.input_names, alone.example_inputs(), strict=True)) for _ in range(graph.batch)]
    for b, slot in enumerate(slots):
        for spec in graph.signature.controls:
            end = spec.high if b % 2 else spec.low
            slot[spec.name] = torch.tensor(spec.default + CONTROL_REACH * b / graph.batch * (end - spec.default))
    return slots


def _given(graph: StepGraph, steps: int) -> Iterator[list[dict[str, Tensor]]]:
    """Yield the sound and noise of each slot in each step. In each further slot the sound begins later and is quieter."""
    model, batch = graph.model, graph.batch
    sound = probe_sound(steps * model.hop_samples, model.sample_rate_hz)
    sounds = [np.roll(sound, b * len(sound) // batch) * np.float32(1.0 - 0.5 * b / batch) for b in range(batch)]
    cut = [windows(one, model.window_samples, model.hop_samples, steps) for one in sounds]
    noise = model.draw_noise(batch, steps, torch.Generator().manual_seed(1))
    for k in range(steps):
        yield [
            {"audio": torch.tensor(cut[b][k]), **{name: noise[name][b, k] for name in graph.noise_names}}
            for b in range(batch)
        ]


def _together(graph: StepGraph, values: list[Tensor]) -> NDArray[np.float32]:
    """Return the values of all slots as the graph takes and gives them."""
    return torch.stack(values).numpy() if graph.batch > 1 else values[0].numpy()


def session_options() -> Any:
    """Return the options of ONNX Runtime for a comparison: as in a show, where states may decay to denormal numbers."""
    options = _runtime.SessionOptions()
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return options
