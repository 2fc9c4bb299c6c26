"""Render a clip for each real clip of a folder, to measure them beside each other: from its first frame, its sound and its label.

    python -m training.render_clips REAL -o RENDERED --labels REAL/labels.csv --family avsyncd --weights FOLDER
    python -m training.evaluate_renders RENDERED --reference REAL --labels REAL/labels.csv

All further flags are those of `python -m training.render`; the seed is 0 for every clip unless --seed is given. A clip that is in
RENDERED already is not rendered again, so a rendering that was stopped goes on when it is called once more. docs/diffusion.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from engine.core.argument_parser import ArgumentParser
from engine.core.counted import counted
from engine.core.errors import TrainingError, run_main
from engine.core.printable import print_line
from training import render
from training.data.video_files import video_files
from training.diffusion.render_family import render_family
from training.evaluation.renders.labels import read_labels

UNFINISHED = "unfinished"
"""Folder of the clip that is being rendered: one that was stopped is never taken for a whole one."""
OURS = ("--audio", "--image", "--text", "-o", "--output", "--check-weights")
"""Flags of a rendering that are chosen here, a clip at a time."""


def parse(argv: list[str] | None = None) -> tuple[argparse.Namespace, list[str]]:
    """Return the flags, and those for each rendering. Raises TrainingError for wrong ones."""
    parser = ArgumentParser(
        prog="python -m training.render_clips",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("real", type=Path, nargs="+", metavar="REAL", help="real clips with sound, or folders of them")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="RENDERED", help="folder for the clips")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="the text of each clip: lines NAME,LABEL")
    parser.add_argument("--family", required=True, metavar="NAME", help="see python -m training.render --help")
    flags, others = parser.parse_known_args(argv)
    for flag in OURS:
        if any(word == flag or word.startswith(f"{flag}=") for word in others):
            raise TrainingError(f"{flag} is chosen for each clip here; leave it out, and give texts with --labels.")
    flags.real = video_files(flags.real)
    names = [path.stem for path in flags.real]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TrainingError(f"There are several clips named {twice}; a name of its own for each was expected.")
    return flags, others


def call_for(clip: Path, text: str, output: Path, family: str, others: Sequence[str]) -> list[str]:
    """Return the words of `training.render` for one clip. Raises TrainingError for a family that is not there."""
    parser = argparse.ArgumentParser(add_help=False)
    render_family(family).add_arguments(parser)
    takes_still = hasattr(parser.parse_known_args([])[0], "image")
    words = ["--family", family, "--audio", str(clip), "-o", str(output), "--no-preview", "--seed", "0"]
    words += ["--image", str(clip)] if takes_still else []
    words += [f"--text={text}"] if text else []
    return [*words, *others]


def main(argv: list[str] | None = None) -> int:
    """Render what is not there yet."""
    flags, others = parse(argv)
    labels = read_labels(flags.labels, [path.stem for path in flags.real]) if flags.labels else {}
    unfinished = flags.output / UNFINISHED
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"Cannot write into {flags.output} ({error.strerror}); choose another folder with -o."
        ) from error
    done = 0
    for number, clip in enumerate(flags.real, 1):
        finished = flags.output / f"{clip.stem}.mp4"
        if finished.exists():
            done += 1
            continue
        print_line(f"clip {number} of {len(flags.real)}: {clip.name}")
        begun = unfinished / finished.name
        render.main(call_for(clip, labels.get(clip.stem, ""), begun, flags.family, others))
        os.replace(begun, finished)
    with contextlib.suppress(OSError):
        # It holds what an earlier call of other clips has left.
        unfinished.rmdir()
    print_line(
        f"{counted(len(flags.real), 'clip')} in {flags.output}" + (f", {done} of them there before" if done else "")
    )
    return 0


if __name__ == "__main__":
    run_main(main)
