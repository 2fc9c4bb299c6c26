"""Cut the test clips of a data set, as AVSyncD is evaluated on them: 12 frames and 2 s of sound from three moments of each film.

    python -m training.cut_test_clips DATA -o REAL
    python -m training.cut_test_clips FILMS -o REAL --model tempotokens --split datasets/landscape.csv

DATA lies as AVSyncD's authors publish it: videos/CLASS/NAME.mp4, test.txt with a path a line, class_mapping.json. With --split, a list
that TempoTokens' authors publish says which films of a folder are for tests. REAL gets CLASS_NAME_1.mp4 and so on, and labels.csv with
the text of each. docs/diffusion.md says what comes next.
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
from training.diffusion.tempotokens.family import FAMILY as TEMPOTOKENS
from training.diffusion.tempotokens.settings import DEFAULT_RATE
from training.diffusion.tempotokens.splits import films_of
from training.families.offline import render_file

# F frames, H W rows and columns, S samples of sound

MOMENTS = 3
SECONDS = FRAMES / FPS
LABELS = "labels.csv"
WAY_OUT = "choose another folder with -o"


@dataclass(frozen=True, slots=True)
class Form:
    """Of the clips that a model makes."""

    width: int
    height: int
    fps: int = FPS


FORMS = {
    **{name: Form(checkpoint.width, checkpoint.height) for name, checkpoint in CHECKPOINTS.items()},
    "tempotokens": Form(TEMPOTOKENS.width, TEMPOTOKENS.height, DEFAULT_RATE),
}


@dataclass(frozen=True, slots=True, eq=False)
class CutClip:
    """Frames that are there already, as `render_file` takes them."""

    frames_FHW3: NDArray[np.uint8]
    name: str
    fps: int
    sample_rate_hz: int = RENDER_RATE_HZ

    @property
    def width(self) -> int:
        return self.frames_FHW3.shape[2]

    @property
    def height(self) -> int:
        return self.frames_FHW3.shape[1]

    def render(self, sound_S: NDArray[np.float32]) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames; `sound_S` has their length."""
        yield from self.frames_FHW3


def cut(path: Path, name: str, folder: Path, form: Form) -> list[str]:
    """Write the clips of one film, as NAME_1.mp4 and so on, and return their names.

    They begin at equal distances, from its start to two seconds before its end. Raises MediaError for a film that cannot be read,
    SinkError for a place that cannot be written.
    """
    sound_S, length = read_sound(path, RENDER_RATE_HZ), round(SECONDS * RENDER_RATE_HZ)
    latest_s = max(0.0, (len(sound_S) - length) / RENDER_RATE_HZ)
    names = []
    for number, start_s in enumerate(np.linspace(0.0, latest_s, MOMENTS).tolist(), 1):
        first = round(start_s * RENDER_RATE_HZ)
        part_S = sound_S[first : first + length]
        names.append(f"{name}_{number}")
        size, count = (form.width, form.height), round(SECONDS * form.fps)
        clip = CutClip(frames_from(path, start_s, size, form.fps, count), names[-1], form.fps)
        render_file(clip, np.pad(part_S, (0, length - len(part_S))), folder / f"{names[-1]}.mp4", WAY_OUT)
    return names


def films_for_tests(data: Path, split: Path | None, text: str) -> list[tuple[str, Example]]:
    """Return the films and the beginnings of their clips' names. Raises TrainingError as the readers of both kinds of lists."""
    if split is not None:
        return [(film.path.stem, Example(film.path, film.text)) for film in films_of([data], split, "test")]
    examples = read_examples(data, text, "test")
    return [("_".join(each.path.relative_to(data / "videos").with_suffix("").parts), each) for each in examples]


def main(argv: list[str] | None = None) -> int:
    parser = ArgumentParser(
        prog="python -m training.cut_test_clips",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="REAL", help="folder for the clips")
    parser.add_argument(
        "--model", choices=tuple(FORMS), default="avsync15", help="whose size and frame rate the clips get"
    )
    parser.add_argument("--split", type=Path, metavar="FILE.csv", help="a list of films by TempoTokens' authors")
    parser.add_argument("--text", default="", metavar="TEXT", help="label of films that lie in no folder of a class")
    flags = parser.parse_args(argv)
    films = films_for_tests(flags.data, flags.split, flags.text)
    lines = io.StringIO()
    labels = csv.writer(lines, lineterminator="\n")
    try:
        flags.output.mkdir(parents=True, exist_ok=True)
        for name, film in tqdm(films, desc="cutting", unit="film", leave=False, dynamic_ncols=True):
            names = cut(film.path, name, flags.output, FORMS[flags.model])
            if film.text:
                labels.writerows((each, film.text) for each in names)
        write_text(flags.output / LABELS, lines.getvalue())
    except OSError as error:
        raise TrainingError(f"Cannot write into {flags.output} ({error.strerror}); {WAY_OUT}.") from error
    print_line(
        f"{counted(MOMENTS * len(films), 'clip')} of {counted(len(films), 'film')} in {flags.output}, their labels in {LABELS}"
    )
    return 0


if __name__ == "__main__":
    run_main(main)
