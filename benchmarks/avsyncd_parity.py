"""Compare AVSyncD as it is written here with the original's own code, with the same random weights.

    python -m benchmarks.avsyncd_parity --asva CHECKOUT --imagebind CHECKOUT [--write FILE.npz]

How to get the checkouts is in benchmarks/avsyncd_original.py. Weights are random, also those that are 0 before training. Printed
and recorded are the largest differences of each kind of block in one step of the UNet, of the audio encoder, of the UNet, and of
the latents after 4 sampling steps with the same noise; beside each is the deviation of the original's values. The names and shapes
of all tensors at full size are compared on the meta device. --write keeps the original's values for the tests.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import avsyncd_cases as cases
from benchmarks import avsyncd_original as original
from benchmarks.record import append_record, print_table
from engine.core.errors import run_main
from training.diffusion.avsyncd.config import FRAMES, UNetConfig
from training.diffusion.avsyncd.unet import VideoUNet
from training.diffusion.imagebind_audio import ImageBindAudio, ImageBindAudioConfig

Figures = dict[str, tuple[float, float]]
"""What was compared: the largest difference, and the deviation of the original's values."""


def apart(theirs: Tensor, ours: Tensor) -> tuple[float, float]:
    assert theirs.shape == ours.shape, (theirs.shape, ours.shape)
    return float((theirs - ours).abs().max()), float(theirs.std(correction=0))


def watch(module: nn.Module, names: list[str], found: dict[str, Tensor]) -> None:
    """Keep what the submodules of these names give."""
    for name in names:

        def keep(_module: nn.Module, _given: Any, output: Any, name: str = name) -> None:
            output = getattr(output, "sample", output)
            found[name] = (output[0] if isinstance(output, tuple) else output).clone()

        module.get_submodule(name).register_forward_hook(keep)


def compare_blocks(theirs: Any, ours: VideoUNet) -> Figures:
    """Compare all blocks that give videos, by kind, in steps with both sizes."""
    kinds = {
        name: type(module).__name__.lstrip("_")
        for name, module in ours.named_modules()
        if name and type(module).__module__.startswith("training.") and "transformer_blocks" not in name
    }
    figures: dict[str, list[tuple[float, float]]] = defaultdict(list)
    expected, came = dict[str, Tensor](), dict[str, Tensor]()
    watch(theirs, list(kinds), expected)
    watch(ours, list(kinds), came)
    for sides in cases.SIDES:
        original.step_value(theirs, sides)
        cases.step_value(ours, sides)
        for name, kind in kinds.items():
            figures[kind].append(apart(expected[name], came[name]))
    return {kind: (max(far for far, _ in values), values[0][1]) for kind, values in figures.items()}


def compare_names(config: UNetConfig, audio: ImageBindAudioConfig) -> dict[str, int]:
    """Return how many tensors both have at full size. Raises AssertionError where a name or shape differs."""
    # ImageBind computes with numbers while it is built, so it is built with its numbers.
    their_audio = original.original_audio(audio, FRAMES)
    with torch.device("meta"):
        pairs = {
            "UNet": (original.original_unet(config), VideoUNet(config)),
            "audio encoder": (their_audio, ImageBindAudio(audio)),
        }
    counts = {}
    for name, (theirs, ours) in pairs.items():
        expected = {key: value.shape for key, value in theirs.state_dict().items()}
        assert expected == {key: value.shape for key, value in ours.state_dict().items()}, name
        counts[f"{name}: tensors"] = len(expected)
        counts[f"{name}: numbers"] = sum(value.numel() for value in theirs.state_dict().values())
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare AVSyncD with the original's code.")
    parser.add_argument("--asva", type=Path, required=True, metavar="CHECKOUT")
    parser.add_argument("--imagebind", type=Path, required=True, metavar="CHECKOUT")
    parser.add_argument("--write", type=Path, metavar="FILE.npz", help="keep the original's values for the tests")
    arguments = parser.parse_args()
    original.import_original(arguments.asva.resolve(), arguments.imagebind.resolve())
    theirs, ours = original.original_unet(cases.SMALL), VideoUNet(cases.SMALL)
    their_audio, audio = original.original_audio(cases.SMALL_AUDIO, FRAMES), ImageBindAudio(cases.SMALL_AUDIO)
    for module in (theirs, ours, their_audio, audio):
        cases.give_weights(module)
    expected, came = original.original_values(theirs, their_audio), cases.own_values(ours, audio)
    figures = {name: apart(value, came[name]) for name, value in expected.items()} | compare_blocks(theirs, ours)
    counts = compare_names(UNetConfig(), ImageBindAudioConfig())
    append_record("avsyncd_parity", {**{name: far for name, (far, _) in figures.items()}, **counts})
    rows = [[name, f"{far:.1e}", f"{deviation:.2g}"] for name, (far, deviation) in figures.items()]
    print_table(["part", "largest difference", "deviation"], rows)
    print_table(["equal at full size", "count"], [[*count] for count in counts.items()])
    if arguments.write:
        np.savez(arguments.write, **{name: value.numpy() for name, value in expected.items()})
    return 0


if __name__ == "__main__":
    run_main(main)
