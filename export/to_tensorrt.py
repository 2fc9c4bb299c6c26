"""Compile a model file for NVIDIA graphics cards with TensorRT for RTX. This machine needs no such card.

    python -m export.to_tensorrt MODEL.onnx --gpu sm89 [--gpu sm86] [-o MODEL.plan]

Without -o the plan goes to the cache, where the backend tensorrt-rtx finds it when it opens MODEL.onnx; a plan that is already
there is not built again. The network is strongly typed: it computes in the precision of the file, so a plan in float16 is built
from a file in float16.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from engine.core.argument_parser import ArgumentParser
from engine.core.errors import run_main
from engine.core.printable import print_line
from export.targets.tensorrt.build import GENERATIONS, build_plan, plan_key, sold_as
from export.targets.tensorrt.plans import cached_plan, write_plan


def main() -> int:
    arguments = _parser().parse_args()
    begun_s = time.monotonic()
    model, gpus = arguments.model, arguments.gpu
    built = True
    if arguments.output:
        path, plan = arguments.output, build_plan(model, gpus)
        write_plan(plan, path)
    else:
        key, _ = plan_key(model, gpus)
        path, plan, built = cached_plan(key, model.stem, lambda: build_plan(model, gpus))
    how = f"built in {time.monotonic() - begun_s:.1f} s" if built else "already there"
    print_line(
        f"{path}: '{plan.card.name}' in {plan.key.precision} for {sold_as(plan.key.gpus)}, {path.stat().st_size / 1e6:.1f} MB, {how} "
        f"with {plan.key.library} {plan.key.library_version}"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = ArgumentParser(
        prog="python -m export.to_tensorrt",
        description="Compile a model file for NVIDIA graphics cards. This machine needs no such card.",
    )
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="a model file made by export.to_onnx")
    parser.add_argument(
        "--gpu", action="append", required=True, metavar="GPU",
        help=f"generation of the graphics card; may be given several times for one plan: {sold_as(tuple(GENERATIONS))}",
    )  # fmt: skip
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="MODEL.plan",
        help="plan file (default: in the cache, where tensorrt-rtx finds it)",
    )
    return parser


if __name__ == "__main__":
    run_main(main)
