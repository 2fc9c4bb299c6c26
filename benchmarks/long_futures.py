"""Whether a Sound2Sight run plays on and on without collapsing: its frames by the minute, beside those of the clip.

    python -m benchmarks.long_futures RUN --clip FILE [--minutes 10] [--reseed-s 4]

FILE lends its sound and its first frames as context. Printed and recorded for each minute, of frames with levels from 0 to 1: light (mean level),
contrast (deviation of the levels within a frame, mean of all frames) and motion (mean absolute change from frame to frame). Once the model goes on from its
own frames all the time, and once it is given the first frame of the clip again every few seconds (reseed), as a show may do on onsets or on the bar.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.future_clips import SEED, StretchReader, loaded_run, sound2sight_of
from benchmarks.record import append_record, print_table
from engine.core.argument_parser import ArgumentParser
from engine.core.errors import ConfigError, run_main
from training.families.sound2sight.model import CONTEXT, NOISE, Sound2Sight

# T frames, W window samples, H W rows and columns

PART_S = 4.0
"""So many seconds are played at once."""


class Look(NamedTuple):
    """What frames look like, levels from 0 to 1."""

    light: float
    contrast: float
    motion: float


def look_of(frames_T3HW: Tensor) -> Look:
    """Return the figures of frames in [-1, 1]; two or more."""
    levels = (frames_T3HW.mean(dim=1) + 1.0) / 2.0
    contrast = levels.flatten(1).std(dim=1, correction=0).mean()
    return Look(*(float(value) for value in (levels.mean(), contrast, levels.diff(dim=0).abs().mean())))


@torch.no_grad()
def played(
    model: Sound2Sight, frames_T3HW: Tensor, audio_TW: Tensor, part_frames: int, *, reseeded: bool
) -> Iterator[Tensor]:
    """Yield parts [T, 3, H, W] in [-1, 1] of what the model plays after the context frames, with the first frame again before each if `reseeded`."""
    context, audio = model.context_frames, audio_TW[None]
    source = torch.Generator().manual_seed(SEED)
    noise = model.draw_noise(1, len(audio_TW), source)[NOISE]
    state = model.state_after(frames_T3HW[None, :context], audio[:, :context], {NOISE: noise[:, :context]})
    still = ((frames_T3HW[:1] + 1.0) * 127.5).round().byte().permute(0, 2, 3, 1)
    for begin in range(context, len(audio_TW), part_frames):
        end, drawn = min(begin + part_frames, len(audio_TW)), list[Tensor]()
        # Of the controls, which hold for all steps of a call, reseed is for the first step alone.
        cuts = [(begin, begin + 1, 1.0), (begin + 1, end, 0.0)] if reseeded and begin > context else [(begin, end, 0.0)]
        for first, last, reseed in cuts:
            if last > first:
                features = model.front_end(audio[0, first:last])[None]
                controls = {"reseed": torch.tensor(reseed), CONTEXT: still}
                frames, _, state = model.clip_features(features, {NOISE: noise[:, first:last]}, state, controls)
                drawn.append(frames[0])
        yield torch.cat(drawn)


def by_minute(frames_T3HW: Tensor, fps: int) -> list[Look]:
    """Return the figures of each minute that is complete but for the context."""
    minute = 60 * fps
    return [
        look_of(part)
        for part in frames_T3HW.split(minute)
        if len(part) > 1 and (len(part) > minute // 2 or len(frames_T3HW) < minute)
    ]


def main(words: list[str] | None = None) -> int:
    parser = ArgumentParser(description="Measure whether a run of Sound2Sight collapses in a long play.")
    parser.add_argument("run", type=Path, help="run folder or checkpoint")
    parser.add_argument("--clip", type=Path, required=True, help="a film, as long as it is to be played")
    parser.add_argument("--minutes", type=float, default=10.0, help="at most so many (default 10)")
    parser.add_argument(
        "--reseed-s", type=float, default=PART_S, help=f"seconds between reseedings (default {PART_S:g})"
    )
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="folder of decoded clips")
    arguments = parser.parse_args(words)
    for name in ("minutes", "reseed_s"):
        value = getattr(arguments, name)
        if not (math.isfinite(value) and value > 0.0):
            raise ConfigError(f"--{name.replace('_', '-')} is {value:g}; a finite number above 0 was expected.")
    loaded = loaded_run(arguments.run)
    model = sound2sight_of(loaded, arguments.run)
    reader = StretchReader.of(model, arguments.cache)
    clip = reader.clip(arguments.clip)
    count = min(len(clip.frames_NHWC), round(arguments.minutes * 60 * model.fps))
    if count < model.context_frames + 2:
        raise ConfigError(
            f"{arguments.clip} has {count} frames for it; {model.context_frames} of context and two more were expected."
        )
    real, audio = reader.stretch(clip, 0, count)
    part_frames = max(1, round(arguments.reseed_s * model.fps))
    results = {"the clip": by_minute(real[model.context_frames :], model.fps)}
    for name, reseeded in (("from its own frames", False), ("reseeded", True)):
        drawn = torch.cat(list(played(model, real, audio, part_frames, reseeded=reseeded)))
        results[name] = by_minute(drawn, model.fps)
    rows = [
        [name, figure, *(f"{getattr(look, figure):.4f}" for look in looks)]
        for figure in Look._fields
        for name, looks in results.items()
    ]
    minutes = [str(number) for number in range(1, len(results["the clip"]) + 1)]
    print_table(["frames", "by the minute", *minutes], rows)
    record = {name: [look._asdict() for look in looks] for name, looks in results.items()}
    about = {"iterations": loaded.iterations, "frames": count, "reseed_s": arguments.reseed_s}
    append_record("long_futures", {**about, **record}, model=model.name)
    return 0


if __name__ == "__main__":
    run_main(main)
