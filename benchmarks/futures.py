"""How well a Sound2Sight run foresees clips: the best of several drawn futures, beside the last frame copied and beside another sound.

    python -m benchmarks.futures RUN --clip FILE [FILE ...] [--samples 10] [--future 25] [--beside OTHER_RUN]

Each clip is cut into stretches of context and future (the held-out part of the one that was trained on, others whole). Printed by frame after the context, and
recorded: PSNR and SSIM of the best of the drawn futures with the clip's sound, of one with the sound of another stretch (floor), of the last context frame (copied), and the diversity.
--beside names a run of another family at the same size and rate, which hears the stretch from its begin and sees none of it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.record import append_record, print_table
from engine.core.errors import TrainingError, run_main
from training.core.streaming import StreamingModel
from training.data.cache import load_clip
from training.data.video import ClipFormat
from training.data.windows import WindowTiming, frame_tensor, sound_windows, split
from training.families.sound2sight.futures import FutureFigures, compared, future_figures
from training.families.sound2sight.model import Sound2Sight
from training.loop.checkpoint import chosen_checkpoint, load_generator

SEED, SHOWN = 7, (1, 2, 5, 10, 15, 20, 25)


def stretches(
    model: StreamingModel, files: list[Path], frames: int, cache: Path, held_out: bool
) -> tuple[Tensor, Tensor]:
    """Return frames [B, T, 3, H, W] in [-1, 1] and sound windows [B, T, W] of all stretches."""
    form = ClipFormat(fps=model.fps, image_size=model.frame_size.image_size, sample_rate_hz=model.sample_rate_hz)
    timing, real, audio = WindowTiming.of(model), list[Tensor](), list[Tensor]()
    for file in files:
        clip = load_clip(file, form, cache)
        first = split(clip, frames)[1].first if held_out else 0
        for begin in range(first, len(clip.frames_NHWC) - frames + 1, frames):
            real.append(frame_tensor(clip, begin, frames))
            audio.append(torch.from_numpy(sound_windows(clip.sound_S, begin, frames, timing)))
    if len(real) < 2:
        raise TrainingError(f"The clips hold {len(real)} stretches of {frames} frames; two or more were expected.")
    return torch.stack(real), torch.stack(audio)


def mean_figures(model: Sound2Sight, real: Tensor, audio: Tensor, samples: int, together: int = 32) -> FutureFigures:
    """Return the figures of all stretches, some at a time."""
    source, found, weights = torch.Generator().manual_seed(SEED), list[FutureFigures](), list[int]()
    for begin in range(0, len(real), together):
        part = slice(begin, begin + together)
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


@torch.no_grad()
def played_figures(model: StreamingModel, real: Tensor, audio: Tensor, context: int) -> tuple[list[float], list[float]]:
    """Return PSNR in dB and SSIM of what a model plays to the sound of the stretches from their begin, by frame after the context."""
    source, found = torch.Generator().manual_seed(SEED), list[tuple[Tensor, Tensor]]()
    for frames_T3HW, audio_TW in zip(real, audio, strict=True):
        noise = model.draw_noise(1, len(audio_TW), source)
        fake = model.clip(audio_TW[None], noise, model.initial_state(1))[0]
        found.append(compared(fake[:, context:], frames_T3HW[None, context:]))
    psnr_db, ssim = (torch.cat(values).mean(dim=0).tolist() for values in zip(*found, strict=True))
    return psnr_db, ssim


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the futures that a Sound2Sight run draws.")
    parser.add_argument("run", type=Path, help="run folder or checkpoint")
    parser.add_argument("--clip", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument("--held-out", action="store_true", help="of each clip, the held-out part alone")
    parser.add_argument("--samples", type=int, default=10, help="futures of each stretch (default 10)")
    parser.add_argument("--future", type=int, default=25, help="frames after the context (default 25)")
    parser.add_argument("--beside", type=Path, metavar="RUN", help="a run of another family at the same size and rate")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="folder of decoded clips")
    arguments = parser.parse_args()
    loaded = load_generator(chosen_checkpoint(arguments.run).folder)
    model = loaded.model
    if not isinstance(model, Sound2Sight):
        raise TrainingError(f"{arguments.run} is of the family '{model.family}'; one of sound2sight was expected.")
    frames = model.generator.config.context_frames + arguments.future
    real, audio = stretches(model, arguments.clip, frames, arguments.cache, arguments.held_out)
    matching = mean_figures(model, real, audio, arguments.samples)
    other = mean_figures(model, real, audio.roll(1, dims=0), arguments.samples)
    figures = {
        "psnr_db": matching.psnr_db,
        "ssim": matching.ssim,
        "other_sound_psnr_db": other.psnr_db,
        "other_sound_ssim": other.ssim,
        "copied_psnr_db": matching.copied_psnr_db,
        "copied_ssim": matching.copied_ssim,
    }
    if arguments.beside:
        beside = load_generator(chosen_checkpoint(arguments.beside).folder).model.eval()
        if (beside.fps, beside.frame_size) != (model.fps, model.frame_size):
            raise TrainingError(
                f"{arguments.beside} plays {beside.frame_size} at {beside.fps} fps; {model.frame_size} at {model.fps} fps was expected."
            )
        its_real, its_audio = stretches(beside, arguments.clip, frames, arguments.cache, arguments.held_out)
        psnr_db, ssim = played_figures(beside, its_real, its_audio, model.generator.config.context_frames)
        figures |= {f"{beside.family}_psnr_db": psnr_db, f"{beside.family}_ssim": ssim}
    record = {"stretches": len(real), "samples": arguments.samples, "iterations": loaded.iterations, **figures}
    append_record("futures", {**record, "diversity": matching.diversity}, model=model.name)
    rows = [
        [number, *(values[number - 1] for values in figures.values())] for number in SHOWN if number <= arguments.future
    ]
    print_table(["frame", *figures], rows)
    print(f"{len(real)} stretches, {arguments.samples} futures each; diversity {matching.diversity:.4f}")
    return 0


if __name__ == "__main__":
    run_main(main)
