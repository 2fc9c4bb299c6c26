"""How far an exported graph is from torch after many carried steps, states included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.model.card import NEXT_SUFFIX, Parity
from export.graph import PICTURE_OUTPUT, StepGraph

# T audio samples

PARITY_STEPS = 64
PARITY_LIMIT = 1e-4
CONTROL_REACH = 0.25
"""How far a room's controls go from their defaults towards the end of their range."""
PROBE_SOUND = "rising tone, clicks, noise bursts and silence, made by formula"

# onnxruntime ships no types.
_runtime: Any = onnxruntime

Arrays = dict[str, NDArray[np.float32]]


def probe_sound(samples: int, rate_hz: int) -> NDArray[np.float32]:
    """Return a sound that visits what a show brings: a tone rising through the spectrum, clicks, noise bursts, silence."""
    time_s = np.arange(samples) / rate_hz
    rising = 0.5 * np.sin(2 * np.pi * (60.0 * time_s + 400.0 * time_s**2))
    noise = 0.3 * np.random.default_rng(0).standard_normal(samples) * (np.floor(time_s * 4) % 2)
    clicks = np.where(np.arange(samples) % (rate_hz // 3) < 8, 0.9, 0.0)
    silent = (time_s % 1.6) > 1.3
    return np.where(silent, 0.0, np.clip(rising + noise + clicks, -1.0, 1.0)).astype(np.float32)


def windows(
    sound_T: NDArray[np.float32], window_samples: int, hop_samples: int, steps: int
) -> list[NDArray[np.float32]]:
    """Cut the windows ending at (k + 1) hops, with silence before the start."""
    padded = np.concatenate([np.zeros(window_samples, np.float32), sound_T])
    return [padded[(k + 1) * hop_samples : (k + 1) * hop_samples + window_samples] for k in range(steps)]


def measure_parity(graph: StepGraph, onnx_bytes: bytes, steps: int = PARITY_STEPS) -> Parity:
    """Play `steps` steps in torch and in ONNX Runtime, each carrying its own states, and report the differences.

    In several rooms every room has its own sound, noise and controls, and torch plays each of them alone: what reached another
    room would be a difference.
    """
    session = _runtime.InferenceSession(onnx_bytes, session_options(), providers=["CPUExecutionProvider"])
    alone = graph if graph.rooms == 1 else StepGraph(graph.model)
    ours = _rooms_at_start(graph, alone)
    theirs = {name: _together(graph, [room[name] for room in ours]) for name in graph.input_names}
    largest, squares = 0.0, 0.0
    for given in _given(graph, steps):
        for room, inputs in zip(ours, given, strict=True):
            room.update(inputs)
        theirs |= {name: _together(graph, [room[name] for room in given]) for name in given[0]}
        with torch.no_grad():
            expected = [dict(zip(graph.output_names, alone(*room.values()), strict=True)) for room in ours]
        came: Arrays = dict(zip(graph.output_names, session.run(graph.output_names, theirs), strict=True))
        difference = np.abs(came[PICTURE_OUTPUT] - _together(graph, [room[PICTURE_OUTPUT] for room in expected]))
        # np.maximum, unlike max, lets a difference that is not a number through.
        largest, squares = float(np.maximum(largest, difference.max())), squares + float(np.square(difference).mean())
        for name in graph.state_names:
            theirs[name] = came[name + NEXT_SUFFIX]
            for room, following in zip(ours, expected, strict=True):
                room[name] = following[name + NEXT_SUFFIX]
    states = [
        float(np.abs(theirs[name] - _together(graph, [room[name] for room in ours])).max())
        for name in graph.state_names
    ]
    return Parity(
        steps=steps,
        frame_max=largest,
        frame_rms=(squares / steps) ** 0.5,
        state_max=float(np.max(states)),
        sound=PROBE_SOUND,
    )


def _rooms_at_start(graph: StepGraph, alone: StepGraph) -> list[dict[str, Tensor]]:
    """Return the inputs of each room: the first with default controls, the others with some of their own."""
    rooms = [dict(zip(alone.input_names, alone.example_inputs(), strict=True)) for _ in range(graph.rooms)]
    for r, room in enumerate(rooms):
        for spec in graph.model.control_specs():
            end = spec.high if r % 2 else spec.low
            room[spec.name] = torch.tensor(spec.default + CONTROL_REACH * r / graph.rooms * (end - spec.default))
    return rooms


def _given(graph: StepGraph, steps: int) -> Iterator[list[dict[str, Tensor]]]:
    """Yield what each room is given in each step: sound, which begins elsewhere and is quieter in every further one, and noise."""
    model, rooms = graph.model, graph.rooms
    sound = probe_sound(steps * model.hop_samples, model.sample_rate_hz)
    sounds = [np.roll(sound, r * len(sound) // rooms) * np.float32(1.0 - 0.5 * r / rooms) for r in range(rooms)]
    cut = [windows(one, model.window_samples, model.hop_samples, steps) for one in sounds]
    noise = model.draw_noise(rooms, steps, torch.Generator().manual_seed(1))
    for k in range(steps):
        yield [
            {"audio": torch.tensor(cut[r][k]), **{name: noise[name][r, k] for name in graph.noise_names}}
            for r in range(rooms)
        ]


def _together(graph: StepGraph, values: list[Tensor]) -> NDArray[np.float32]:
    """Return one value a room as the graph takes and gives them."""
    return torch.stack(values).numpy() if graph.rooms > 1 else values[0].numpy()


def session_options() -> Any:
    """Return how ONNX Runtime is opened to compare: as on stage, where states may decay to denormal numbers."""
    options = _runtime.SessionOptions()
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return options
