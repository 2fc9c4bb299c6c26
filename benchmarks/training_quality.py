"""What the same number of iterations teaches: the original's own training beside ours, on one real clip.

    python -m benchmarks.training_quality CLIP --reference CHECKOUT [--image-size 64] [--iterations 200] [--seeds 3] [--weights FILE]

All see the same frames and features in the same order and are judged on the held-out part. "ours, same maths" has the
original's networks and losses (wgan-gp, no perceptual term: VGG16 is not ours to give to both); "ours, teaching" is what this
project recommends instead, with the same number of iterations.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from benchmarks.frame_quality import Quality
from benchmarks.record import append_record, print_table
from benchmarks.trainers import PAPER, Original, Setting
from engine.core.clock import WallClock
from engine.core.errors import run_main
from training.data.cache import load_clip
from training.data.video import Clip
from training.data.windows import FrameRange, WindowTiming, sound_windows
from training.loop.config import TrainConfig, load_train_config
from training.loop.trainer import Trainer, build_trainer

TEACHING = PAPER.with_name("demo.yaml")
Frames = NDArray[np.uint8]


def ours(config: TrainConfig, clip_path: Path) -> Trainer:
    """Return a trainer for one configuration."""
    return build_trainer(config, load_clip(clip_path, config.clip_format()))


def teach_ours(config: TrainConfig, clip_path: Path) -> tuple[Frames, Frames]:
    """Teach, and return generated and real frames of the held-out part."""
    trainer = ours(config, clip_path)
    for iteration in tqdm(range(config.total_iterations), leave=False):
        trainer.step(iteration / config.total_iterations)
    found = trainer.validate()
    return found.generated_NHWC, found.real_NHWC()


def teach_original(config: TrainConfig, clip_path: Path, setting: Setting) -> tuple[Frames, Frames]:
    """The same for the original, which hears through our front end in its own kind of features."""
    trainer = ours(config, clip_path)
    original = Original(setting, anomaly=False, perceptual=False, seed=config.seed)
    for _ in tqdm(range(config.total_iterations), leave=False):
        batch = trainer.reader.next()
        if bool(batch.restarted_B.any()):
            original.generator.reset_train()
        original.step(_features(trainer, batch.audio_BTW), batch.real_BTCHW)
    (stretch,) = trainer.footage.validation
    fold = stretch.frame_range
    return _play(original, trainer, stretch.clip, fold), np.array(stretch.clip.frames_NHWC[fold.first : fold.end])


@torch.no_grad()
def _features(trainer: Trainer, audio_BTW: Tensor) -> Tensor:
    return trainer.model.front_end(audio_BTW.flatten(0, 1)).unflatten(0, audio_BTW.shape[:2])


@torch.no_grad()
def _play(original: Original, trainer: Trainer, clip: Clip, fold: FrameRange) -> Frames:
    """Play the fold as the original deploys: in evaluation mode, its states carried."""
    original.generator.eval()
    original.generator.reset_eval()
    timing, steps, shown = WindowTiming.of(trainer.model), trainer.config.sequence_frames, []
    for first in range(fold.first, fold.end, steps):
        count = min(steps, fold.end - first)
        audio = torch.from_numpy(sound_windows(clip.sound_S, first, count, timing))[None]
        fake = original.generator(_features(trainer, audio))[0]
        shown.append(((fake + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy())
    return np.concatenate(shown)


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare what the original's training and ours have learned.")
    parser.add_argument("clip", type=Path)
    parser.add_argument("--reference", type=Path, required=True, metavar="CHECKOUT")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", metavar="TRAINER", help="leave the others out")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--weights", type=Path, nargs="*", default=[], help="files of learned distances")
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    quality, clock = Quality(flags.weights), WallClock()
    setting = Setting(flags.reference, flags.image_size, flags.frames, flags.threads, "cpu")
    found: dict[str, list[dict[str, float]]] = {}
    for seed in range(flags.first_seed, flags.first_seed + flags.seeds):
        common = {
            "model.image_size": flags.image_size,
            "sequence_frames": flags.frames,
            "total_iterations": flags.iterations,
            "seed": seed,
            "device": "cpu",
        }
        paper = load_train_config(PAPER, common)
        # Small frames have fewer levels than the recipe names.
        teaching = load_train_config(TEACHING, common | {"model.generator.relief_level": -1})
        trials: dict[str, Callable[[], tuple[Frames, Frames]]] = {
            "original": lambda paper=paper: teach_original(paper, flags.clip, setting),
            "ours, same maths": lambda paper=paper: teach_ours(paper, flags.clip),
            "ours, teaching": lambda teaching=teaching: teach_ours(teaching, flags.clip),
        }
        for name, teach in trials.items():
            if flags.only and name not in flags.only:
                continue
            began_s = clock.now_s()
            generated_NHWC, real_NHWC = teach()
            l1 = float(np.abs(generated_NHWC.astype(np.float32) - real_NHWC).mean()) / 127.5
            figures = {"L1": l1, **quality(generated_NHWC, real_NHWC), "minutes": (clock.now_s() - began_s) / 60.0}
            found.setdefault(name, []).append(figures)
            what = {"trainer": name, "clip": flags.clip.name, "seed": seed, "iterations": flags.iterations}
            append_record(
                "training_quality", {**what, "image_size": flags.image_size, "figures": figures}, backend="cpu"
            )
    keys = list(next(iter(found.values()))[0])
    rows = [[name, *(_spread([trial[key] for trial in trials]) for key in keys)] for name, trials in found.items()]
    print_table(["trainer", *keys], rows)
    return 0


def _spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.4f}" + (f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else "")


if __name__ == "__main__":
    run_main(main)
