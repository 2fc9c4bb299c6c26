"""Write a probe: an untrained model file whose frame is white while a click is in the newest hop.

    python -m export.probe -o probe.onnx --fps 60 --size 128

It plays like any other model, so it measures the path of sound and frames that every model has; see benchmarks/latency.py. For each
window:

    peak     = largest |audio| of the newest `listen_ms` (default: one hop, so that every sample counts in one step)
    frame    = 255 * clip(floor + gain * peak, 0, 1), in every pixel and colour
    features = [peak]

With `gain` 0 the frame is the uniform grey `floor`, on which effects are measured by themselves.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engine.core.argument_parser import ArgumentParser
from engine.core.errors import ModelFileError, run_main
from engine.core.printable import print_line
from engine.model.card import ControlSpec, ModelCard, Parity, Provenance
from engine.model.file import graph_sha256, sealed
from export.targets.model_file import write_own_model

RATES_HZ = (16000, 24000, 48000, 22050, 44100)
"""The first that the frame rate divides is taken, and the first of all when none is."""
WINDOW_S = 0.085
LARGEST_SIZE, LARGEST_FPS = 2048, 240.0
_OPSET, _IR_VERSION = 17, 8


def probe_card(fps: float, size: int, listen_ms: float | None = None) -> ModelCard:
    """Return the card of a probe with `fps` square frames per second, without a checksum. Raises ModelFileError out of range."""
    if not 1.0 <= fps <= LARGEST_FPS or not 1 <= size <= LARGEST_SIZE:
        raise ModelFileError(
            f"A probe of {fps:g} fps and {size} pixels is impossible; 1 to {LARGEST_FPS:g} fps and 1 to {LARGEST_SIZE} pixels "
            "were expected."
        )
    rate_hz = next((rate for rate in RATES_HZ if (rate / fps).is_integer()), RATES_HZ[0])
    hop_samples = round(rate_hz / fps)
    window_samples = max(round(WINDOW_S * rate_hz), hop_samples)
    longest_ms = 1e3 * window_samples / rate_hz
    if listen_ms is not None and not 0.0 < listen_ms <= longest_ms:
        raise ModelFileError(
            f"The probe counts the newest {listen_ms:g} ms of sound; more than 0 and at most the probe's window of {longest_ms:.0f} ms was expected."
        )
    measured = _measured_samples(rate_hz, hop_samples, listen_ms)
    return ModelCard(
        name=f"probe-{fps:g}",
        family="probe",
        sample_rate_hz=rate_hz,
        window_samples=window_samples,
        hop_samples=hop_samples,
        look_ahead_s=0.0,
        height=size,
        width=size,
        feature_bands=1,
        states=(),
        noises=(),
        controls=(
            ControlSpec(name="gain", help="how strongly sound brightens the frame", low=0.0, high=64.0, default=8.0),
            ControlSpec(name="floor", help="how bright the frame is in silence", low=0.0, high=1.0, default=0.0),
        ),
        # Nothing was trained, so there is nothing to compare with.
        parity=Parity(steps=0, frame_max=0.0, frame_rms=0.0, state_max=0.0, sound="none: the graph is a formula"),
        provenance=Provenance(
            source="none", licence="CC0", config=f"probe, newest {measured} samples", commit="", iterations=0
        ),
    )


def write_probe_file(path: Path, fps: float, size: int, listen_ms: float | None = None) -> ModelCard:
    """Write a probe and return its card. Raises ModelFileError for values out of range and a file that cannot be written."""
    card = probe_card(fps, size, listen_ms)
    content = _program(card, _measured_samples(card.sample_rate_hz, card.hop_samples, listen_ms)).SerializeToString()
    card = replace(card, graph_sha256=graph_sha256(content))
    write_own_model(sealed(content, card), path)
    return card


def _measured_samples(rate_hz: int, hop_samples: int, listen_ms: float | None) -> int:
    """Return how many of the newest samples count: one hop by default, at least one sample."""
    return hop_samples if listen_ms is None else max(1, round(1e-3 * listen_ms * rate_hz))


def _program(card: ModelCard, measured: int) -> onnx.ModelProto:
    dtypes = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8}
    constants = {
        "first": np.array([card.window_samples - measured], np.int64),
        "last": np.array([card.window_samples], np.int64),
        "axis": np.array([0], np.int64),
        "zero": np.array(0.0, np.float32),
        "one": np.array(1.0, np.float32),
        "white": np.array(255.0, np.float32),
        "half": np.array(0.5, np.float32),
        "frame_shape": np.array([card.height, card.width, 3], np.int64),
    }
    nodes = [
        helper.make_node("Slice", ["audio", "first", "last", "axis"], ["newest"]),
        helper.make_node("Abs", ["newest"], ["loudness"]),
        helper.make_node("ReduceMax", ["loudness"], ["features"], axes=[0], keepdims=1),
        helper.make_node("Mul", ["features", "gain"], ["gained"]),
        helper.make_node("Add", ["gained", "floor"], ["light"]),
        helper.make_node("Clip", ["light", "zero", "one"], ["clipped"]),
        helper.make_node("Mul", ["clipped", "white"], ["scaled"]),
        helper.make_node("Add", ["scaled", "half"], ["level"]),
        # The cast truncates.
        helper.make_node("Cast", ["level"], ["byte"], to=TensorProto.UINT8),
        helper.make_node("Expand", ["byte", "frame_shape"], ["frame"]),
    ]
    graph = helper.make_graph(
        nodes,
        "probe",
        [helper.make_tensor_value_info(i.name, dtypes[i.dtype], i.shape) for i in card.input_tensors()],
        [helper.make_tensor_value_info(o.name, dtypes[o.dtype], o.shape) for o in card.output_tensors()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    # Annotated because onnx's own annotation is incomplete.
    check: Any = onnx.checker.check_model  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    check(model)
    return model


def main() -> int:
    parser = ArgumentParser(description="Write a model file that turns white on a click, to measure latency with.")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="PROBE.onnx")
    parser.add_argument("--fps", type=float, default=20.0, help="frames per second (default 20)")
    parser.add_argument("--size", type=int, default=128, help="height and width in pixels (default 128)")
    parser.add_argument("--listen-ms", type=float, help="how much of the newest sound counts (default: one hop)")
    arguments = parser.parse_args()
    card = write_probe_file(arguments.output, arguments.fps, arguments.size, arguments.listen_ms)
    print_line(
        f"{arguments.output}: {card.width}x{card.height} at {card.fps:g} fps, sound at {card.sample_rate_hz} Hz, "
        f"hop {1e3 * card.hop_s:.1f} ms"
    )
    return 0


if __name__ == "__main__":
    run_main(main)
