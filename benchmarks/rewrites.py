"""What each graph rewrite brings on each backend.

    python -m benchmarks.rewrites configs/train/paper-128.yaml runs/water

Every model (a training configuration, played with random weights, or a checkpoint) is exported plain, with each rewrite alone
and with the rewrites that its backend is given. All versions of a backend are stepped in turn, so that whatever else the machine
does meets all of them alike; the figure is the least processor time of a step on one thread, and its ratio to the plain graph.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

from benchmarks.record import append_record, print_table
from engine.core.errors import run_main
from engine.model.backends.onnx_session import session_options
from export.targets.onnx.trace import trace
from export.verification.graph import StepGraph
from training.core.streaming import StreamingModel
from training.families.family import build_model
from training.families.listen_and_move.rewrites import PASSES, PASSES_FOR, REWRITES
from training.families.listen_and_move.rewrites.operations import operations_a_frame
from training.loop.checkpoint import load_generator
from training.loop.config import load_train_config

PLAIN, CHOSEN = "plain", "chosen"

Step = Callable[[], object]


def open_onnx_cpu(program: bytes, feeds: Mapping[str, Any]) -> Step:
    """Open a graph in ONNX Runtime on one thread."""
    options = session_options(onnxruntime, threads=1)
    session = onnxruntime.InferenceSession(program, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, dict(feeds))


def open_openvino(program: bytes, feeds: Mapping[str, Any], precision: str = "f32") -> Step:
    """Open a graph in OpenVINO on one thread."""
    openvino: Any = importlib.import_module("openvino")
    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision}
    request = core.compile_model(core.read_model(program), "CPU", settings).create_infer_request()
    return lambda: request.infer(dict(feeds), share_inputs=True, share_outputs=True)


BACKENDS: dict[str, tuple[str, Callable[[bytes, Mapping[str, Any]], Step]]] = {
    "onnx-cpu": ("onnx-cpu", open_onnx_cpu),
    "openvino": ("openvino", open_openvino),
    "openvino bfloat16": ("openvino", lambda program, feeds: open_openvino(program, feeds, "bf16")),
}
"""Column of the table -> whose rewrites it is given, and how a graph is opened."""


def load(source: Path) -> StreamingModel:
    """Load a checkpoint, or build a configuration's model with random weights of a size that neither explode nor vanish."""
    if source.suffix != ".yaml":
        return load_generator(source).model.eval()
    model = build_model(load_train_config(source).model).eval()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.generator.named_parameters():
            if parameter.dim() > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / math.sqrt(parameter[0].numel()))
            elif name.endswith("grain"):
                parameter.fill_(0.1)
    return model


def versions(backends: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the sets of rewrites to try, by name."""
    alone = {name: (name,) for name in PASSES}
    chosen = {f"{CHOSEN} {name}": PASSES_FOR.get(name, ()) for name in dict.fromkeys(BACKENDS[b][0] for b in backends)}
    return {PLAIN: (), **alone, **chosen}


def least_ms(steps: Mapping[str, Step], rounds: int) -> dict[str, float]:
    """Step all versions in turn, `rounds` times after two to warm up, and return each one's least processor time."""
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 2):
        for name, step in steps.items():
            started_s = time.process_time()
            step()
            taken[name].append(1e3 * (time.process_time() - started_s))
    return {name: min(values[2:]) for name, values in taken.items()}


def measure(source: Path, backends: Sequence[str], rounds: int) -> None:
    """Print and record one model's table."""
    model = load(source)
    programs: dict[str, bytes] = {}
    gigaflop: dict[str, float] = {}
    feeds: dict[str, Any] = {}
    for name, passes in versions(backends).items():
        rewritten = copy.deepcopy(model)
        REWRITES.apply(rewritten, passes)
        gigaflop[name] = operations_a_frame(rewritten) / 1e9
        graph = StepGraph(rewritten.eval())
        programs[name] = trace(graph).SerializeToString()
        feeds = {n: value.numpy() for n, value in zip(graph.input_names, graph.example_inputs(), strict=True)}
    feeds["audio"] = (0.2 * np.random.default_rng(0).standard_normal(model.window_samples)).astype(np.float32)
    size = model.config.image_size
    figures: dict[str, dict[str, float]] = {}
    for backend in backends:
        opened = BACKENDS[backend][1]
        figures[backend] = least_ms({name: opened(program, feeds) for name, program in programs.items()}, rounds)
        for name, milliseconds in figures[backend].items():
            ratio = figures[backend][PLAIN] / milliseconds
            record = {"size": size, "passes": name, "least_ms": milliseconds, "ratio": ratio, "gflop": gigaflop[name]}
            append_record("rewrites", {"threads": 1, **record}, backend=backend, model=model.config.name)
    print(f"{model.config.name}, {size} pixels: least processor time of a step on one thread")
    headings = ["rewrites", "GFLOP", *(f"{backend} {what}" for backend in backends for what in ("ms", "ratio"))]
    rows: list[list[object]] = []
    for name in programs:
        pairs = [(f[name], f[PLAIN] / f[name]) for f in figures.values()]
        rows.append([name, gigaflop[name], *(figure for pair in pairs for figure in pair)])
    print_table(headings, rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rewrites", description="Measure the graph rewrites.")
    parser.add_argument("sources", nargs="+", type=Path, help="training configurations or checkpoints")
    parser.add_argument("--rounds", type=int, default=10, help="steps of each version (default 10)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    backends = [name for name, (library, _) in BACKENDS.items() if library != "openvino" or _has("openvino")]
    for source in arguments.sources:
        measure(source, backends, arguments.rounds)
    return 0


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


if __name__ == "__main__":
    run_main(main)
