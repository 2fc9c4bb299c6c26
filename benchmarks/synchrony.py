"""How visibly frames follow the sound: correlation of loudness and motion, with its floor and ceiling.

    python -m benchmarks.synchrony MODEL.mp4 --ceiling TRUE.mp4 --model water

MODEL.mp4 is rendered by run_live.py --render from sound the model was not trained on. TRUE.mp4 is the true scene moved by the
same sound. The floor is the same measure with the sound rotated in time.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from benchmarks.record import append_record
from engine.core.errors import run_main
from training.evaluate_synchrony import table
from training.evaluation.synchrony.film import read_film
from training.evaluation.synchrony.peak_figures import film_synchrony


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path, metavar="MODEL.mp4")
    parser.add_argument("--ceiling", type=Path, required=True, metavar="TRUE.mp4")
    parser.add_argument("--model", default="", help="name of the model, for the record")
    arguments = parser.parse_args()
    files = {"model": arguments.video, "true scene": arguments.ceiling}
    found = {name: film_synchrony(read_film(file, None, with_flow=False)) for name, file in files.items()}
    print(table(found))
    figures = {name: measured and dataclasses.asdict(measured) for name, measured in found.items()}
    append_record("synchrony", {"sound": arguments.video.name, **figures}, model=arguments.model)
    return 0


if __name__ == "__main__":
    run_main(main)
