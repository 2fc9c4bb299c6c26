"""Memory of an evaluation with sound from outside the clip: does it grow with the number of pieces?

    python -m benchmarks.foreign_sound RUN --pieces 50 500 [--weights mobilenet_v2-b0353104.pth]

Writes noise of 0.3 to 30 s, the lengths of FSD50K, into a folder with sub-folders, and runs python -m training.evaluate once for each
number of pieces. The figure is the largest resident memory of that process. Without --weights, MobileNetV2 has random weights.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np
import torch

from benchmarks.record import append_record, print_table
from engine.core.clock import WallClock
from training.evaluation.metrics.mobilenet import MobileNetV2
from training.loop.checkpoint import load_generator

FILES, RATE_HZ = 100, 44100
SHORTEST_S, LONGEST_S = 0.3, 30.0
SEQUENCE_FRAMES = "16"  # little beside the pieces


def write_sounds(folder: Path) -> None:
    """Write noise, half of the files in each of two sub-folders."""
    random = np.random.default_rng(0)
    for number in range(FILES):
        place = folder / f"part{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        samples = round(random.uniform(SHORTEST_S, LONGEST_S) * RATE_HZ)
        with wave.open(str(place / f"{number}.wav"), "wb") as file:
            file.setparams((1, 2, RATE_HZ, 0, "NONE", "not compressed"))
            file.writeframes((3000 * random.standard_normal(samples)).astype("<i2").tobytes())


def evaluate(run: Path, sounds: Path, out: Path, pieces: int, weights: Path) -> tuple[float, float]:
    """Return the largest resident memory in MB (2**20 bytes) and the time in seconds of one evaluation."""
    words = ["--foreign", str(sounds), "--pieces", str(pieces), "--seconds", "1-5", "--out", str(out)]
    words += ["--lengths", SEQUENCE_FRAMES, "--sequences", "1", "--shifts", "1", "--threads", "1"]
    command = [sys.executable, "-m", "training.evaluate", str(run), *words, "--weights", str(weights)]
    clock = WallClock()
    began_s = clock.now_s()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{' '.join(command)} failed")
    return used.ru_maxrss / 1024.0, clock.now_s() - began_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--pieces", type=int, nargs="+", default=[50, 500], metavar="N")
    parser.add_argument("--weights", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    config = load_generator(arguments.run).config
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sounds(folder / "sounds")
        weights = arguments.weights or folder / "random.pth"
        if arguments.weights is None:
            torch.save(MobileNetV2().state_dict(), weights)
        for pieces in arguments.pieces:
            memory_mb, seconds = evaluate(arguments.run, folder / "sounds", folder / "out", pieces, weights)
            rows.append([pieces, memory_mb, seconds])
    headings = ["pieces", "resident MB", "s"]
    print_table(headings, rows)
    about = {
        "image_size": config.model.image_size,
        "fps": config.model.fps,
        "channels_base": config.model.generator.channels_base,
    }
    append_record("foreign_sound", {**about, "headings": headings, "rows": rows}, model=config.model.name)


if __name__ == "__main__":
    main()
