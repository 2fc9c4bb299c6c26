"""What a step of Sound2Sight costs after 30 and after 300 steps, with its cache and recomputed over the whole past as the original does.

    python -m benchmarks.future_steps [--threads 2]

Random weights at the original's sizes (64 pixels). The recomputed step runs encoder, both transformers over all tokens so far, LSTMs and decoder in
torch, and the cached one the same with the cache; the exported file in ONNX Runtime is measured at 64 and 128 pixels, as benchmarks.step does.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.record import append_record, print_table
from benchmarks.step import measure
from engine.core.clock import WallClock
from engine.core.errors import run_main
from engine.model.backends.selection import open_backend
from engine.model.card import Provenance
from engine.model.session import Session
from export.targets.onnx.model import Form, export_model
from training.core.front_end import FrontEndConfig
from training.families.model_config import ModelConfig
from training.families.sound2sight.config import Sound2SightConfig
from training.families.sound2sight.model import Sound2Sight, memory_of

AFTER, REPEATED = (30, 300), 30
NONE = Provenance(source="random weights", licence="MIT", config="benchmark", commit="", iterations=0)


def model_of(size: int, channels: int, window: int = 30) -> Sound2Sight:
    """Return a model with fresh weights."""
    front_end = FrontEndConfig(mel_bands=64, newest_column=True)
    shape = Sound2SightConfig(channels=channels, window_steps=window)
    name = f"futures {size} px, {channels} channels"
    config = ModelConfig(name=name, family="sound2sight", image_size=size, front_end=front_end, generator=shape)
    return Sound2Sight(config).eval()


def median_ms(step: Callable[[], object]) -> float:
    """Return the median duration of a call."""
    clock, durations = WallClock(), list[float]()
    for _ in range(REPEATED):
        began_s = clock.now_s()
        step()
        durations.append(clock.now_s() - began_s)
    return 1e3 * sorted(durations)[REPEATED // 2]


@torch.no_grad()
def cached_ms(model: Sound2Sight, after: int) -> float:
    """Return the duration of a step with the cache, after so many steps."""
    generator, noise, state = model.generator, torch.zeros(1, 10), model.initial_state(1)
    frame, sound, memory = torch.rand(1, 3, *model.frame_size), torch.rand(1, 128), memory_of(state)
    for _ in range(after):
        _, _, memory = generator.predict(sound, sound, noise, memory)

    def step() -> Tensor:
        code, skips = generator.encoder(frame)
        return generator.decode(generator.predict(code, sound, noise, memory)[0], skips, frame)

    return median_ms(step)


@torch.no_grad()
def recomputed_ms(model: Sound2Sight, after: int) -> float:
    """Return the duration of a step that computes encoders of sound and frame for now, and both transformers over all tokens."""
    generator = model.generator
    frame, tokens = torch.rand(1, 3, *model.frame_size), torch.rand(1, after, 128)
    prior_state, predictor_state = (
        torch.zeros(1, *one.layers.state_shape()) for one in (generator.prior, generator.predictor)
    )

    def step() -> Tensor:
        code, skips = generator.encoder(frame)
        seen, sound = generator.frame_attention(tokens)[:, -1], generator.sound_attention(tokens)[:, -1]
        prior, _ = generator.prior(torch.cat([seen, sound], dim=1), prior_state)
        predicted, _ = generator.predictor(torch.cat([code, prior.mean], dim=1), predictor_state)
        return generator.decode(predicted, skips, frame)

    return median_ms(step)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure steps of Sound2Sight.")
    parser.add_argument("--threads", type=int, default=2)
    threads = parser.parse_args().threads
    torch.set_num_threads(threads)
    sized, long = model_of(64, 64), model_of(64, 64, max(AFTER))
    rows: list[list[object]] = []
    for after in AFTER:
        cached, recomputed = cached_ms(sized, after), recomputed_ms(long, after)
        rows.append([f"torch, step {after}", cached, recomputed, recomputed / cached])
        append_record(
            "future_steps",
            {"after": after, "threads": threads, "cached_ms": cached, "recomputed_ms": recomputed},
            backend="torch",
        )
    print_table(["64 px", "cached ms", "recomputed ms", "ratio"], rows)
    rows = []
    for size, channels in ((64, 64), (64, 32), (128, 32), (128, 16)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "futures.onnx"
            export_model(model_of(size, channels), NONE, path, Form(all_controls=True))
            backend = open_backend(path, "onnx-cpu", threads)
            figures = measure(Session(backend), 300, False)
        rows.append([backend.card.name, figures["p50_ms"], figures["p95_ms"], figures["fps"]])
        append_record("future_steps", {"threads": threads, **figures}, backend=backend.name, model=backend.card.name)
    print_table(["model file", "p50 ms", "p95 ms", "steps a second"], rows)
    return 0


if __name__ == "__main__":
    run_main(main)
