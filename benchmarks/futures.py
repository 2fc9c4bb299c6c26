"""How well a Sound2Sight run foresees clips: the best of several drawn futures, beside the last frame copied and beside another sound.

    python -m benchmarks.futures RUN --clip FILE [FILE ...] [--samples 10] [--future 25] [--beside NAME=RUN ...] [--curves FOLDER]

Each clip is cut into stretches of context and future (the held-out part of the one that was trained on: --held-out); a folder stands for the films in it.
--every N begins one every N frames: of a short clip, many that overlap. --first N leaves out what is before frame N: of moving digits, the frames without
their obstacle, whose place cannot be foreseen.
Printed by frame after the context, and recorded: PSNR and SSIM of the best of the drawn futures with the clip's sound, of one with the sound of a stretch that is half of
them further on (floor), of the last context frame (copied), of black frames, and the diversity (undefined of a single future). --beside names further runs at the same size and rate: one of Sound2Sight goes on from the same
context; one of another family hears the stretch from its begin and sees none of it. The best of as many of its plays counts, where it draws noise.
--curves draws the curves, and real frames above drawn ones.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks.future_clips import (
    SEED,
    StretchReader,
    batched,
    future_arguments,
    loaded_run,
    parsed,
    silent_stretches,
    sound2sight_of,
)
from benchmarks.future_curves import draw_curves, draw_strip
from benchmarks.record import append_record, print_table
from engine.core.argument_parser import ArgumentParser
from engine.core.counted import counted
from engine.core.errors import ConfigError, TrainingError, run_main
from engine.core.printable import print_line
from training.core.streaming import StreamingModel
from training.data.video_files import video_files
from training.data.windows import split
from training.evaluation.synchrony.figures import defined
from training.families.sound2sight.futures import FutureFigures, compared, future_figures
from training.families.sound2sight.model import Sound2Sight
from training.loop.validation import continued

# B stretches, T frames, W window samples, H W rows and columns

SHOWN = (1, 2, 5, 10, 15, 20, 25)
ITS_SOUND, OTHER_SOUND, COPIED, BLACK = "its sound", "another sound", "last frame copied", "black"
TOGETHER = 32
"""Stretches that are played at once: what is drawn of them fits into memory."""


class Curve(NamedTuple):
    """PSNR in dB and SSIM by frame after the context, means of all stretches."""

    psnr_db: list[float]
    ssim: list[float]


def stretches(
    model: StreamingModel,
    files: list[Path],
    frames: int,
    cache: Path,
    held_out: bool,
    every: int | None = None,
    first_frame: int = 0,
) -> tuple[Tensor, Tensor]:
    """Return frames [B, T, 3, H, W] in [-1, 1] and sound windows [B, T, W] of all stretches; each begins `every` frames after the last,
    or at its end."""
    reader, found = StretchReader.of(model, cache), list[tuple[Tensor, Tensor]]()
    for file in files:
        clip = reader.clip(file)
        first = split(clip, frames)[1].first if held_out else first_frame
        last = len(clip.frames_NHWC) - frames
        found += [reader.stretch(clip, begin, frames) for begin in range(first, last + 1, every or frames)]
    return batched(found, frames)


def mean_figures(model: Sound2Sight, real: Tensor, audio: Tensor, samples: int) -> FutureFigures:
    """Return the figures of all stretches, some at a time."""
    source, found, weights = torch.Generator().manual_seed(SEED), list[FutureFigures](), list[int]()
    for begin in range(0, len(real), TOGETHER):
        part = slice(begin, begin + TOGETHER)
        found.append(future_figures(model, real[part], audio[part], samples, source))
        weights.append(len(real[part]))

    def mean(values: list[list[float]]) -> list[float]:
        return (torch.tensor(weights)[:, None] * torch.tensor(values)).sum(dim=0).div(sum(weights)).tolist()

    return FutureFigures(
        psnr_db=mean([one.psnr_db for one in found]),
        ssim=mean([one.ssim for one in found]),
        copied_psnr_db=mean([one.copied_psnr_db for one in found]),
        copied_ssim=mean([one.copied_ssim for one in found]),
        diversity=mean([[one.diversity] for one in found])[0],
    )


def drawn_futures(model: Sound2Sight, real: Tensor, audio: Tensor, source: torch.Generator) -> Tensor:
    """Return what a Sound2Sight model draws after its context [B, T - context, 3, H, W]."""
    return continued(model, real, audio, model.context_frames, source)


@torch.no_grad()
def played(model: StreamingModel, audio: Tensor, context: int, source: torch.Generator) -> Tensor:
    """Return what a model of another family plays to the sound of the stretches from their begin, after the context."""
    noise = model.draw_noise(len(audio), audio.shape[1], source)
    return model.clip(audio, noise, model.initial_state(len(audio)))[0][:, context:]


def best_curve(
    draw: Callable[[Tensor, Tensor], Tensor], real: Tensor, audio: Tensor, context: int, samples: int
) -> Curve:
    """Return the figures of the best of so many plays of each stretch, at each frame by itself."""
    found = list[tuple[Tensor, Tensor]]()
    for begin in range(0, len(real), TOGETHER):
        part = slice(begin, begin + TOGETHER)
        plays = [compared(draw(real[part], audio[part]), real[part, context:]) for _ in range(samples)]
        psnr_db, ssim = (torch.stack(values).amax(dim=0) for values in zip(*plays, strict=True))
        found.append((psnr_db, ssim))
    return Curve(*(torch.cat(values).mean(dim=0).tolist() for values in zip(*found, strict=True)))


class Beside(NamedTuple):
    """A run to compare with: its name, its model, and how it plays stretches."""

    name: str
    model: StreamingModel
    iterations: int
    draw: Callable[[Tensor, Tensor], Tensor]


def beside_run(text: str, like: Sound2Sight) -> Beside:
    """Read NAME=RUN or RUN. Raises TrainingError for a run of another size, rate or number of context frames."""
    given, _, path = text.rpartition("=")
    loaded = loaded_run(Path(path))
    model, source = loaded.model, torch.Generator().manual_seed(SEED)
    if (model.fps, model.frame_size) != (like.fps, like.frame_size):
        raise TrainingError(
            f"{path} plays {model.frame_size} at {model.fps} fps; {like.frame_size} at {like.fps} fps was expected."
        )
    name, context = given or Path(path).name, like.context_frames
    if not isinstance(model, Sound2Sight):
        return Beside(name, model, loaded.iterations, lambda _, audio: played(model, audio, context, source))
    if model.context_frames != context:
        raise TrainingError(f"{path} begins with {model.context_frames} context frames; {context} were expected.")
    return Beside(name, model, loaded.iterations, lambda real, audio: drawn_futures(model, real, audio, source))


def beside_runs(texts: Sequence[str], like: Sound2Sight) -> list[Beside]:
    """Read all runs to compare with. Raises TrainingError as `beside_run`, and for a name that is taken."""
    found, taken = list[Beside](), [ITS_SOUND, OTHER_SOUND, COPIED, BLACK]
    for text in texts:
        found.append(beside_run(text, like))
        if found[-1].name in taken:
            raise TrainingError(f"--beside has '{found[-1].name}', a name that is taken; give another one: NAME=RUN.")
        taken.append(found[-1].name)
    return found


def argument_parser() -> ArgumentParser:
    """Describe the command line."""
    parser = future_arguments("Measure the futures that a Sound2Sight run draws.", samples=10, future=25)
    parser.add_argument("--clip", type=Path, nargs="+", required=True, metavar="FILE", help="films, or folders of some")
    parser.add_argument("--held-out", action="store_true", help="of each clip, the held-out part alone")
    parser.add_argument(
        "--every", type=int, metavar="N", help="begin a stretch every N frames (default: at the end of the last)"
    )
    parser.add_argument("--first", type=int, metavar="N", help="without --held-out: begin with this frame (default 0)")
    parser.add_argument("--beside", nargs="+", default=[], metavar="NAME=RUN", help="runs at the same size and rate")
    parser.add_argument("--curves", type=Path, metavar="FOLDER", help="draw futures.png and futures-frames.png there")
    return parser


def main(words: list[str] | None = None) -> int:
    arguments = parsed(argument_parser(), words)
    if arguments.every is not None and arguments.every < 1:
        raise ConfigError(f"--every is {arguments.every}; 1 or more was expected.")
    if arguments.first is not None and arguments.held_out:
        raise ConfigError(
            f"--first is {arguments.first} beside --held-out, which begins where the part that was trained on ends; leave one of them out."
        )
    first = arguments.first or 0
    if first < 0:
        raise ConfigError(f"--first is {arguments.first}; 0 or more was expected.")
    loaded = loaded_run(arguments.run)
    model, files, samples = sound2sight_of(loaded, arguments.run), video_files(arguments.clip), arguments.samples
    others = beside_runs(arguments.beside, model)
    context = model.context_frames
    frames = context + arguments.future
    cut = (files, frames, arguments.cache, arguments.held_out, arguments.every, first)
    real, audio = stretches(model, *cut)
    if silent := silent_stretches(audio):
        print_line(
            f"notice: the sound of {silent} of {len(audio)} stretches is silent; for them, its sound and another silent one are the same.",
            file=sys.stderr,
        )
    matching = mean_figures(model, real, audio, samples)
    other_sound = mean_figures(model, real, audio.roll(len(audio) // 2, dims=0), samples)
    curves = {
        ITS_SOUND: Curve(matching.psnr_db, matching.ssim),
        OTHER_SOUND: Curve(other_sound.psnr_db, other_sound.ssim),
        COPIED: Curve(matching.copied_psnr_db, matching.copied_ssim),
        # What is small and bright on black is better left out than drawn in another place, by both figures.
        BLACK: best_curve(lambda seen, _: torch.full_like(seen[:, context:], -1.0), real, audio, context, 1),
    }
    rows_shown = {ITS_SOUND: drawn_futures(model, real[:1], audio[:1], torch.Generator().manual_seed(SEED))[0]}
    for other in others:
        its_real, its_audio = stretches(other.model, *cut)
        draws = samples if other.model.noise_specs() else 1
        rows_shown[other.name] = other.draw(its_real[:1], its_audio[:1])[0]
        curves[other.name] = best_curve(other.draw, its_real, its_audio, context, draws)
    record: dict[str, Any] = {
        "stretches": len(real),
        "samples": samples,
        "iterations": loaded.iterations,
        "iterations_beside": {other.name: other.iterations for other in others},
        "diversity": defined(matching.diversity),
        "diversity_other_sound": defined(other_sound.diversity),
    }
    append_record("futures", {**record, **{name: curve._asdict() for name, curve in curves.items()}}, model=model.name)
    shown = [number for number in SHOWN if number <= arguments.future]
    for figure in Curve._fields:
        print(figure)
        rows = [[name, *(getattr(curve, figure)[number - 1] for number in shown)] for name, curve in curves.items()]
        print_table(["frame", *map(str, shown)], rows)
    diversity = "undefined" if math.isnan(matching.diversity) else f"{matching.diversity:.4f}"
    print(f"{len(real)} stretches, {counted(samples, 'future')} each; diversity {diversity}")
    if arguments.curves:
        arguments.curves.mkdir(parents=True, exist_ok=True)
        draw_curves(curves, arguments.curves / "futures.png")
        draw_strip(real[0, context:], rows_shown, arguments.curves / "futures-frames.png")
    return 0


if __name__ == "__main__":
    run_main(main)
