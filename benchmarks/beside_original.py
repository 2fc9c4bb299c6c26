"""One step of every form of the full model beside the original implementation stepped eagerly, on the same weights.

    python -m benchmarks.step --reference CHECKOUT [--sound SOUND] [--checkpoint RUN]

CHECKOUT is a copy of the original Listen and Move code. Its generator gets random weights that keep every layer alive; the same
weights are imported, exported in several forms and played by their backends. With a checkpoint of configs/train/paper-128.yaml
ours have trained weights instead: random ones amplify every rounding, which says nothing about fewer bits in a show. What a step
costs does not depend on weights. All take a step in turn, so that a
disturbance meets all alike. The original is given features; ours compute them from sound inside the step.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.record import append_record, print_table
from benchmarks.reference_parity import CASES, randomise
from engine.core.errors import UserError
from engine.model.backends.selection import obstacle, open_backend
from engine.model.card import Provenance
from engine.model.noise import draw_noise
from engine.model.step import resting_inputs
from export.targets.onnx.model import Form, export_model
from export.verification.graph import StepGraph
from export.verification.sound import RealSound, made_sound, read_real_sound
from export.verification.verdict import compare
from training.core.front_end import FrontEndConfig
from training.core.streaming import StreamingModel
from training.families.listen_and_move.config import ListenAndMoveConfig
from training.families.listen_and_move.original_weights import convert
from training.families.listen_and_move.rewrites import PASSES_FOR, REWRITES
from training.families.listen_and_move.rewrites.operations import operations_a_frame
from training.families.model_config import ModelConfig
from training.loop.checkpoint import load_generator

ORIGINAL = "original, eager"
FULL = CASES["full 128"][0]
STEPS = 64
CALM = 0.5
PROVENANCE = Provenance(source="random weights", licence="none", config="full", commit="", iterations=0)
FORMS: dict[str, tuple[str, str, bool]] = {
    # name: backend, precision, rewritten
    "onnx-cpu float32, plain": ("onnx-cpu", "float32", False),
    "onnx-cpu float32, rewritten": ("onnx-cpu", "float32", True),
    "openvino float32, rewritten": ("openvino", "float32", True),
    "openvino bfloat16, rewritten": ("openvino", "bfloat16", True),
    "onnx-cpu int8, rewritten": ("onnx-cpu", "int8", True),
    "openvino int8, rewritten": ("openvino", "int8", True),
}


def matrix_peak_gflops(dtype: torch.dtype = torch.float32, size: int = 2048) -> float:
    """Return the best rate of a large matrix product: what arithmetic alone could reach here."""
    a, b = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    best_s = float("inf")
    for _ in range(6):
        began_s = time.perf_counter()
        torch.mm(a, b)
        best_s = min(best_s, time.perf_counter() - began_s)
    return 2.0 * size**3 / best_s / 1e9


def original_and_ours(checkout: Path, size: int) -> tuple[Any, StreamingModel]:
    """Return the original's generator and ours with its weights."""
    sys.path.insert(0, str(checkout))
    modules = importlib.import_module("modules")
    with contextlib.redirect_stdout(io.StringIO()):
        original = modules.GenNet(output_size=size, dim_audio_feat=64, dim_e_motion=2, **FULL)
    torch.manual_seed(0)
    randomise(original)
    _calm(original)
    front_end = FrontEndConfig(kind="stage", mel_bands=64)
    config = ModelConfig(name=f"full-{size}", image_size=size, front_end=front_end, generator=ListenAndMoveConfig())
    model = convert(original.state_dict(), config)
    original.eval().reset_eval()
    return original, model.eval()


@torch.no_grad()
def _calm(original: Any) -> None:
    """Scale random recurrences to the size of trained ones: saturated, they double every rounding."""
    for name, value in original.state_dict().items():
        if value.is_floating_point() and "vp_layers" in name:
            value.mul_(CALM)


def beside_original(
    checkout: Path, size: int, threads: int, rounds: int, sound_file: Path | None, checkpoint: Path | None = None
) -> None:
    """Measure all forms that can run here, print a table and record it."""
    torch.set_num_threads(threads)
    original, model = original_and_ours(checkout, size)
    if checkpoint:
        model = load_generator(checkpoint).model.eval()
    sound = read_real_sound(sound_file, model.sample_rate_hz) if sound_file else made_sound(model.sample_rate_hz)
    steps: dict[str, Callable[[int], object]] = {}
    features = torch.randn(1, 1, 64)

    def step_original(k: int) -> None:
        with torch.no_grad():
            original(features)

    steps[ORIGINAL] = step_original
    drifts, operations = dict[str, float](), {ORIGINAL: operations_a_frame(model)}
    with tempfile.TemporaryDirectory() as folder:
        for name, (backend, precision, rewritten) in FORMS.items():
            if obstacle(backend):
                print(f"{name}: left out; {obstacle(backend)}")
                continue
            passes = PASSES_FOR[backend] if rewritten else ()
            calibration = sound_file if precision == "int8" else None
            form = Form(precision=precision, passes=passes, calibration_sound=calibration, all_controls=True)  # type: ignore[arg-type]
            file = Path(folder) / f"{name.replace(' ', '_')}.onnx"
            try:
                export_model(copy.deepcopy(model), PROVENANCE, file, form)
            except UserError as error:
                print(f"{name}: left out; {error}")
                continue
            played = open_backend(file, backend, threads)
            verdict = compare(StepGraph(model), played, played.card, sound, STEPS)
            drifts[name] = verdict.curve[-1].psnr_db
            rewritten_model = copy.deepcopy(model)
            REWRITES.apply(rewritten_model, passes)
            operations[name] = operations_a_frame(rewritten_model)
            steps[name] = _stepper(played, sound)
        seconds = measure(steps, rounds)
    report(seconds, drifts, operations, threads, size, model.config.name)


def _stepper(backend: Any, sound: RealSound) -> Callable[[int], object]:
    card = backend.card
    resting = resting_inputs(card)
    carried = {"state": resting.states}

    def step(k: int) -> None:
        window = sound.window(k, card.window_samples, card.hop_samples)
        values = {"audio": window, **draw_noise(card.noises, 0, k)}
        carried["state"] = backend.step(resting.with_values(values, carried["state"])).next_state

    return step


def measure(steps: dict[str, Callable[[int], object]], rounds: int, warm_up: int = 5) -> dict[str, list[float]]:
    """Take one step of each in turn, `rounds` times, and return their seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for k in range(warm_up + rounds):
        for name, step in steps.items():
            began_s = time.perf_counter()
            step(k)
            if k >= warm_up:
                seconds[name].append(time.perf_counter() - began_s)
    return seconds


def report(
    seconds: dict[str, list[float]],
    drifts: dict[str, float],
    operations: dict[str, int],
    threads: int,
    size: int,
    model: str,
) -> None:
    """Print and record the table."""
    peak = matrix_peak_gflops()
    peak_bf16 = matrix_peak_gflops(torch.bfloat16)
    print(f"matrix peak of {threads} threads: {peak:.0f} GFLOP/s float32, {peak_bf16:.0f} bfloat16")
    theirs = statistics.median(seconds[ORIGINAL])
    rows: list[list[object]] = []
    for name, taken in seconds.items():
        median_s, least_s = statistics.median(taken), min(taken)
        rate = operations[name] / median_s / 1e9
        figures = {
            "form": name,
            "size": size,
            "threads": threads,
            "median_ms": 1e3 * median_s,
            "least_ms": 1e3 * least_s,
            "times_original": theirs / median_s,
            "psnr_db_after_64": drifts.get(name),
            "gflop": operations[name] / 1e9,
            "gflops": rate,
            "share_of_float32_matrix_peak": rate / peak,
            "matrix_peak_gflops": peak,
        }
        append_record("beside_original", figures, backend=name.split(" ")[0], model=model)
        shown = f"{drifts[name]:.1f}" if name in drifts else ""
        rows.append([name, 1e3 * median_s, 1e3 * least_s, theirs / median_s, shown, f"{100 * rate / peak:.0f} %"])
    print_table(["form", "median ms", "least ms", "times original", "dB after 64", "of float32 peak"], rows)
