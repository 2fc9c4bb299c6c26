"""Whether drawn futures follow the sound: after a bounce tone, does the digit turn within two frames?

    python -m benchmarks.bounces RUN --folder FOLDER/test [--clips 60] [--samples 4] [--future 35]

FOLDER was made by training.data.moving_digits with one digit, without --legacy, at the run's rate and size. A digit's place is the centre of its brightness. Where clips have an obstacle, the
context begins with its first frame, so it is known from there; its square is left out of the brightness, and bounces at edges and at the obstacle are
counted for themselves too. A bounce at frame k, by the labels, counts as answered when the digit's way from frame to frame turns its sign, right or down, between
frame k - 1 and frame k or k + 1. Beside the futures stand those with the sound of another clip (floor) and the real clips (ceiling), and how often
the digit turns where no bounce is near: a digit that trembles turns everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.future_clips import SEED, StretchReader, batched, future_arguments, loaded_run, parsed, sound2sight_of
from benchmarks.record import append_record, print_table
from engine.core.errors import TrainingError, run_main
from training.core.frame_size import FrameSize
from training.core.streaming import StreamingModel
from training.data.moving_digits.labels import Against, ClipLabels, Obstacle, read_labels
from training.data.video_files import video_files
from training.evaluation.synchrony.figures import defined
from training.loop.validation import continued

# B clips, T frames, H W rows and columns

AGAINST: tuple[Against, ...] = ("edge", "obstacle")
DARK, STANDING_PX = 0.3, 0.4
"""A level below which a pixel is background; a way of fewer pixels has no direction."""


def without_obstacles(frames_BT3HW: Tensor, obstacles: Sequence[Obstacle | None]) -> Tensor:
    """Return the frames with the square of each clip's obstacle dark, and a pixel around it, to which the encoder smears it."""
    hidden = frames_BT3HW.clone()
    for clip, obstacle in zip(hidden, obstacles, strict=True):
        if obstacle is not None:
            column, row = (int(first) for first in obstacle.place)
            rows, columns = (slice(max(first - 1, 0), first + obstacle.size + 1) for first in (row, column))
            clip[..., rows, columns] = -1.0
    return hidden


def places(frames_BT3HW: Tensor) -> Tensor:
    """Return the digits' places [B, T, 2], right and down in pixels, of frames in [-1, 1]; not a number where nothing is bright."""
    light = ((frames_BT3HW.mean(dim=2) + 1.0) / 2.0 - DARK).clamp_min(0.0)
    rows, columns = (torch.arange(side, dtype=light.dtype) for side in light.shape[-2:])
    total = light.sum(dim=(2, 3))
    return torch.stack(
        [(light.sum(dim=2) * columns).sum(dim=2) / total, (light.sum(dim=3) * rows).sum(dim=2) / total], dim=2
    )


def turns(places_T2: Tensor, frame: int) -> bool:
    """Tell whether the way between frames turns its sign at this frame or the next."""
    ways = places_T2.diff(dim=0)
    before, after = ways[frame - 2], ways[frame - 1 : frame + 1]
    turned = (before * after < 0.0) & (before.abs() > STANDING_PX) & (after.abs() > STANDING_PX)
    return bool(turned.any())


def alone(bounces: Sequence[int], first: int, end: int) -> list[int]:
    """Return the bounces in a range that have no other one within two frames."""
    return [k for k in bounces if first <= k < end - 1 and not any(0 < abs(k - other) <= 2 for other in bounces)]


def elsewhere(bounces: Sequence[int], first: int, end: int) -> list[int]:
    """Return the frames in a range that have no bounce within two frames."""
    return [k for k in range(first, end - 1) if not any(abs(k - bounce) <= 2 for bounce in bounces)]


class Turns(NamedTuple):
    """How many bounces were answered, of how many; how often the digit turned elsewhere, in how many frames."""

    answered: int
    bounces: int
    elsewhere: int
    frames: int

    @property
    def share(self) -> float:
        """Of the bounces, those that were answered; NaN, undefined, without a bounce."""
        return self.answered / self.bounces if self.bounces else math.nan

    @property
    def share_elsewhere(self) -> float:
        """Of the frames without a bounce near, those in which the digit turned; NaN, undefined, without such a frame."""
        return self.elsewhere / self.frames if self.frames else math.nan


def counted(
    places_BT2: Tensor, bounces: Sequence[Sequence[int]], first: int, asked: Sequence[Sequence[int]] | None = None
) -> Turns:
    """Return the turns of all clips from frame `first` on. Of the bounces only those in `asked` count, where it is given."""
    end, asked = places_BT2.shape[1], asked or bounces
    lone = [(b, k) for b, frames in enumerate(bounces) for k in alone(frames, first, end) if k in asked[b]]
    near = [turns(places_BT2[b], k) for b, k in lone]
    far = [turns(places_BT2[b], k) for b, frames in enumerate(bounces) for k in elsewhere(frames, first, end)]
    return Turns(sum(near), len(near), sum(far), len(far))


def check_labels(file: Path, labels: ClipLabels, model: StreamingModel) -> None:
    """Raise TrainingError for a clip whose bounces cannot be found in what the model plays."""
    if labels.is_legacy:
        raise TrainingError(
            f"{file} was made with --legacy, where the turn is seen one frame after its tone; clips made without it were expected."
        )
    if len(labels.digits) != 1:
        raise TrainingError(f"{file} has {len(labels.digits)} digits; one was expected: make clips with --count 1.")
    if labels.fps != model.fps:
        raise TrainingError(
            f"{file} has {labels.fps} frames a second; {model.fps}, those of the run, were expected: make clips with --fps {model.fps}."
        )
    own = FrameSize(labels.size, labels.size)
    if own != model.frame_size:
        side, is_square = model.frame_size.height, len(set(model.frame_size)) == 1
        way_out = f"make clips with --size {side}" if is_square else "give a run of square frames"
        raise TrainingError(
            f"{file} has frames of {own}; {model.frame_size}, those of the run, were expected: {way_out}."
        )


def begin_of(labels: ClipLabels) -> int:
    """Return the frame with which the context begins: where the obstacle has come, if there is one."""
    return labels.obstacle.frame if labels.obstacle else 0


def bounce_frames(labels: Sequence[ClipLabels], against: Against | None = None) -> list[list[int]]:
    """Return the bounces of each clip, all or of one kind, counted from the frame with which its context begins."""
    return [
        [bounce.frame - begin_of(known) for bounce in known.bounces if against in {None, bounce.against}]
        for known in labels
    ]


def main(words: list[str] | None = None) -> int:
    parser = future_arguments("Measure how futures answer bounce tones.", samples=4, future=35)
    parser.add_argument("--folder", type=Path, required=True, help="clips with their labels")
    parser.add_argument("--clips", type=int, help="the first so many of them (default: all)")
    arguments = parsed(parser, words)
    if not arguments.folder.is_dir():
        raise TrainingError(
            f"--folder is {arguments.folder}, which is no folder; one with clips of training.data.moving_digits was expected, such as media/m3so/test."
        )
    loaded = loaded_run(arguments.run)
    model = sound2sight_of(loaded, arguments.run)
    context = model.context_frames
    frames, reader = context + arguments.future, StretchReader.of(model, arguments.cache)
    found, labels = list[tuple[Tensor, Tensor]](), list[ClipLabels]()
    for file in video_files([arguments.folder])[: arguments.clips]:
        known = read_labels(file.with_suffix(".json"))
        check_labels(file, known, model)
        clip = reader.clip(file)
        if len(clip.frames_NHWC) >= begin_of(known) + frames:
            found.append(reader.stretch(clip, begin_of(known), frames))
            labels.append(known)
    real, sounds = batched(found, frames)
    obstacles, source = [known.obstacle for known in labels], torch.Generator().manual_seed(SEED)
    bounces = bounce_frames(labels)
    kinds = {"": bounces}
    if any(obstacles):
        kinds |= {f", at the {kind}": bounce_frames(labels, kind) for kind in AGAINST}
    # The way before a bounce has to lie in the future.
    first, results = context + 2, dict[str, Turns]()

    def count(name: str, plays: Sequence[Tensor]) -> None:
        seen = [places(without_obstacles(play, obstacles)) for play in plays]
        for kind, asked in kinds.items():
            counts = [counted(one, bounces, first, asked) for one in seen]
            results[name + kind] = Turns(*(sum(column) for column in zip(*counts, strict=True)))

    for name, heard in (("with its sound", sounds), ("another clip's sound", sounds.roll(1, dims=0))):
        drawn = [continued(model, real, heard, context, source) for _ in range(arguments.samples)]
        count(name, [torch.cat([real[:, :context], one], dim=1) for one in drawn])
    count("the clips themselves", [real])
    headings = ["futures", "answered", "bounces", "share", "turns elsewhere", "of frames", "share"]
    print_table(
        headings,
        [[name, *got[:2], got.share, *got[2:], got.share_elsewhere] for name, got in results.items()],
    )
    record = {
        "clips": len(real),
        "samples": arguments.samples,
        "iterations": loaded.iterations,
        "answered": {name: defined(got.share) for name, got in results.items()},
        "turns_elsewhere": {name: defined(got.share_elsewhere) for name, got in results.items()},
    }
    append_record("bounces", record, model=model.name)
    return 0


if __name__ == "__main__":
    run_main(main)
