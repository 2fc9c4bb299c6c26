"""Compare imported weights with the original implementation itself, stepped frame by frame.

    python -m benchmarks.reference_parity --reference CHECKOUT

CHECKOUT is a copy of the original Listen and Move code (valillon/listen-and-move-gan). Random weights of its shape are
imported, both are stepped with the same features and noise, and the largest difference is printed and recorded.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.record import append_record
from training.core.front_end import FrontEndConfig
from training.families.listen_and_move.config import ListenAndMoveConfig
from training.families.listen_and_move.generator import Controls
from training.families.listen_and_move.original_weights import convert
from training.families.model_config import ModelConfig

STEPS = 64
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "full 128": (
        {"sound_route": "rnngen", "motion_layers": 3, "cond_gen": True, "vid_pred": "dir", "architecture": "residual"},
        {},
    ),
    "basic prediction, batch norm 64": (
        {"sound_route": "rnn", "motion_layers": 3, "cond_gen": False, "vid_pred": "basic", "architecture": "residual"},
        {"sound_route": "rnn", "conditional_norm": False, "prediction": "basic"},
    ),
    # The original's `basic` and `skip` architectures cannot be called; residual is all there is to compare with.
    "feedback, one layer 64": (
        {
            "sound_route": "gen",
            "motion_layers": 1,
            "motion_type": "feedback",
            "vid_pred": "dir",
            "architecture": "residual",
        },
        {"sound_route": "gen", "motion_layers": 1, "motion_type": "feedback", "conditional_norm": False},
    ),
}


def randomise(reference: nn.Module) -> None:
    """Move every weight so that each takes part, with gains that neither explode nor vanish."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, value in reference.state_dict().items():
            if name.endswith("running_var"):
                value.copy_(0.5 + torch.rand(value.shape, generator=generator))
            elif value.is_floating_point():
                fan_in = value[0].numel() if value.dim() > 1 else 4.0
                value.copy_(torch.randn(value.shape, generator=generator) / fan_in**0.5)


def compare(reference: Any, config: ModelConfig) -> tuple[float, float]:
    """Step both; return the largest difference of the frames and their largest value."""
    randomise(reference)
    ours = convert(reference.state_dict(), config).generator
    grains: list[Tensor] = []
    for module in reference.modules():
        if type(module).__name__ == "NoiseInjection":
            module.register_forward_hook(lambda m, given, out: grains.append((out - given[0])[:, :1] / m.weight))
    motion_noise: list[Tensor] = []
    draw = reference.sample_e_motion
    reference.sample_e_motion = lambda *a: motion_noise.append(draw(*a)) or motion_noise[-1]
    state = {name: torch.zeros(1, *shape) for name, shape in ours.state_shapes().items()}
    controls = Controls(torch.tensor(1.0), torch.tensor(1.0), torch.tensor(0.0))
    largest = brightest = 0.0
    features = torch.randn(1, STEPS, 64, generator=torch.Generator().manual_seed(6))
    with torch.no_grad():
        reference.eval().reset_eval()
        for t in range(STEPS):
            grains.clear()
            expected = reference(features[:, t : t + 1])
            came, state = ours(features[:, t : t + 1], motion_noise[-1], None, list(grains), controls, state)
            largest = max(largest, float((came - expected).abs().max()))
            brightest = max(brightest, float(expected.abs().max()))
    return largest, brightest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reference", type=Path, required=True, metavar="CHECKOUT")
    sys.path.insert(0, str(parser.parse_args().reference))
    modules = importlib.import_module("modules")
    print(f"{'case':34} {'frame max':>12} {'difference':>11}   {STEPS} carried steps")
    for case, (flags, settings) in CASES.items():
        size = int(case.rsplit(" ", 1)[1])
        front_end = FrontEndConfig(kind="lms", sample_rate_hz=64000)
        config = ModelConfig(name=case, image_size=size, front_end=front_end, generator=ListenAndMoveConfig(**settings))
        with contextlib.redirect_stdout(io.StringIO()):
            reference = modules.GenNet(output_size=size, dim_audio_feat=64, dim_e_motion=2, **flags)
        largest, brightest = compare(reference, config)
        print(f"{case:34} {brightest:12.3f} {largest:11.2e}")
        append_record(
            "reference_parity", {"case": case, "steps": STEPS, "difference_max": largest, "within": largest <= 1e-4}
        )


if __name__ == "__main__":
    main()
