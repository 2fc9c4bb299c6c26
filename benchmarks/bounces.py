"""Whether drawn futures follow the sound: after a bounce tone, does the digit turn within two frames?

    python -m benchmarks.bounces RUN --folder FOLDER/test [--samples 4] [--future 35]

FOLDER was made by training.data.moving_digits, without an obstacle (--no-obstacle) and with one digit. A digit's place is the centre of its
brightness. A bounce at frame k, by the labels, counts as answered when the digit's way from frame to frame turns its sign, right or down, between
frame k - 1 and frame k or k + 1. Beside the futures stand those with the sound of another clip (floor) and the real clips (ceiling).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.record import append_record, print_table
from engine.core.errors import TrainingError, run_main
from training.data.cache import load_clip
from training.data.moving_digits.labels import read_labels
from training.data.video import ClipFormat
from training.data.windows import WindowTiming, frame_tensor, sound_windows
from training.families.sound2sight.futures import futures
from training.families.sound2sight.model import Sound2Sight
from training.loop.checkpoint import chosen_checkpoint, load_generator

# B clips, T frames, H W rows and columns

SEED, DARK, STANDING_PX = 7, 0.3, 0.4
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


def answered(places_BT2: Tensor, bounces: Sequence[Sequence[int]], first: int) -> tuple[int, int]:
    """Return how many bounces were answered, and of how many."""
    counted = [(b, k) for b, frames in enumerate(bounces) for k in alone(frames, first, places_BT2.shape[1])]
    return sum(turns(places_BT2[b], k) for b, k in counted), len(counted)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure how futures answer bounce tones.")
    parser.add_argument("run", type=Path, help="run folder or checkpoint")
    parser.add_argument("--folder", type=Path, required=True, help="clips with their labels")
    parser.add_argument("--samples", type=int, default=4, help="futures of each clip (default 4)")
    parser.add_argument("--future", type=int, default=35, help="frames after the context (default 35)")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="folder of decoded clips")
    arguments = parser.parse_args()
    loaded = load_generator(chosen_checkpoint(arguments.run).folder)
    model = loaded.model
    if not isinstance(model, Sound2Sight):
        raise TrainingError(f"{arguments.run} is of the family '{model.family}'; one of sound2sight was expected.")
    context = model.generator.config.context_frames
    frames, timing = context + arguments.future, WindowTiming.of(model)
    form = ClipFormat(fps=model.fps, image_size=model.frame_size.image_size, sample_rate_hz=model.sample_rate_hz)
    real, audio, bounces = list[Tensor](), list[Tensor](), list[list[int]]()
    for file in sorted(arguments.folder.glob("*.mp4")):
        clip = load_clip(file, form, arguments.cache)
        if len(clip.frames_NHWC) >= frames:
            real.append(frame_tensor(clip, 0, frames))
            audio.append(torch.from_numpy(sound_windows(clip.sound_S, 0, frames, timing)))
            bounces.append([bounce.frame for bounce in read_labels(file.with_suffix(".json")).bounces])
    if len(real) < 2:
        raise TrainingError(
            f"{arguments.folder} holds {len(real)} clips of {frames} frames; two or more were expected."
        )
    seen, sounds, source = torch.stack(real), torch.stack(audio), torch.Generator().manual_seed(SEED)
    # The way before a bounce has to lie in the future.
    first, rows, record = context + 2, list[list[object]](), dict[str, float]()
    for name, heard in (("with its sound", sounds), ("another clip's sound", sounds.roll(1, dims=0))):
        counts = [
            answered(
                torch.cat([places(seen[:, :context]), places(futures(model, seen, heard, context, source))], 1),
                bounces,
                first,
            )
            for _ in range(arguments.samples)
        ]
        rows.append([name, *(sum(column) for column in zip(*counts, strict=True))])
    rows.append(["the clips themselves", *answered(places(seen), bounces, first)])
    for row in rows:
        row.append(float(row[1]) / max(float(row[2]), 1.0))  # type: ignore[arg-type]
        record[str(row[0])] = float(row[3])  # type: ignore[arg-type]
    print_table(["futures", "answered", "bounces", "share"], rows)
    counts_of = {"clips": len(real), "samples": arguments.samples, "iterations": loaded.iterations}
    append_record("bounces", {**counts_of, "answered": record}, model=model.name)
    return 0


if __name__ == "__main__":
    run_main(main)
