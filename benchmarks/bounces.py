"""Whether drawn futures follow the sound: after a bounce tone, does the digit turn within two frames?

    python -m benchmarks.bounces RUN --folder FOLDER/test [--clips 60] [--samples 4] [--future 35]

FOLDER was made by training.data.moving_digits, without an obstacle (--no-obstacle) and with one digit. A digit's place is the centre of its
brightness. A bounce at frame k, by the labels, counts as answered when the digit's way from frame to frame turns its sign, right or down, between
frame k - 1 and frame k or k + 1. Beside the futures stand those with the sound of another clip (floor) and the real clips (ceiling), and how often
the digit turns where no bounce is near: a digit that trembles turns everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.future_clips import SEED, StretchReader, batched, future_arguments, loaded_run, parsed, sound2sight_of
from benchmarks.record import append_record, print_table
from engine.core.errors import run_main
from training.data.moving_digits.labels import read_labels
from training.data.video_files import video_files
from training.families.sound2sight.futures import futures

# B clips, T frames, H W rows and columns

DARK, STANDING_PX = 0.3, 0.4
"""A level below which a pixel is background; a way of fewer pixels has no direction."""


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
        """Of the bounces, those that were answered."""
        return self.answered / max(self.bounces, 1)

    @property
    def share_elsewhere(self) -> float:
        """Of the frames without a bounce near, those in which the digit turned."""
        return self.elsewhere / max(self.frames, 1)


def counted(places_BT2: Tensor, bounces: Sequence[Sequence[int]], first: int) -> Turns:
    """Return the turns of all clips from frame `first` on."""
    end = places_BT2.shape[1]
    near = [turns(places_BT2[b], k) for b, frames in enumerate(bounces) for k in alone(frames, first, end)]
    far = [turns(places_BT2[b], k) for b, frames in enumerate(bounces) for k in elsewhere(frames, first, end)]
    return Turns(sum(near), len(near), sum(far), len(far))


def main(words: list[str] | None = None) -> int:
    parser = future_arguments("Measure how futures answer bounce tones.", samples=4, future=35)
    parser.add_argument("--folder", type=Path, required=True, help="clips with their labels")
    parser.add_argument("--clips", type=int, help="the first so many of them (default: all)")
    arguments = parsed(parser, words)
    loaded = loaded_run(arguments.run)
    model = sound2sight_of(loaded, arguments.run)
    context = model.context_frames
    frames, reader = context + arguments.future, StretchReader.of(model, arguments.cache)
    found, bounces = list[tuple[Tensor, Tensor]](), list[list[int]]()
    for file in video_files([arguments.folder])[: arguments.clips]:
        clip = reader.clip(file)
        if len(clip.frames_NHWC) >= frames:
            found.append(reader.stretch(clip, 0, frames))
            bounces.append([bounce.frame for bounce in read_labels(file.with_suffix(".json")).bounces])
    real, sounds = batched(found, frames)
    source = torch.Generator().manual_seed(SEED)
    # The way before a bounce has to lie in the future.
    first, results = context + 2, dict[str, Turns]()
    for name, heard in (("with its sound", sounds), ("another clip's sound", sounds.roll(1, dims=0))):
        seen = places(real[:, :context])
        drawn = [places(futures(model, real, heard, context, source)) for _ in range(arguments.samples)]
        counts = [counted(torch.cat([seen, one], dim=1), bounces, first) for one in drawn]
        results[name] = Turns(*(sum(column) for column in zip(*counts, strict=True)))
    results["the clips themselves"] = counted(places(real), bounces, first)
    headings = ["futures", "answered", "bounces", "share", "turns elsewhere", "of frames", "share"]
    print_table(
        headings,
        [[name, *got[:2], got.share, *got[2:], got.share_elsewhere] for name, got in results.items()],
    )
    record = {
        "clips": len(real),
        "samples": arguments.samples,
        "iterations": loaded.iterations,
        "answered": {name: got.share for name, got in results.items()},
        "turns_elsewhere": {name: got.share_elsewhere for name, got in results.items()},
    }
    append_record("bounces", record, model=model.name)
    return 0


if __name__ == "__main__":
    run_main(main)
