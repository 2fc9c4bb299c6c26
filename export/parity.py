"""How far an exported graph is from torch after many carried steps, states included."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
import torch
from numpy.typing import NDArray

from engine.model_card import NEXT_SUFFIX, Parity
from export.graph import PICTURE_OUTPUT, StepGraph

# T audio samples

PARITY_STEPS = 64
PARITY_LIMIT = 1e-4
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
    """Play `steps` steps in torch and in ONNX Runtime, each carrying its own states, and report the differences."""
    session = _runtime.InferenceSession(onnx_bytes, _options(), providers=["CPUExecutionProvider"])
    model = graph.model
    sound = probe_sound(steps * model.hop_samples, model.sample_rate_hz)
    noise = model.draw_noise(1, steps, torch.Generator().manual_seed(1))
    inputs = dict(zip(graph.input_names, graph.example_inputs(), strict=True))
    ours, theirs = dict(inputs), {name: value.numpy() for name, value in inputs.items()}
    largest, squares = 0.0, 0.0
    for k, window in enumerate(windows(sound, model.window_samples, model.hop_samples, steps)):
        ours["audio"], theirs["audio"] = torch.tensor(window), window
        for name in graph.noise_names:
            ours[name] = noise[name][0, k]
            theirs[name] = ours[name].numpy()
        with torch.no_grad():
            expected = dict(zip(graph.output_names, graph(*ours.values()), strict=True))
        came: Arrays = dict(zip(graph.output_names, session.run(graph.output_names, theirs), strict=True))
        difference = np.abs(came[PICTURE_OUTPUT] - expected[PICTURE_OUTPUT].numpy())
        # np.maximum, unlike max, lets a difference that is not a number through.
        largest, squares = float(np.maximum(largest, difference.max())), squares + float(np.square(difference).mean())
        for name in graph.state_names:
            ours[name], theirs[name] = expected[name + NEXT_SUFFIX], came[name + NEXT_SUFFIX]
    states = [float(np.abs(theirs[name] - ours[name].numpy()).max()) for name in graph.state_names]
    return Parity(
        steps=steps,
        frame_max=largest,
        frame_rms=(squares / steps) ** 0.5,
        state_max=float(np.max(states)),
        sound=PROBE_SOUND,
    )


def _options() -> Any:
    options = _runtime.SessionOptions()
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return options
