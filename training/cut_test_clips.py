"""Cut the test clips of a data set, as AVSyncD is evaluated on them: 12 frames and 2 s of sound from three moments of each film.

    python -m training.cut_test_clips DATA -o REAL

DATA lies as published: videos/CLASS/NAME.mp4, test.txt with a path a line, class_mapping.json. REAL gets CLASS_NAME_1.mp4 and so on,
and labels.csv with the text of each. docs/diffusion.md says what comes next.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engine.core.argument_parser import ArgumentParser
from engine.core.atomic_files import write_text
from engine.core.counted import counted
from engine.core.errors import TrainingError, run_main
from engine.core.printable import print_line
from training.data.clip_sound import read_sound
from training.diffusion.avsyncd.config import FPS, FRAMES
from training.diffusion.avsyncd.examples import Example, frames_from, read_examples
from training.diffusion.avsyncd.published import CHECKPOINTS
from training.diffusion.render_family import RENDER_RATE_HZ
from training.families.offline import render_file

# F frames, H W rows and columns, S samples of sound

MOMENTS = 3
SECONDS = FRAMES / FPS
LABELS = "labels.csv"
WAY_OUT = "choose another folder with -o"


@dataclass(frozen=True, slots=True, eq=False)
class CutClip:
    """Frames that are there already, as `render_file` takes them."""

    frames_FHW3: NDArray[np.uint8]
    name: str
    sample_rate_hz: int = RENDER_RATE_HZ
    fps: int = FPS

    @property
    def width(self) -> int:
        return self.frames_FHW3.shape[2]

    @property
    def height(self) -> int:
        return self.frames_FHW3.shape[1]

    def render(self, sound_S: NDArray[np.float32]) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames; `sound_S` has their length."""
        yield from self.frames_FHW3


def cut(example: Example, name: str, folder: Path, size: tuple[int, int]) -> list[str]:
    """Write the clips of one film, as NAME_1.mp4 and so on, and return their names.

    They begin at equal distances, from its start to two seconds before its end. Raises MediaError for a film that cannot be read,
    SinkError for a place that cannot be written.
    """
    sound_S, length = read_sound(example.path, RENDER_RATE_HZ), round(SECONDS * RENDER_RATE_HZ)
    latest_s = max(0.0, (len(sound_S) - length) / RENDER_RATE_HZ)
    names = []
    for number, start_s in enumerate(np.linspace(0.0, latest_s, MOMENTS).tolist(), 1):
        first = round(start_s * RENDER_RATE_HZ)
        part_S = sound_S[first : first + length]
        names.append(f"{name}_{number}")
        clip = CutClip(frames_from(example.path, start_s, size), names[-1])
        render_file(clip, np.pad(part_S, (0, length - len(part_S))), folder / f"{names[-1]}.mp4", WAY_OUT)
    return names


def main(argv: list[str] | None = None) -> int:
    parser = ArgumentParser(
        prog="python -m training.cut_test_clips",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="REAL", help="folder for the clips")
    parser.add_argument("--model", choices=tuple(CHECKPOINTS), default="avsync15", help="whose size the clips get")
    parser.add_argument("--text", default="", metavar="TEXT", help="label of films that lie in no folder of a class")
    flags = parser.parse_args(argv)
    examples = read_examples(flags.data, flags.text, "test")
    checkpoint = CHECKPOINTS[flags.model]
    lines = io.StringIO()
    labels = csv.writer(lines, lineterminator="\n")
    try:
        flags.output.mkdir(parents=True, exist_ok=True)
        for example in tqdm(examples, desc="cutting", unit="film", leave=False, dynamic_ncols=True):
            name = "_".join(example.path.relative_to(flags.data / "videos").with_suffix("").parts)
            names = cut(example, name, flags.output, (checkpoint.width, checkpoint.height))
            if example.text:
                labels.writerows((each, example.text) for each in names)
        write_text(flags.output / LABELS, lines.getvalue())
    except OSError as error:
        raise TrainingError(f"Cannot write into {flags.output} ({error.strerror}); {WAY_OUT}.") from error
    print_line(
        f"{counted(MOMENTS * len(examples), 'clip')} of {counted(len(examples), 'film')} in {flags.output}, their labels in {LABELS}"
    )
    return 0


if __name__ == "__main__":
    run_main(main)
