"""Compare imported weights with the original implementation itself, stepped frame by frame, in many configurations.

    python -m benchmarks.reference_parity --reference CHECKOUT [--cases 5:10]

CHECKOUT is a copy of the original Listen and Move code (valillon/listen-and-move-gan). For each configuration, random weights of
the original's shape are imported and exported. The original, the import in torch and the model file in ONNX Runtime take the
same features and noise. The largest differences of the frames, in [-1, 1], are printed and recorded. The configurations are the
options that the original's code can run, drawn with a fixed seed. benchmarks.reference_sound begins with a sound file instead.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import random
import sys
from pathlib import Path
from typing import Any

import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
import torch
from torch import Tensor, nn

from benchmarks.record import append_record, print_table
from engine.model.card import NEXT_SUFFIX
from export.targets.onnx.trace import trace
from export.verification.graph import FLOAT_FRAME_OUTPUT, StepGraph
from export.verification.parity import probe_sound, session_options, windows
from training.core.front_end import FrontEndConfig
from training.families.listen_and_move.config import ListenAndMoveConfig
from training.families.listen_and_move.model import ListenAndMove
from training.families.listen_and_move.original_weights import convert
from training.families.model_config import ModelConfig

STEPS = 64
DRAWN = 20
LIMIT = 1e-4
# The original's `basic` and `skip` architectures cannot be called; residual is all there is to compare with.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "full 128": (
        {"sound_route": "rnngen", "motion_layers": 3, "cond_gen": True, "vid_pred": "dir", "architecture": "residual"},
        {},
    ),
    "full 256": (
        {"sound_route": "rnngen", "motion_layers": 3, "cond_gen": True, "vid_pred": "dir", "architecture": "residual"},
        {},
    ),
    "full 512": (
        {"sound_route": "rnngen", "motion_layers": 3, "cond_gen": True, "vid_pred": "dir", "architecture": "residual"},
        {},
    ),
}
_runtime: Any = onnxruntime  # it ships no types


def drawn_cases(count: int = DRAWN) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Return configurations by name, which ends with the frame size: the flags of the original and our settings."""
    numbers = random.Random(2406)
    cases: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    while len(cases) < count:
        size, prediction = numbers.choice([32, 64, 64, 128]), numbers.choice(["", "basic", "dir"])
        layers, motion_type = numbers.choice([(1, "basic"), (2, "basic"), (3, "basic"), (1, "feedback")])
        flags = {
            "sound_route": numbers.choice(["rnn", "gen", "rnngen"]),
            # With more than one layer of `feedback` the original continues from a wrong vector in each call.
            "motion_layers": layers,
            "motion_type": motion_type,
            "dim_e_motion": numbers.choice([1, 2, 5]),
            "dim_z_content": numbers.choice([0, 3]),
            "dim_audio_feat": numbers.choice([20, 64, 128]),
            "cond_gen": numbers.choice([False, True]),
            "double_finest": numbers.choice([False, True]),
            "channels_base": numbers.choice([128, 256, 512]),
        }
        settings = {
            "sound_route": flags["sound_route"],
            "motion_layers": flags["motion_layers"],
            "motion_type": flags["motion_type"],
            "motion_noise": flags["dim_e_motion"],
            "content_noise": flags["dim_z_content"],
            "conditional_norm": flags["cond_gen"],
            "double_finest": flags["double_finest"],
            "channels_base": flags["channels_base"],
            "prediction": prediction or "none",
        }
        words = (
            f"{flags['sound_route']} {flags['motion_layers']}×{flags['motion_type']} "
            f"e{flags['dim_e_motion']} z{flags['dim_z_content']} F{flags['dim_audio_feat']} "
            f"c{flags['channels_base']} {'acIN' if flags['cond_gen'] else 'batch'}{' double' if flags['double_finest'] else ''} {prediction or 'none'} {size}"
        )
        cases[words] = (flags | {"vid_pred": prediction, "architecture": "residual"}, settings)
    return cases


def randomise(reference: nn.Module, seed: int = 5) -> None:
    """Move every weight so that each takes part, with gains that neither explode nor vanish."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in reference.state_dict().items():
            if name.endswith("running_var"):
                value.copy_(0.5 + torch.rand(value.shape, generator=generator))
            elif value.is_floating_point():
                fan_in = value[0].numel() if value.dim() > 1 else 4.0
                value.copy_(torch.randn(value.shape, generator=generator) / fan_in**0.5)


def original_generator(checkout: Path, size: int, flags: dict[str, Any]) -> Any:
    """Build the generator of the original's code, which prints what it builds."""
    if str(checkout) not in sys.path:
        sys.path.insert(0, str(checkout))
    modules = importlib.import_module("modules")
    with contextlib.redirect_stdout(io.StringIO()):
        return modules.GenNet(output_size=size, **{"dim_audio_feat": 64, "dim_e_motion": 2} | flags)


class GivenNoise:
    """Gives the original the noise of our model in place of its own draws."""

    def __init__(self, reference: Any) -> None:
        self.maps: list[Tensor] = []
        self.noise: dict[str, Tensor] = {}
        for module in reference.modules():
            if type(module).__name__ == "NoiseInjection":
                module.forward = self._injection(module)
        reference.sample_e_motion = lambda *_: self.noise.get("motion_noise", torch.zeros(1, 1, 0))
        reference.sample_z_content = lambda *_: self.noise.get("content_noise", torch.zeros(1, 1, 0))

    def _injection(self, module: Any) -> Any:
        return lambda x: x + module.weight * self.maps.pop(0)

    def give(self, model: ListenAndMove, noise: dict[str, Tensor]) -> None:
        """Give the noise of the next step: name -> [1, 1, ...]."""
        self.noise = noise
        self.maps = model.generator.grain_maps(noise["grain_start"])


@torch.no_grad()
def compare(reference: Any, model: ListenAndMove) -> dict[str, float]:
    """Step all three; return the largest differences from the original's frames and their largest value."""
    graph, given = StepGraph(model), GivenNoise(reference)
    options = session_options()
    options.intra_op_num_threads = 1
    session = _runtime.InferenceSession(trace(graph).SerializeToString(), options)
    in_torch = dict(zip(graph.input_names, graph.example_inputs(), strict=True))
    in_onnx = {name: value.numpy() for name, value in in_torch.items()}
    sound = probe_sound(STEPS * model.hop_samples, model.sample_rate_hz)
    noise = model.draw_noise(1, STEPS, torch.Generator().manual_seed(6))
    figures = {"frame_max": 0.0, "torch": 0.0, "onnx": 0.0}
    reference.eval().reset_eval()
    for k, window in enumerate(windows(sound, model.window_samples, model.hop_samples, STEPS)):
        now = {name: values[:, k : k + 1] for name, values in noise.items()}
        in_torch |= {"audio": torch.from_numpy(window.copy())} | {name: value[0, 0] for name, value in now.items()}
        in_onnx |= {name: in_torch[name].numpy() for name in ("audio", *now)}
        given.give(model, now)
        expected = reference(model.front_end(in_torch["audio"][None])[:, None])[0, 0]
        ours = dict(zip(graph.output_names, graph(*in_torch.values()), strict=True))
        files = dict(zip(graph.output_names, session.run(graph.output_names, in_onnx), strict=True))
        for name in graph.state_names:
            in_torch[name], in_onnx[name] = ours[name + NEXT_SUFFIX], files[name + NEXT_SUFFIX]
        found = {
            "frame_max": expected.abs().max(),
            "torch": (ours[FLOAT_FRAME_OUTPUT] - expected).abs().max(),
            "onnx": (torch.from_numpy(files[FLOAT_FRAME_OUTPUT]) - expected).abs().max(),
        }
        figures = {name: max(figures[name], float(value)) for name, value in found.items()}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--reference", type=Path, required=True, metavar="CHECKOUT")
    parser.add_argument("--cases", default=":", metavar="FROM:TO", help="numbers of the cases (default: all)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    first, _, end = arguments.cases.partition(":")
    cases = [*CASES.items(), *drawn_cases().items()]
    rows: list[list[object]] = []
    for number, (case, (flags, settings)) in enumerate(cases):
        if not int(first or 0) <= number < int(end or len(cases)):
            continue
        size = int(case.rsplit(" ", 1)[1])
        front_end = FrontEndConfig(kind="stage", mel_bands=flags.get("dim_audio_feat", 64))
        config = ModelConfig(name=case, image_size=size, front_end=front_end, generator=ListenAndMoveConfig(**settings))
        reference = original_generator(arguments.reference, size, flags)
        randomise(reference, number)
        figures = compare(reference, convert(reference.state_dict(), config))
        rows.append([number, case, *(f"{value:.1e}" for value in figures.values())])
        print(*rows[-1], sep="  ", flush=True)
        within = figures["torch"] <= LIMIT and figures["onnx"] <= LIMIT
        append_record("reference_parity", {"case": case, "seed": number, "steps": STEPS, **figures, "within": within})
    print_table(["", "case", "frame max", "torch", "onnx"], rows)


if __name__ == "__main__":
    main()
