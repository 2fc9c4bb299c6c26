"""Render a clip for each real clip of a folder, to measure them beside each other: from its first frame, its sound and its label.

    python -m training.render_clips REAL -o RENDERED --labels REAL/labels.csv --family avsyncd --weights FOLDER
    python -m training.evaluate_renders RENDERED --reference REAL --labels REAL/labels.csv

All further flags are those of `python -m training.render`; the seed is 0 for every clip unless --seed is given. The weights are read
once. A clip that is in RENDERED already is not rendered again, so a rendering that was stopped goes on when it is called once more;
with other flags it needs another folder. docs/diffusion.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from engine.core.argument_parser import ArgumentParser
from engine.core.atomic_files import write_text
from engine.core.counted import counted
from engine.core.errors import TrainingError, run_main
from engine.core.printable import print_line
from engine.core.small_files import read_bytes
from engine.core.structured import parse_json
from training import render
from training.data.video_files import video_files
from training.diffusion.loaded import Loaded
from training.diffusion.render_family import render_family
from training.evaluation.renders.labels import read_labels

UNFINISHED = "unfinished"
"""Folder of the clip that is being rendered: one that was stopped is never taken for a whole one."""
RECORD = "rendering.json"
"""The flags that all clips in the folder were rendered with."""
LARGEST_RECORD_BYTES = 1 << 20
OURS = ("--audio", "--image", "--text", "-o", "--output", "--check-weights")
"""Flags of a rendering that are chosen here, a clip at a time."""
NOT_OF_THE_FRAMES = {
    *("audio", "image", "text", "output", "check_weights", "no_preview"),
    *("device", "save_memory", "most_memory"),
}
"""Flags that are chosen here or change nothing to be seen."""


def parse(argv: list[str] | None = None) -> tuple[argparse.Namespace, list[str]]:
    """Return the flags, and those for each rendering. Raises TrainingError for wrong ones."""
    parser = ArgumentParser(
        prog="python -m training.render_clips",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("real", type=Path, nargs="+", metavar="REAL", help="real clips with sound, or folders of them")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="RENDERED", help="folder for the clips")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="the text of each clip: lines NAME,LABEL")
    parser.add_argument("--family", required=True, metavar="NAME", help="see python -m training.render --help")
    flags, others = parser.parse_known_args(argv)
    for word in others:
        # argparse takes beginnings of flags too.
        given = word.partition("=")[0]
        flag = next((flag for flag in OURS if flag == given or (len(given) > 3 and flag.startswith(given))), None)
        if flag:
            raise TrainingError(f"{flag} is chosen for each clip here; leave it out, and give texts with --labels.")
    flags.real = video_files(flags.real)
    names = [path.stem for path in flags.real]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TrainingError(f"There are several clips named {twice}; a name of its own for each was expected.")
    inside = next((path for path in flags.real if path.parent.resolve() == flags.output.resolve()), None)
    if inside is not None:
        raise TrainingError(f"The real clip {inside} lies in the folder for rendered ones; choose another one with -o.")
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
    family = render_family(flags.family)
    parser = render.argument_parser(family)
    unfinished = flags.output / UNFINISHED
    calls = [
        call_for(clip, labels.get(clip.stem, ""), unfinished / f"{clip.stem}.mp4", flags.family, others)
        for clip in flags.real
    ]
    # Before anything is written: wrong flags are told although all clips may be there.
    asked = [parser.parse_args(call) for call in calls]
    _begin(flags.output, asked[0])
    loaded, done = Loaded(keeps=True), 0
    for number, (clip, arguments) in enumerate(zip(flags.real, asked, strict=True), 1):
        finished = flags.output / arguments.output.name
        if finished.exists():
            done += 1
            continue
        print_line(f"clip {number} of {len(flags.real)}: {clip.name}")
        render.render_clip(family, arguments, loaded)
        os.replace(arguments.output, finished)
    with contextlib.suppress(OSError):
        # It holds what an earlier call of other clips has left.
        unfinished.rmdir()
    print_line(
        f"{counted(len(flags.real), 'clip')} in {flags.output}" + (f", {done} of them there before" if done else "")
    )
    return 0


def _begin(output: Path, arguments: argparse.Namespace) -> None:
    """Make the folders and the record. Raises TrainingError where that cannot be, and for clips that were rendered with other flags."""
    settings = {name: str(value) for name, value in sorted(vars(arguments).items()) if name not in NOT_OF_THE_FRAMES}
    record = output / RECORD
    try:
        (output / UNFINISHED).mkdir(parents=True, exist_ok=True)
        if not record.exists():
            write_text(record, json.dumps(settings, indent=1))
            return
        before = parse_json(read_bytes(record, LARGEST_RECORD_BYTES))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TrainingError(f"Cannot write into {output} ({reason}); choose another folder with -o.") from error
    if before != settings:
        others = before if isinstance(before, dict) else {}
        name = next((name for name in settings if others.get(name) != settings[name]), "one")
        raise TrainingError(
            f"{output} holds clips that were rendered with another --{name.replace('_', '-')} ({others.get(name)}); choose another folder "
            "with -o, or delete it to begin again."
        )


if __name__ == "__main__":
    run_main(main)
