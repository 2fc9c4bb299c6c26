"""The old name of training.upscale_checkpoint, which works until the next version."""

from __future__ import annotations

import sys

from engine.core.errors import run_main
from training import upscale_checkpoint


def main() -> int:
    print(
        "notice: training.growth is now called training.upscale_checkpoint; the old name works until the next version.",
        file=sys.stderr,
    )
    return upscale_checkpoint.main()


if __name__ == "__main__":
    run_main(main)
